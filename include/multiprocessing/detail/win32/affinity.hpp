#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file affinity.hpp  Win32 twin: the affinity mask of the process, in its group of at most 64
/// processors.

#include <multiprocessing/detail/config.hpp>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE ProcessorSet allowed_affinity();

MULTIPROCESSING_INLINE void set_affinity(const ProcessorSet& processors);

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/error.hpp>
#include <multiprocessing/detail/win32/api.hpp>

#include <boost/winapi/get_current_process.hpp>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE ProcessorSet allowed_affinity() {
    winapi::ULONG_PTR_ own = 0;
    winapi::ULONG_PTR_ group = 0;
    if (!GetProcessAffinityMask(winapi::GetCurrentProcess(), &own, &group))
        throw_last_error("asking on which processors this process may run");
    ProcessorSet processors;
    processors.words[0] = own;
    return processors;
}

MULTIPROCESSING_INLINE void set_affinity(const ProcessorSet& processors) {
    if (!SetProcessAffinityMask(winapi::GetCurrentProcess(),
                                static_cast<winapi::ULONG_PTR_>(processors.words[0])))
        throw_last_error("restricting a process to the processors that it was given");
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
