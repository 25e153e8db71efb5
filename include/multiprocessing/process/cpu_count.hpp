#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file cpu_count.hpp  The number of processors: of the machine, and of this process.

#include <multiprocessing/detail/platform/resources.hpp>

namespace multiprocessing::inline v1 {

/// Returns the number of logical processors of the machine. Python: `multiprocessing.cpu_count()`.
inline int cpu_count() { return detail::platform::machine_processors(); }

/// Returns the number of processors that the calling process may use: its affinity and, on Linux,
/// the quota of its control group. Python: `os.process_cpu_count()`.
inline int process_cpu_count() { return detail::platform::allowed_processors(); }

} // namespace multiprocessing::inline v1
