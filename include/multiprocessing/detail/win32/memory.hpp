#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file memory.hpp  Win32 twin: a reserved section of the page file.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/win32/api.hpp>

#include <cstdint>
#include <string>
#include <utility>

#include <boost/interprocess/detail/os_file_functions.hpp> // for mapping_handle_from_shm_handle
#include <boost/interprocess/interprocess_fwd.hpp>
#include <boost/winapi/file_mapping.hpp>
#include <boost/winapi/page_protection_flags.hpp>

namespace multiprocessing::inline v1::detail::platform {

class MemoryObject {
public:
    explicit MemoryObject(std::uint64_t bytes)
        : handle_(winapi::CreateFileMappingW(
              winapi::INVALID_HANDLE_VALUE_, nullptr, winapi::PAGE_READWRITE_ | winapi::SEC_RESERVE_,
              static_cast<winapi::DWORD_>(bytes >> 32), static_cast<winapi::DWORD_>(bytes), nullptr)) {
        if (!handle_.valid())
            throw_last_error("reserving " + std::to_string(bytes) + " bytes of shared memory");
    }
    explicit MemoryObject(Handle handle) noexcept : handle_(std::move(handle)) {}

    const Handle& handle() const noexcept { return handle_; }

    // What mapped_region asks for.
    boost::interprocess::mode_t get_mode() const noexcept { return boost::interprocess::read_write; }
    boost::interprocess::mapping_handle_t get_mapping_handle() const noexcept {
        return boost::interprocess::ipcdetail::mapping_handle_from_shm_handle(handle_.native());
    }

private:
    Handle handle_;
};

/// The system keeps 8 bytes for every page of a section: 32 MiB for this.
inline std::uint64_t reservation() { return std::uint64_t{16} << 30; }

/// The section is small enough to be mapped whole, and pages are committed one by one.
inline void* place_to_grow(std::uint64_t) noexcept { return nullptr; }

inline void commit(void* address, std::uint64_t bytes) {
    constexpr winapi::DWORD_ mem_commit = 0x1000;
    // What is committed already stays as it is, whichever process did it: the pages belong to the
    // section, not to the view.
    if (!VirtualAlloc(address, static_cast<winapi::SIZE_T_>(bytes), mem_commit, winapi::PAGE_READWRITE_))
        throw_last_error("committing " + std::to_string(bytes) + " bytes of shared memory");
}

// Pages of a section cannot be given back while it exists: VirtualFree refuses them.
inline bool discard(const MemoryObject&, std::uint64_t, std::uint64_t) noexcept { return false; }

// Nothing to do: a dump is written by a debugger or Error Reporting, and reserved pages are not in
// it.
inline void exclude_from_dumps(void*, std::uint64_t) noexcept {}

} // namespace multiprocessing::inline v1::detail::platform
