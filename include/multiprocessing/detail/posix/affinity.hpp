#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file affinity.hpp  POSIX twin: sched_setaffinity.

#include <multiprocessing/detail/config.hpp>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE ProcessorSet allowed_affinity();

MULTIPROCESSING_INLINE void set_affinity(const ProcessorSet& processors);

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/error.hpp>

#include <cstddef>

#include <sched.h>

namespace multiprocessing::inline v1::detail::platform {

static_assert(sizeof(cpu_set_t) * 8 == ProcessorSet::most);

MULTIPROCESSING_INLINE ProcessorSet allowed_affinity() {
    ProcessorSet processors;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) != 0)
        throw_last_error("asking on which processors this process may run");
    for (std::size_t i = 0; i < ProcessorSet::most; ++i) {
        if (CPU_ISSET(i, &set)) processors.add(i);
    }
    return processors;
}

MULTIPROCESSING_INLINE void set_affinity(const ProcessorSet& processors) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (std::size_t i = 0; i < ProcessorSet::most; ++i) {
        if (processors.has(i)) CPU_SET(i, &set);
    }
    if (::sched_setaffinity(0, sizeof set, &set) != 0)
        throw_last_error("restricting a process to the processors that it was given");
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
