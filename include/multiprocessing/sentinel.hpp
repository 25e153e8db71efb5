#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file sentinel.hpp  Sentinel: a handle that becomes ready when a process ends.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/handle.hpp>

namespace multiprocessing::inline v1 {

/// A handle that becomes ready when a process ends; for `connection::wait`. Refers to the process
/// without owning it.
class Sentinel {
public:
    explicit Sentinel(detail::platform::NativeHandle handle) noexcept : handle_(handle) {}

    /// Returns the handle of the operating system: a descriptor that polls readable, or a Windows
    /// HANDLE.
    detail::platform::NativeHandle native_handle() const noexcept { return handle_; }

    friend bool operator==(const Sentinel&, const Sentinel&) noexcept = default;

private:
    detail::platform::NativeHandle handle_;
};

} // namespace multiprocessing::inline v1
