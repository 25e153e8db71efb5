#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file task_run.hpp  The code that a worker enters by a thunk for a single task, and for itself.

#include <multiprocessing/detail/call/crossing_call.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/backtrace.hpp>
#include <multiprocessing/detail/pool/itemized_run.hpp>
#include <multiprocessing/detail/pool/worker.hpp>

#include <cstring>
#include <type_traits>

namespace multiprocessing::inline v1::detail {

/// One call; what it returns goes into the frame's writer, unless nobody wants it.
template <bool Keeps, class F, class... Argument>
struct CallCode {
    using Call = CrossingCall<F, Argument...>;

    static void run(TaskFrame& frame) {
        const platform::UserCode mark;
        ReceivedArguments taking{frame.leases};
        Reader reader{frame.arguments, &taking};
        auto call = ReceivedCall<F, typename Call::Carried>::read(reader);
        if constexpr (!Keeps || std::is_void_v<typename Call::Returned>) {
            static_cast<void>(Call::invoke(call.function, call.arguments));
        } else {
            using Result = std::decay_t<typename Call::Returned>;
            encode<Result>(frame.result,
                           static_cast<const Result&>(Call::invoke(call.function, call.arguments)));
        }
    }
};
/// Of a task.
template <class F, class... Argument>
using TaskCode = CallCode<true, F, Argument...>;
/// Of an initializer that runs in the caller.
template <class F, class... Argument>
using DiscardingCode = CallCode<false, F, Argument...>;

/// The main function of a worker: its initializer, if it has one, then the tasks.
template <class... FunctionAndArguments>
struct WorkerCode;

template <>
struct WorkerCode<> {
    static void run(TargetFrame& frame) { Worker{setup(frame)}.serve(); }

    static WorkerSetup setup(const TargetFrame& frame) {
        WorkerSetup setup;
        std::memcpy(&setup, frame.payload.data(), sizeof setup);
        return setup;
    }
};

template <class F, class... Argument>
struct WorkerCode<F, Argument...> {
    static void run(TargetFrame& frame) {
        const platform::UserCode mark;
        Worker worker{WorkerCode<>::setup(frame)};
        // What it was given lives as long as the worker: an initializer keeps such things for the
        // tasks to come.
        UnpackedCall<F, Argument...> initializer{frame, frame.payload.subspan(sizeof(WorkerSetup))};
        try {
            initializer.run();
        } catch (const platform::ThrowProbe&) {
        } catch (...) {
            if (platform::is_thread_exit()) finish_child(0);
            worker.break_down();
            finish_child(1);
        }
        worker.serve();
    }
};

} // namespace multiprocessing::inline v1::detail
