#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file memory.hpp  Contract: a piece of memory without a name that processes map together.
///
/// `MemoryObject` owns the handle; `boost::interprocess::mapped_region` maps it (it asks for
/// `get_mode()` and `get_mapping_handle()`). A child gets it as an inherited handle. Sizes are
/// reservations: a page becomes memory when it is first touched, or committed where the system
/// wants that said.
/// * `MemoryObject(bytes)`: makes one of that size, all zero; throws `std::system_error`.
/// * `MemoryObject(handle)`: one that was made by another process.
/// * `reservation()`: how much to reserve at best; halved until it fits where it has to be mapped
///   at once.
/// * `place_to_grow(bytes)`: an address from which on a mapping can grow to `bytes` without being
///   reserved, as nothing else is placed there; null where such a mapping has to be made at once. A
///   reservation of address space counts against RLIMIT_AS, also one that is set later, and
///   mlockall() fills it.
/// * `commit(address, bytes)`: before the first touch. Throws `std::system_error` when the system
///   has none left.
/// * `discard(object, offset, bytes)`: the pages go back to the system and read as zero when
///   touched again; false where the system cannot (Windows): they keep their content.
/// * `exclude_from_dumps(address, bytes)`: for every mapping, before it is touched: else one crash
///   writes, and by that allocates, all of it.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/error.hpp>
#include <multiprocessing/detail/platform/handle.hpp>

#include <concepts>
#include <cstdint>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/memory.hpp>
#else
#include <multiprocessing/detail/posix/memory.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(const MemoryObject& object, void* address, std::uint64_t bytes) {
    MemoryObject{bytes};
    { object.handle() } noexcept -> std::same_as<const Handle&>;
    object.get_mode();
    object.get_mapping_handle();
    { reservation() } -> std::same_as<std::uint64_t>;
    { place_to_grow(bytes) } noexcept -> std::same_as<void*>;
    { commit(address, bytes) } -> std::same_as<void>;
    { discard(object, bytes, bytes) } noexcept -> std::same_as<bool>;
    { exclude_from_dumps(address, bytes) } noexcept -> std::same_as<void>;
});

} // namespace multiprocessing::inline v1::detail::platform
