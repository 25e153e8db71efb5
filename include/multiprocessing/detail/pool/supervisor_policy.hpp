#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file supervisor_policy.hpp  When the workers of a pool start and leave, what they may use, and
/// what it means that one was lost.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/affinity.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/timeout.hpp>

#include <cstdint>
#include <exception>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// When workers start and leave, and what it means that one was lost.
struct SupervisorPolicy {
    bool on_demand = false;            ///< A worker starts when there is work and none that is idle.
    Timeout idle_timeout = no_timeout; ///< One that has had no work for this long leaves.
    bool starts_none = false;          ///< There are no workers: tasks run in the caller.
    bool breaks_with_worker = false;   ///< The end of one is the end of all.
    std::uint64_t memory_limit = 0;    ///< Bytes of a worker that is at nothing; 0: none.
    std::uint64_t recycle_memory = 0;  ///< Bytes beyond which one is replaced between tasks; 0: none.
    /// Where worker 0, 1, ... may run; used in turn. Empty: anywhere.
    std::vector<platform::ProcessorSet> affinity = {};
    bool limits_threads = false; ///< Libraries that are loaded are told; see tell_loaded_libraries().
    /// What those get that wait for work when the pool is terminated.
    std::exception_ptr (*terminated)() = [] {
        return std::make_exception_ptr(CancelledError("multiprocessing: the pool was terminated"));
    };
    /// Turns a WorkerLostError into what callers get.
    std::exception_ptr (*loss)(std::exception_ptr) = [](std::exception_ptr error) { return error; };
};

} // namespace multiprocessing::inline v1::detail
