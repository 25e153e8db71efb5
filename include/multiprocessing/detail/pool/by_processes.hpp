#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file by_processes.hpp  What worker processes carry out, and how it is submitted to them: what a
/// pool and an executor ask.

#include <multiprocessing/detail/call/crossing_call.hpp>
#include <multiprocessing/detail/call/task_check.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/imap_over.hpp>
#include <multiprocessing/detail/pool/imap_state.hpp>
#include <multiprocessing/detail/pool/submission.hpp>
#include <multiprocessing/detail/pool/worker_pool.hpp>
#include <multiprocessing/pool/options.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <ranges>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// What worker processes carry out: what BasicPool and BasicExecutor ask.
struct ByProcesses {
    using Workers = WorkerPool;

    // Whether it can be, why not, and the types of a map.
    template <class Function, class... Arguments>
    struct Task {
        static constexpr bool ok = is_task<Function, Arguments...>();
        static constexpr auto refusal() { return task_refusal<Function, Arguments...>; }
    };
    template <class Function, class Range>
    struct Map {
        using Types = MapTypes<Function, Range>;
        static constexpr bool ok = is_map<Function, Range>();
        static constexpr auto refusal() { return map_refusal<Function, Range>; }
    };
    template <class Function, class Range>
    struct Starmap {
        using Types = StarmapTypes<Function, Range>;
        static constexpr bool ok = is_starmap<Function, Range>();
        static constexpr auto refusal() { return starmap_refusal<Function, Range>; }
    };
    template <class Function, class... Arguments>
    struct Initializer {
        using Call = CrossingCall<std::decay_t<Function>, Arguments...>;
        static constexpr bool ok = Call::template ok_as<Function>;
        static constexpr auto refusal() { return call_refusal<std::decay_t<Function>, Arguments...>; }
    };

    template <class... Initializer>
    static std::shared_ptr<WorkerPool> workers(WorkerPoolRequest request, Initializer&&... initializer) {
        return std::make_shared<WorkerPool>(std::move(request), std::forward<Initializer>(initializer)...);
    }
    template <class Function, class... Arguments>
    static auto submit_task(WorkerPool& workers, const TaskOptions& options, Function&& function,
                            Arguments&&... arguments) {
        return workers.submitter().submit_task(options, std::forward<Function>(function),
                                               std::forward<Arguments>(arguments)...);
    }
    template <class Types, class Function, class Range, class Results = std::nullptr_t>
    static auto submit_map(WorkerPool& workers, const Function& function, Range&& range,
                           const MapOptions& options, Results results = {}) {
        auto state = workers.submitter().template submit_map<Types>(function, range, options, results);
        give_away<Range>(std::forward<Range>(range));
        return state;
    }
    template <class Types, class Function, class Range>
    static auto map_items(WorkerPool& workers, const Function& function, Range&& range, MapOptions options) {
        validate(options);
        auto outcomes = workers.submitter().template map_items<Types>(function, range, options);
        give_away<Range>(std::forward<Range>(range));
        return outcomes;
    }
    /// `reads_all`: all of the range is submitted at once, by default a sixteenth of each worker's
    /// share as a chunk.
    template <class Types, class Function, class Range>
    static auto stream(WorkerPool& workers, Function&& function, Range&& range, const MapOptions& options,
                       bool ordered, bool reads_all) {
        validate(options);
        workers.require_open(); // before the range is read
        ImapPlan plan{ordered, options.chunksize.value(), options.buffersize.value(), reads_all};
        if (reads_all && plan.chunksize == 0) {
            plan.chunksize = 1;
            if constexpr (std::ranges::sized_range<Range>)
                plan.chunksize = (std::max<std::uint64_t>)(1, std::ranges::size(range) /
                                                                  (16 * std::uint64_t{workers.size()}));
        }
        auto state = std::make_unique<ImapOver<Types, Range>>(
            workers.submitter(), plan, policy_of(options, workers.submitter().policy()),
            typename Types::F(std::forward<Function>(function)), std::forward<Range>(range));
        state->fill();
        return state;
    }
};

} // namespace multiprocessing::inline v1::detail
