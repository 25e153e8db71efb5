#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file handle.hpp  Contract: a handle of the operating system, and the class that owns one.
///
/// A twin gives, as static members of `HandleTraits`:
/// * `Native`: the operating system's type, and `Native invalid()`.
/// * `own(Native&)`: from now on ours: no program that this process starts inherits it, and a
///   forked child closes it. May put another handle of the same object in its place. Returns a
///   stamp for `disown`.
/// * `keep_in_forked_child(Native)`: except that it stays open there.
/// * `disown(Native, stamp)`: false if the handle is not ours (any more): this process is a fork of
///   the one that owned it, and has it closed already.
/// * `close(Native)`: gives it back to the system.
/// * `duplicate(Native)`: another handle of the same object; throws `std::system_error`.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/error.hpp>

#include <concepts>
#include <cstdint>
#include <utility>

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/handle.hpp>
#else
#include <multiprocessing/detail/posix/handle.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

using NativeHandle = HandleTraits::Native;

/// Owns a handle, from the moment it is given to it; move-only. Closing cannot fail visibly.
class Handle {
public:
    Handle() noexcept = default;
    /// Takes ownership, also if it throws (std::bad_alloc); an invalid handle makes an empty one.
    explicit Handle(NativeHandle native) : native_(native) {
        if (!valid()) return;
        try {
            stamp_ = HandleTraits::own(native_);
        } catch (...) {
            HandleTraits::close(native_);
            throw;
        }
    }
    Handle(Handle&& other) noexcept
        : native_(std::exchange(other.native_, HandleTraits::invalid())), stamp_(other.stamp_) {}
    Handle& operator=(Handle&& other) noexcept {
        Handle taken{std::move(other)};
        std::swap(native_, taken.native_);
        std::swap(stamp_, taken.stamp_);
        return *this;
    }
    ~Handle() { close(); }

    bool valid() const noexcept { return native_ != HandleTraits::invalid(); }
    /// Returns the handle itself; stays ours.
    NativeHandle native() const noexcept { return native_; }
    /// Gives up ownership: the caller closes it.
    [[nodiscard("who releases a handle has to close it")]] NativeHandle release() noexcept {
        if (valid()) HandleTraits::disown(native_, stamp_);
        return std::exchange(native_, HandleTraits::invalid());
    }
    void close() noexcept {
        if (!valid()) return;
        const NativeHandle native = std::exchange(native_, HandleTraits::invalid());
        if (HandleTraits::disown(native, stamp_)) HandleTraits::close(native);
    }
    /// Returns another handle of the same object.
    Handle duplicate() const { return Handle{HandleTraits::duplicate(native_)}; }

private:
    NativeHandle native_ = HandleTraits::invalid();
    std::uint32_t stamp_ = 0;
};

static_assert(requires(NativeHandle& native, std::uint32_t stamp) {
    { HandleTraits::invalid() } noexcept -> std::same_as<NativeHandle>;
    { HandleTraits::own(native) } -> std::same_as<std::uint32_t>;
    { HandleTraits::keep_in_forked_child(native) } -> std::same_as<void>;
    { HandleTraits::disown(native, stamp) } noexcept -> std::same_as<bool>;
    { HandleTraits::close(native) } noexcept -> std::same_as<void>;
    { HandleTraits::duplicate(native) } -> std::same_as<NativeHandle>;
});

} // namespace multiprocessing::inline v1::detail::platform
