#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file executable.hpp  Contract: the program that runs here, and the loaded images
/// (program, libraries).
///
/// An `Image` is known by its `id`: equal in two processes if, and as good as only if, they loaded
/// the same build. An address in it is known by its offset from `base`.
/// * `image_at(address)`: the loaded image that holds it; nullopt if none does (memory of a
///   just-in-time compiler).
/// * `image_with(id)`: the loaded image of that build; nullopt if it is not loaded.
/// * `program_image()`: the image of the program itself, which is never unloaded.
/// * `image_changes()`: a number that changes when an image is loaded or unloaded; cheap.
/// * `program_path()`: file of the running program, for people. `program_to_spawn()`: what starts
///   the same program again, even if the file was replaced meanwhile. Throws `std::system_error` if
///   the system does not say what that is.
/// * `remember_program()`: notes which file it is, for a time when the system does not say any more
///   (POSIX: after chroot).
/// * `command_line()`: the program's arguments, its name first.
/// * `loaded_function(name)`: the address of the C function of that name that is exported by the
///   program, or by a library that is loaded for all to see (POSIX: not by RTLD_LOCAL); null if
///   there is none. Windows: null, always.

#include <multiprocessing/detail/config.hpp>

#include <array>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace multiprocessing::inline v1::detail::platform {

/// The build of an image: the linker's build-id; without one, what tells builds apart on the
/// platform.
struct ImageId {
    std::array<std::uint8_t, 32> bytes{};

    friend bool operator==(const ImageId&, const ImageId&) = default;
};

/// A range of an image, as offsets from its base.
struct ImageRange {
    std::uint64_t begin;
    std::uint64_t end;
};

/// A loaded image.
struct Image {
    std::uintptr_t base = 0;
    std::uint64_t size = 0;
    ImageId id;
    std::string path;
    std::vector<ImageRange> code;
    /// What of it is mapped: all of an offset's object must lie in one of them.
    std::vector<ImageRange> loaded;

    bool holds(const void* address) const { return reinterpret_cast<std::uintptr_t>(address) - base < size; }
};

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/executable.hpp>
#else
#include <multiprocessing/detail/posix/executable.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

/// Returns whether `offset` to `offset + bytes` lies in one of `ranges`.
inline bool lies_in(const std::vector<ImageRange>& ranges, std::uint64_t offset, std::uint64_t bytes) {
    for (const ImageRange& range : ranges) {
        if (offset >= range.begin && offset < range.end && range.end - offset >= bytes) return true;
    }
    return false;
}

static_assert(requires(const void* address, const ImageId& id, const char* name) {
    { image_at(address) } -> std::same_as<std::optional<Image>>;
    { image_with(id) } -> std::same_as<std::optional<Image>>;
    { program_image() } -> std::same_as<std::optional<Image>>;
    { image_changes() } -> std::same_as<std::uint64_t>;
    { program_path() } -> std::same_as<std::filesystem::path>;
    { program_to_spawn() } -> std::same_as<std::filesystem::path>;
    { remember_program() } -> std::same_as<void>;
    { command_line() } -> std::same_as<std::vector<std::string>>;
    { loaded_function(name) } noexcept -> std::same_as<void*>;
});

} // namespace multiprocessing::inline v1::detail::platform
