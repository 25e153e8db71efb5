#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file submission.hpp  From a call, or a map, to work that is announced to the workers of a pool.

#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/call/crossing_call.hpp>
#include <multiprocessing/detail/call/task_check.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/chunked_work.hpp>
#include <multiprocessing/detail/pool/itemized_result.hpp>
#include <multiprocessing/detail/pool/itemized_run.hpp>
#include <multiprocessing/detail/pool/itemized_work.hpp>
#include <multiprocessing/detail/pool/map_input.hpp>
#include <multiprocessing/detail/pool/map_run.hpp>
#include <multiprocessing/detail/pool/result.hpp>
#include <multiprocessing/detail/pool/result_block.hpp>
#include <multiprocessing/detail/pool/table.hpp>
#include <multiprocessing/detail/pool/task_policy.hpp>
#include <multiprocessing/detail/pool/task_run.hpp>
#include <multiprocessing/detail/pool/task_work.hpp>
#include <multiprocessing/detail/pool/worker.hpp>
#include <multiprocessing/detail/result/local_result.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/pool/outcome.hpp>
#include <multiprocessing/progress.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <ranges>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// The types of a map: how its elements travel, and how its function is called with one.
template <class Function, class Range>
struct MapTypes {
    using F = std::decay_t<Function>;
    using Element = ElementType<F, std::ranges::range_reference_t<Range>>;
    using Called = MapCall<F, Element>;
    using R = std::decay_t<typename Called::Returned>;
};
/// Of a starmap.
template <class Function, class Range>
struct StarmapTypes {
    using F = std::decay_t<Function>;
    using Element = ArgumentsType<F, std::ranges::range_reference_t<Range>>;
    using Called = StarmapCall<F, Element>;
    using R = std::decay_t<typename Called::Returned>;
};

/// Submits to the workers of one pool. Keeps the table of the pool, not the pool.
class Submitter {
public:
    Submitter() = default;
    /// `most_tasks`: of a worker until it is replaced; 0: no limit. `policy`: the pool's.
    /// `is_here`: there are no workers, and the thread that submits carries it out.
    Submitter(std::shared_ptr<PoolTable> table, std::uint64_t most_tasks, const TaskPolicy& policy,
              bool is_here)
        : table_(std::move(table)), most_tasks_(most_tasks), policy_(policy), is_here_(is_here) {}

    const std::shared_ptr<PoolTable>& table() const noexcept { return table_; }
    /// No chunk of a map is larger; 0: no limit.
    std::uint64_t most_tasks() const noexcept { return most_tasks_; }
    /// What holds for tasks that say nothing else.
    const TaskPolicy& policy() const noexcept { return policy_; }

    bool is_here() const noexcept { return is_here_; }

    /// Calls `function(arguments...)` in this thread, where there are no workers; throws what it
    /// throws.
    template <class Function, class... Arguments>
    void carry_out(Function&& function, Arguments&&... arguments) const {
        using Code = DiscardingCode<std::decay_t<Function>, Arguments...>;
        auto work =
            submit_call<Code>({}, std::forward<Function>(function), std::forward<Arguments>(arguments)...);
        TaskResult<void> result{table_, std::move(work)};
        result.fetch(Deadline{});
        result.require_success();
    }

    template <class Function, class... Arguments>
    auto submit_task(const TaskOptions& options, Function&& function, Arguments&&... arguments) const {
        using F = std::decay_t<Function>;
        using Call = CrossingCall<F, Arguments...>;
        using R = std::decay_t<typename Call::Returned>;
        validate(options);
        auto work = submit_call<TaskCode<F, Arguments...>>(policy_of(options, policy_),
                                                           std::forward<Function>(function),
                                                           std::forward<Arguments>(arguments)...);
        return std::shared_ptr<ResultState<R>>(std::make_shared<TaskResult<R>>(table_, std::move(work)));
    }

    /// Submits a map over all of `range`. `results` is null, or the shared_vector that the results
    /// are written to.
    template <class Types, class Function, class Range, class Results = std::nullptr_t>
    auto submit_map(const Function& function, Range&& range, const MapOptions& options,
                    Results results = {}) const {
        using Element = typename Types::Element;
        using R = typename Types::R;
        constexpr bool into = !std::is_null_pointer_v<Results>;
        using Read = std::conditional_t<into, void, R>; // what of each item comes by the result
        using Result = MapValue<Read>;
        constexpr bool plain_input = is_plain_input<Element, Range>;
        constexpr bool plain_output = into || is_plain_in_blocks<R>;
        using Code = MapCode<typename Types::F, Element, typename Types::Called, plain_input, plain_output>;
        validate(options);
        MapPlan plan;
        plan.add_input<Element>(range);
        if constexpr (into) {
            plan.make_room_in(*results);
        } else if constexpr (plain_output) {
            plan.make_room(plan.items * sizeof(R));
        }
        std::shared_ptr<ResultState<Result>> state;
        if (plan.items == 0) {
            state = std::make_shared<LocalResult<Result>>(typename LocalResult<Result>::Value{});
        } else if (const TaskPolicy policy = policy_of(options, policy_); policy.is_set()) {
            // The item is the unit.
            const auto sizes = cut(plan.items, options.chunksize.value(), table_->workers(), most_tasks_);
            auto work = announce_items<Types, plain_input, plain_output>(
                function, plan, sizes, std::make_shared<AttentionBlock>(), policy);
            state = std::make_shared<ItemizedMapResult<Read>>(table_, std::move(work), options.progress);
        } else {
            plan.add_callable<typename Types::F>(function);
            plan.policy = policy;
            const auto sizes = cut(plan.items, options.chunksize.value(), table_->workers(), most_tasks_);
            auto work = submit(thunk_address<Code, MapFrame>(), thunk_file<Code, MapFrame>(), plan, sizes,
                               [&] { return std::make_shared<ChunkedMapWork>(table_->view(), plan.items); });
            state = std::make_shared<MapResult<Read>>(table_, std::move(work), options.progress);
        }
        return state;
    }

    /// Runs a map over all of `range`, item by item, and returns what came of each.
    template <class Types, class Function, class Range>
    auto map_items(const Function& function, Range&& range, MapOptions& options) const {
        using Element = typename Types::Element;
        using R = typename Types::R;
        std::vector<Outcome<R>> outcomes;
        MapPlan plan;
        plan.add_input<Element>(range);
        if (plan.items == 0) return outcomes;
        const auto sizes = cut(plan.items, options.chunksize.value(), table_->workers(), most_tasks_);
        const auto work = submit_items<Types, is_plain_input<Element, Range>>(
            function, plan, sizes, std::make_shared<AttentionBlock>(), policy_of(options, policy_));
        ScopeExit dropped{[&] { table_->release(work); }};
        wait_for_items(*work, std::move(options.progress));
        outcomes.reserve(static_cast<std::size_t>(work->items()));
        const std::byte* const plain = plain_results(*work);
        work->for_each([&](std::uint64_t item, const ItemOutcome& outcome) {
            try {
                outcomes.push_back(read_item<R>(outcome, plain, item));
            } catch (...) { // a result that cannot be read is the failure of its item
                outcomes.push_back(Outcome<R>(std::current_exception()));
            }
        });
        dropped.release();
        table_->finish_reading(work);
        return outcomes;
    }

    /// Submits a map whose results count item by item, of `plan`, which has its input. Its items
    /// are those from `first_index` on of a larger whole.
    template <class Types, bool PlainInput, class Function>
    std::shared_ptr<ItemizedMapWork>
    submit_items(const Function& function, MapPlan& plan, const std::vector<std::uint64_t>& sizes,
                 std::shared_ptr<AttentionBlock> attention, const TaskPolicy& policy,
                 std::uint64_t first_index = 0) const {
        using R = typename Types::R;
        constexpr bool plain_output = is_plain_in_blocks<R>;
        if constexpr (plain_output) plan.make_room(plan.items * sizeof(R));
        plan.first_index = first_index;
        return announce_items<Types, PlainInput, plain_output>(function, plan, sizes, std::move(attention),
                                                               policy);
    }

private:
    /// The same, of a plan that has room for its output as well.
    template <class Types, bool PlainInput, bool PlainOutput, class Function>
    std::shared_ptr<ItemizedMapWork>
    announce_items(const Function& function, MapPlan& plan, const std::vector<std::uint64_t>& sizes,
                   std::shared_ptr<AttentionBlock> attention, const TaskPolicy& policy) const {
        using Code = ItemCode<typename Types::F, typename Types::Element, typename Types::Called, PlainInput,
                              PlainOutput>;
        plan.add_callable<typename Types::F>(function);
        plan.attention = attention->position();
        plan.policy = policy;
        if (policy.retries != 0) plan.spares = 2 * std::uint64_t{table_->workers()};
        return submit(thunk_address<Code, ItemFrame>(), thunk_file<Code, ItemFrame>(), plan, sizes, [&] {
            return std::make_shared<ItemizedMapWork>(table_->view(), plan.items, std::move(attention), policy);
        });
    }

    void wait_for_items(const ItemizedMapWork& work, Progress progress) const;

    template <class Code, class Function, class... Arguments>
    std::shared_ptr<TaskWork> submit_call(const TaskPolicy& policy, Function&& function,
                                          Arguments&&... arguments) const {
        using Call = CrossingCall<std::decay_t<Function>, Arguments...>;
        ArgumentContext<SpaceWriteContext> context;
        Writer writer{&context};
        Call::write(writer, function, std::forward<Arguments>(arguments)...);
        auto work = submit(thunk_address<Code, TaskFrame>(), thunk_file<Code, TaskFrame>(), writer.view(),
                           context, policy);
        Call::consume(std::forward<Function>(function), std::forward<Arguments>(arguments)...);
        return work;
    }
    std::shared_ptr<TaskWork> submit(const ThunkAddress& code, const std::string& file,
                                     std::span<const std::byte> message,
                                     ArgumentContext<SpaceWriteContext>& context,
                                     const TaskPolicy& policy) const;

    /// The part of a map that does not depend on its types.
    template <class Make>
    auto submit(const ThunkAddress& code, const std::string& file, MapPlan& plan,
                const std::vector<std::uint64_t>& sizes, Make make) const {
        TaskSlot* slot = nullptr;
        auto work = table_->enter(
            [&](TaskSlot& entered) {
                slot = &entered;
                entered.target = table_->target(code, file);
                return make();
            },
            plan.of_stream);
        ScopeExit leave{[&] { table_->leave(*work); }};
        work->policy = plan.policy;
        plan.fill(*work, sizes, table_->lines(), table_->kept_leases()->holder);
        slot->arguments = plan.job();
        table_->announce(*work,
                         static_cast<std::uint32_t>(std::min<std::uint64_t>(table_->workers(), sizes.size())),
                         plan.of_stream);
        leave.release();
        if (is_here_) Worker::serve_here(table_->position());
        return work;
    }

    std::shared_ptr<PoolTable> table_;
    std::uint64_t most_tasks_ = 0;
    TaskPolicy policy_ = {};
    bool is_here_ = false;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/progress/progress_display.hpp>

#include <atomic>
#include <cstring>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void Submitter::wait_for_items(const ItemizedMapWork& work, Progress progress) const {
    const auto never = [] { return false; };
    if (!progress.wanted()) {
        table_->wait_for(work, Deadline{}, never);
        return;
    }
    ProgressDisplay{std::move(progress)}.wait(
        Deadline{}, [&](const Deadline& until) { return table_->wait_for(work, until, never); },
        [&] { return progress_of(work); });
}

MULTIPROCESSING_INLINE std::shared_ptr<TaskWork>
Submitter::submit(const ThunkAddress& code, const std::string& file, std::span<const std::byte> message,
                  ArgumentContext<SpaceWriteContext>& context, const TaskPolicy& policy) const {
    TaskSlot* slot = nullptr;
    auto work = table_->enter([&](TaskSlot& entered) {
        slot = &entered;
        entered.target = table_->target(code, file);
        return std::make_shared<TaskWork>(entered);
    });
    ScopeExit leave{[&] { table_->leave(*work); }};
    slot->attempt.store(1, std::memory_order_relaxed);
    slot->time_limit = static_cast<std::uint64_t>(policy.time_limit.count());
    work->policy = policy;
    slot->arguments = {0, message.size()};
    if (message.size() > TaskSlot::inline_bytes) {
        context.blocks.push_back(copy_to_space(message));
        slot->arguments.block = context.blocks.back().position();
    } else if (!message.empty()) {
        std::memcpy(slot->small_arguments, message.data(), message.size());
    }
    work->arguments = std::move(context.blocks);
    work->given = LeaseArray(std::move(context.objects), 1, table_->kept_leases()->holder);
    slot->leases = work->given.parcel();
    table_->announce(*work, 0);
    leave.release();
    if (is_here_) Worker::serve_here(table_->position());
    return work;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
