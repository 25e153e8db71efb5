#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_target.hpp  What a child of Process runs, and what its constructor refuses.

#include <multiprocessing/detail/call/refused.hpp>
#include <multiprocessing/detail/launch/packed_call.hpp>
#include <multiprocessing/detail/platform/backtrace.hpp>

namespace multiprocessing::inline v1::detail {

/// The main function of a Process: reads the call, makes it, discards its result.
template <class F, class... Argument>
struct ProcessTarget {
    static void run(TargetFrame& frame) {
        const platform::UserCode mark;
        UnpackedCall<F, Argument...>(frame, frame.payload).run();
    }
};

/// The keyword arguments of Python's Process, for an error that names their C++ form.
struct PythonProcess {
    Refused group = {};
    Keyword target;
    Refused name = {};
    Refused args = {};
    Refused kwargs = {};
    Refused daemon = {};
};

} // namespace multiprocessing::inline v1::detail
