#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_watch.hpp  Windows twin: a handle of the process.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/win32/api.hpp>

#include <optional>

#include <boost/winapi/access_rights.hpp>
#include <boost/winapi/error_codes.hpp>
#include <boost/winapi/get_last_error.hpp>
#include <boost/winapi/process.hpp>

namespace multiprocessing::inline v1::detail::platform {

inline std::optional<Handle> watch_process(int pid) {
    Handle process{winapi::OpenProcess(winapi::SYNCHRONIZE_, false, static_cast<winapi::DWORD_>(pid))};
    if (!process.valid() && winapi::GetLastError() == winapi::ERROR_INVALID_PARAMETER_) return std::nullopt;
    return process;
}

} // namespace multiprocessing::inline v1::detail::platform
