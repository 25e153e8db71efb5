#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file task_run.hpp  The code that a worker enters by a thunk: of a single task, of a map, of a
/// worker itself.

#include <multiprocessing/detail/call/crossing_call.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/backtrace.hpp>
#include <multiprocessing/detail/pool/worker.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// One call; its result goes into the frame's writer.
template <class F, class... Argument>
struct TaskCode {
    using Call = CrossingCall<F, Argument...>;

    static void run(TaskFrame& frame) {
        const platform::UserCode mark;
        ReceivedArguments taking{frame.leases};
        Reader reader{frame.arguments, &taking};
        auto call = ReceivedCall<F, typename Call::Carried>::read(reader);
        if constexpr (std::is_void_v<typename Call::Returned>) {
            Call::invoke(call.function, call.arguments);
        } else {
            using Result = std::decay_t<typename Call::Returned>;
            encode<Result>(frame.result,
                           static_cast<const Result&>(Call::invoke(call.function, call.arguments)));
        }
    }
};

/// How a map calls its function with one element. `Element` is as it travels; for starmap it is a
/// tuple of arguments.
template <class F, class Element>
struct MapCall {
    using Call = CrossingCall<F, Element>;
    using Returned = typename Call::Returned;
    static constexpr bool ok = Call::ok;

    static decltype(auto) invoke(F& function, Element&& element) {
        std::tuple<Element> arguments{std::move(element)};
        return Call::invoke(function, arguments);
    }
};

template <class F, class... Argument>
struct MapCall<F, std::tuple<Argument...>*> { // starmap, marked by the pointer
    using Call = CrossingCall<F, Argument...>;
    using Returned = typename Call::Returned;
    static constexpr bool ok = Call::ok;

    static decltype(auto) invoke(F& function, std::tuple<Argument...>&& element) {
        typename Call::Carried arguments{std::move(element)};
        return Call::invoke(function, arguments);
    }
};

/// All that a helper does for a map. Plain elements and results lie in the Space as they are,
/// others in archives.
template <class F, class Element, class Called, bool PlainInput, bool PlainOutput>
struct MapCode {
    using Returned = typename Called::Returned;
    using Result = std::decay_t<Returned>;
    static constexpr bool gives = !std::is_void_v<Returned>;

    static void run(MapFrame& frame) {
        const platform::UserCode mark;
        std::optional<F>
            function; // read with the first item: a function that cannot be read fails as an item does
        std::optional<ReceivedArguments> taking;
        bool quick = false; // items of less than 100 ns are noted by blocks of 64
        bool measured = false;
        while (frame.claim()) {
            ResultContext returning;
            Writer results{&returning};
            const std::uint64_t end = frame.end();
            std::uint64_t item = frame.begin();
            while (item < end) {
                try {
                    if (!function) {
                        taking.emplace(frame.callable_leases());
                        Reader reader{frame.callable(), &*taking};
                        function.emplace(decode<F>(reader));
                    }
                    if (!measured) {
                        const std::uint64_t some = std::min<std::uint64_t>(end, item + 16);
                        const std::uint64_t count = some - item;
                        const auto begin = std::chrono::steady_clock::now();
                        for (; item < some; ++item) {
                            frame.note(item);
                            one(frame, *function, results, item);
                        }
                        quick =
                            std::chrono::steady_clock::now() - begin < count * std::chrono::nanoseconds{100};
                        measured = true;
                    } else if (quick) {
                        frame.note_block(item);
                        // The loop that the compiler can unroll and vectorize: nothing but the
                        // function is in it.
                        for (const std::uint64_t stop = std::min<std::uint64_t>(end, item + 64); item < stop;
                             ++item) {
                            one(frame, *function, results, item);
                        }
                    } else {
                        frame.note(item);
                        one(frame, *function, results, item);
                        ++item;
                    }
                } catch (const platform::ThrowProbe&) {
                } catch (...) {
                    if (platform::is_thread_exit()) finish_child(0);
                    frame.fail(item++); // the others are not concerned
                }
            }
            frame.commit(results, std::move(returning));
        }
    }

private:
    static void one(MapFrame& frame, F& function, Writer& results, std::uint64_t item) {
        if constexpr (PlainInput) {
            const Element& element = frame.plain_input<const Element>()[item];
            if constexpr (std::is_invocable_v<F&, const Element&>) {
                give(frame, results, item, [&]() -> decltype(auto) { return function(element); });
            } else {
                give(frame, results, item,
                     [&]() -> decltype(auto) { return Called::invoke(function, Element(element)); });
            }
        } else {
            ReceivedArguments taking{frame.item_leases(item)};
            Reader reader{frame.item(item), &taking};
            Element element = decode<Element>(reader);
            give(frame, results, item,
                 [&]() -> decltype(auto) { return Called::invoke(function, std::move(element)); });
        }
    }

    template <class Invoke>
    static void give(MapFrame& frame, Writer& results, std::uint64_t item, Invoke invoke) {
        if constexpr (!gives) {
            invoke();
        } else if constexpr (PlainOutput) {
            std::construct_at(frame.plain_output<Result>() + item, invoke());
        } else {
            // Once one of the chunk has failed the caller gets an exception, and no results.
            const Result& result = invoke();
            if (frame.has_failed()) return;
            // As the first few, so the others, about.
            if (item == frame.begin() + 8)
                results.expect(results.size() / 8 * (frame.end() - frame.begin() + 1));
            encode<Result>(results, result);
        }
    }
};

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
        using Call = CrossingCall<F, Argument...>;
        const platform::UserCode mark;
        Worker worker{WorkerCode<>::setup(frame)};
        ReceivedArguments taking{frame.given, frame.handles};
        Reader reader{frame.payload.subspan(sizeof(WorkerSetup)), &taking};
        // What it was given lives as long as the worker: an initializer keeps such things for the
        // tasks to come.
        std::optional<ReceivedCall<F, typename Call::Carried>> call;
        try {
            call.emplace(ReceivedCall<F, typename Call::Carried>::read(reader));
            ReceivedArguments::fulfil(frame.given);
            static_cast<void>(Call::invoke(call->function, call->arguments));
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
