#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file pool.hpp  Pool: worker processes that apply functions to items.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/call/task_check.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/pool/map_input.hpp>
#include <multiprocessing/detail/pool/map_shapes.hpp>
#include <multiprocessing/detail/pool/result.hpp>
#include <multiprocessing/detail/pool/supervisor.hpp>
#include <multiprocessing/detail/pool/task_run.hpp>
#include <multiprocessing/pool/async_result.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/progress.hpp>
#include <multiprocessing/remote_exceptions.hpp> // for register_exception
#include <multiprocessing/start_method.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <memory>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1 {

/// A set of worker processes that carry out calls.
///
/// A worker that dies is replaced. Only the call, or the item, that it was working on is lost, and
/// throws WorkerLostError. Any thread may submit work and wait for results; one thread makes,
/// closes and destroys the pool. A task must not touch descriptors or memory that it was not given:
/// a pool is no sandbox.
///
/// Python: `multiprocessing.Pool`.
class Pool : detail::MapShapes {
    using MapShapes = detail::MapShapes; // calls that cannot be, each with its own error

public:
    using MapShapes::map;
    using MapShapes::map_async;
    using MapShapes::starmap;
    using MapShapes::starmap_async;

    /// Makes one worker for each processor that this process may use.
    Pool() : Pool(PoolOptions{}) {}
    /// Makes `processes` workers; 0 is the default number.
    explicit Pool(Count processes) : Pool(PoolOptions{.processes = processes}) {}
    /// Throws `std::invalid_argument` for more than 4096 workers, or for a start method that this
    /// platform does not have, and what `Process::start` throws if a worker cannot be started. No
    /// worker is left then.
    explicit Pool(PoolOptions options) { make<detail::WorkerCode<>>(options, {}, {}, {}); }

    /// Each worker calls `initializer(arguments...)` first. An exception of the initializer breaks
    /// the pool: every call and every result throws it from then on.
    template <class Initializer, class... Arguments>
    Pool(Count processes, Initializer&& initializer,
         Arguments&&... arguments) { // overloaded? wrap it in a lambda
        if constexpr (!detail::CrossingCall<std::decay_t<Initializer>,
                                            Arguments...>::template ok_as<Initializer>) {
            detail::refuse<detail::call_refusal<std::decay_t<Initializer>, Arguments...>>();
        } else {
            make_with(PoolOptions{.processes = processes}, std::forward<Initializer>(initializer),
                      std::forward<Arguments>(arguments)...);
        }
    }
    template <class Initializer, class... Arguments>
    Pool(PoolOptions options, Initializer&& initializer,
         Arguments&&... arguments) { // overloaded? wrap it in a lambda
        if constexpr (!detail::CrossingCall<std::decay_t<Initializer>,
                                            Arguments...>::template ok_as<Initializer>) {
            detail::refuse<detail::call_refusal<std::decay_t<Initializer>, Arguments...>>();
        } else {
            make_with(options, std::forward<Initializer>(initializer), std::forward<Arguments>(arguments)...);
        }
    }
    explicit Pool(detail::PythonPool) = delete; // in C++: Pool p(4, initializer, arguments...)

    Pool(Pool&&) noexcept = default;
    /// Does what the destructor does, then takes over `other`.
    Pool& operator=(Pool&& other) {
        if (this != &other) {
            finish();
            state_ = std::move(other.state_);
        }
        return *this;
    }

    /// Terminates the workers, and logs a warning if work was not finished; with
    /// `.on_exit = OnExit::join` finishes the work first.
    ~Pool() { finish(); }

    /// Calls `function(arguments...)` in a worker and returns its result. Throws what the call
    /// throws. Python: `Pool.apply`.
    template <class Function, class... Arguments>
    auto apply(Function&& function, Arguments&&... arguments) { // overloaded? wrap it in a lambda
        if constexpr (!detail::is_task<Function, Arguments...>()) {
            detail::refuse<detail::task_refusal<Function, Arguments...>>();
            return detail::refused_result<detail::RefusedTask<Function>>();
        } else {
            return apply_async(std::forward<Function>(function), std::forward<Arguments>(arguments)...).give();
        }
    }

    /// Submits the call `function(arguments...)` and returns at once. Throws
    /// `std::invalid_argument` after close(). Python: `Pool.apply_async`.
    template <class Function, class... Arguments>
    auto apply_async(Function&& function, Arguments&&... arguments) { // overloaded? wrap it in a lambda
        if constexpr (!detail::is_task<Function, Arguments...>()) {
            detail::refuse<detail::task_refusal<Function, Arguments...>>();
            return detail::refused_result<detail::RefusedAsyncTask<Function>>();
        } else {
            using F = std::decay_t<Function>;
            using Call = detail::CrossingCall<F, Arguments...>;
            using R = std::decay_t<typename Call::Returned>;
            detail::ArgumentContext<detail::SpaceWriteContext> context;
            detail::Writer writer{&context};
            Call::write(writer, function, std::forward<Arguments>(arguments)...);
            using Code = detail::TaskCode<F, Arguments...>;
            auto work = submit(detail::thunk_address<Code, detail::TaskFrame>(),
                               detail::thunk_file<Code, detail::TaskFrame>(), writer, context);
            Call::consume(std::forward<Function>(function), std::forward<Arguments>(arguments)...);
            return AsyncResult<R>(std::make_shared<detail::TaskResult<R>>(state().core, std::move(work)));
        }
    }

    /// Calls `function(item)` for every item of `range` in the workers, and returns the results in
    /// the order of the items; nothing for a void function.
    ///
    /// `range` is any input range or a braced list. This thread reads it completely before the call
    /// returns. Contiguous plain elements are copied once into warm shared memory, and plain
    /// results once out of it. The elements of a shared_vector are read in place. All other values
    /// are serialized, as by dumps() and loads().
    ///
    /// Waits until all items are finished, then throws the error of the first item that has one;
    /// the other items are not affected. Python: `Pool.map`.
    template <class Function, std::ranges::input_range Range>
    auto map(Function&& function, Range&& range, MapOptions options = {}) {
        if constexpr (!detail::is_map<Function, Range>()) {
            detail::refuse<detail::map_refusal<Function, Range>>();
            return detail::refused_result<detail::RefusedMap<Function>>();
        } else {
            return map_async(std::forward<Function>(function), std::forward<Range>(range), std::move(options))
                .give();
        }
    }
    template <class Function, class Item = detail::BracedItem<Function>>
    auto map(Function&& function, std::initializer_list<Item> items, MapOptions options = {}) {
        using Items = std::span<const Item>;
        if constexpr (!detail::is_map<Function, Items>()) {
            detail::refuse<detail::map_refusal<Function, Items>>();
            return detail::refused_result<detail::RefusedMap<Function>>();
        } else {
            return map(std::forward<Function>(function), std::span(items.begin(), items.size()),
                       std::move(options));
        }
    }

    /// Submits a map and returns at once. The elements of a shared_vector are read until the result
    /// is ready. Python: `Pool.map_async`.
    template <class Function, std::ranges::input_range Range>
    auto map_async(Function&& function, Range&& range, MapOptions options = {}) {
        if constexpr (!detail::is_map<Function, Range>()) {
            detail::refuse<detail::map_refusal<Function, Range>>();
            return detail::refused_result<detail::RefusedAsync<detail::RefusedMap<Function>>>();
        } else {
            using F = std::decay_t<Function>;
            using Given = std::ranges::range_reference_t<Range>;
            using Element = detail::ElementType<F, Given>;
            auto result = start_map<F, Element, detail::MapCall<F, Element>>(function, range, options);
            detail::give_away<Range>(std::forward<Range>(range));
            return result;
        }
    }
    template <class Function, class Item = detail::BracedItem<Function>>
    auto map_async(Function&& function, std::initializer_list<Item> items, MapOptions options = {}) {
        using Items = std::span<const Item>;
        if constexpr (!detail::is_map<Function, Items>()) {
            detail::refuse<detail::map_refusal<Function, Items>>();
            return detail::refused_result<detail::RefusedAsync<detail::RefusedMap<Function>>>();
        } else {
            return map_async(std::forward<Function>(function), std::span(items.begin(), items.size()),
                             std::move(options));
        }
    }

    /// Does the same as map(), but the workers write the results into `results`, a shared_vector of
    /// the function's results, which is resized to the number of items first. `results` may be
    /// `range` itself. Throws as map() does; the elements of items that failed or were lost are
    /// unchanged then. Python: the parameter `out` of numpy's functions.
    template <class Function, std::ranges::input_range Range, detail::InPlace Results>
    void map_into(Function&& function, Range&& range, Results& results, MapOptions options = {}) {
        if constexpr (!detail::is_map<Function, Range>()) {
            detail::refuse<detail::map_refusal<Function, Range>>();
        } else {
            using F = std::decay_t<Function>;
            using Element = detail::ElementType<F, std::ranges::range_reference_t<Range>>;
            using Called = detail::MapCall<F, Element>;
            constexpr bool fits =
                std::is_same_v<std::decay_t<typename Called::Returned>, typename Results::value_type>;
            static_assert(fits,
                          "map_into writes what the function returns: the results must be a shared_vector of "
                          "that very type");
            if constexpr (fits) {
                auto result = start_map<F, Element, Called>(function, range, options, &results);
                detail::give_away<Range>(std::forward<Range>(range));
                result.give();
            }
        }
    }

    /// Does the same as map(), for a function of several parameters: the items are tuples, pairs or
    /// arrays of its arguments. Python: `Pool.starmap`.
    template <class Function, std::ranges::input_range Range>
    auto starmap(Function&& function, Range&& range, MapOptions options = {}) {
        if constexpr (!detail::is_starmap<Function, Range>()) {
            detail::refuse<detail::starmap_refusal<Function, Range>>();
            return detail::refused_result<detail::RefusedMap<Function>>();
        } else {
            return starmap_async(std::forward<Function>(function), std::forward<Range>(range),
                                 std::move(options))
                .give();
        }
    }
    /// `pool.starmap(f, {{2, 3}, {4, 5}})`, for a function whose parameter types are known.
    template <class Function>
    auto starmap(Function&& function, std::initializer_list<detail::ParameterTuple<Function>> items,
                 MapOptions options = {}) {
        using Items = std::span<const detail::ParameterTuple<Function>>;
        if constexpr (!detail::is_starmap<Function, Items>()) {
            detail::refuse<detail::starmap_refusal<Function, Items>>();
            return detail::refused_result<detail::RefusedMap<Function>>();
        } else {
            return starmap(std::forward<Function>(function), std::span(items.begin(), items.size()),
                           std::move(options));
        }
    }

    /// Submits a starmap and returns at once. Python: `Pool.starmap_async`.
    template <class Function, std::ranges::input_range Range>
    auto starmap_async(Function&& function, Range&& range, MapOptions options = {}) {
        if constexpr (!detail::is_starmap<Function, Range>()) {
            detail::refuse<detail::starmap_refusal<Function, Range>>();
            return detail::refused_result<detail::RefusedAsync<detail::RefusedMap<Function>>>();
        } else {
            using F = std::decay_t<Function>;
            using Element = detail::ArgumentsType<F, std::ranges::range_reference_t<Range>>;
            auto result = start_map<F, Element, detail::MapCall<F, Element*>>(function, range, options);
            detail::give_away<Range>(std::forward<Range>(range));
            return result;
        }
    }
    template <class Function>
    auto starmap_async(Function&& function, std::initializer_list<detail::ParameterTuple<Function>> items,
                       MapOptions options = {}) {
        using Items = std::span<const detail::ParameterTuple<Function>>;
        if constexpr (!detail::is_starmap<Function, Items>()) {
            detail::refuse<detail::starmap_refusal<Function, Items>>();
            return detail::refused_result<detail::RefusedAsync<detail::RefusedMap<Function>>>();
        } else {
            return starmap_async(std::forward<Function>(function), std::span(items.begin(), items.size()),
                                 std::move(options));
        }
    }

    /// Closes the pool for more work; the workers exit when all work is done. Python: `Pool.close`.
    void close() {
        state().core->close();
        state().core->bell().ring();
    }

    /// Ends the workers at once. Every call that waits for a result throws CancelledError. Python:
    /// `Pool.terminate`.
    void terminate() {
        state().core->close();
        state().supervisor->terminate();
    }

    /// Waits until the workers have ended, after close() or terminate(). Throws
    /// `std::invalid_argument` before. Python: `Pool.join`.
    void join() {
        if (!state().core->is_closed()) {
            throw std::invalid_argument(
                "multiprocessing: this pool is still running; close() or terminate() it before join()");
        }
        state().supervisor->join();
    }

    /// Returns `<multiprocessing.pool.Pool state=RUN pool_size=4>`, or with CLOSE or TERMINATE.
    /// Python: `repr(pool)`.
    std::string repr() const {
        if (!state_ || !state_->origin.is_here()) return "<multiprocessing.pool.Pool state=unknown>";
        const char* const state = state_->supervisor->is_terminated() ? "TERMINATE"
                                  : state_->core->is_closed()         ? "CLOSE"
                                                                      : "RUN";
        return std::string("<multiprocessing.pool.Pool state=") + state +
               " pool_size=" + std::to_string(state_->core->workers()) + ">";
    }

private:
    struct State {
        std::shared_ptr<detail::PoolTable> core;
        std::unique_ptr<detail::Supervisor> supervisor;
        OnExit on_exit;
        std::uint64_t most_tasks;
        detail::ForkOrigin origin = {};
    };

    template <class Initializer, class... Arguments>
    void make_with(const PoolOptions& options, Initializer&& initializer, Arguments&&... arguments) {
        using F = std::decay_t<Initializer>;
        using Call = detail::CrossingCall<F, Arguments...>;
        detail::ChildArgumentContext giving;
        detail::Writer writer{&giving};
        Call::write(writer, initializer, std::forward<Arguments>(arguments)...);
        make<detail::WorkerCode<F, Arguments...>>(options, writer.take(), std::move(giving.objects),
                                                  std::move(giving.handles));
        Call::consume(std::forward<Initializer>(initializer), std::forward<Arguments>(arguments)...);
    }

    template <class Code>
    void make(const PoolOptions& options, std::vector<std::byte> payload,
              std::vector<std::shared_ptr<detail::SharedObject>> given,
              std::vector<detail::platform::Handle> handles) {
        constexpr std::size_t most = 4096;
        const std::size_t workers = options.processes.value_or(static_cast<std::size_t>(process_cpu_count()));
        if (workers > most) {
            throw std::invalid_argument("multiprocessing: a pool of " + std::to_string(workers) +
                                        " processes is too large: at most " + std::to_string(most) +
                                        " are possible");
        }
        detail::LaunchRequest plan;
        plan.method = options.start_method ? *options.start_method : get_start_method();
        detail::require_available(plan.method);
        plan.identity.daemon = true;
        plan.target = detail::thunk_address<Code, detail::TargetFrame>();
        plan.target_file = detail::thunk_file<Code, detail::TargetFrame>();
        plan.payload = std::move(payload);
        plan.given = std::move(given);
        if (!handles.empty())
            plan.handles = std::make_shared<const std::vector<detail::platform::Handle>>(std::move(handles));
        plan.serves = true;
        plan.supervised = true;
        auto core = std::make_shared<detail::PoolTable>(static_cast<std::uint32_t>(workers));
        auto supervisor =
            std::make_unique<detail::Supervisor>(core, std::move(plan), options.maxtasksperchild.value());
        state_.reset(new State{std::move(core), std::move(supervisor), options.on_exit,
                               options.maxtasksperchild.value()});
    }

    State& state() const {
        if (!state_)
            throw std::logic_error(
                "multiprocessing: this Pool was moved away: use the one that it was moved to");
        state_->origin.require_here("this Pool", "make one here");
        return *state_;
    }

    std::shared_ptr<detail::TaskWork> submit(const detail::ThunkAddress& code, const std::string& file,
                                             detail::Writer& writer,
                                             detail::ArgumentContext<detail::SpaceWriteContext>& context);

    /// The part of a map that does not depend on its types.
    std::shared_ptr<detail::MapWork> submit(const detail::ThunkAddress& code, const std::string& file,
                                            detail::MapPlan& plan, const MapOptions& options);

    /// `results` is null, or the shared_vector that the results are written to.
    template <class F, class Element, class Called, class Function, class Range, class Results = std::nullptr_t>
    auto start_map(const Function& function, Range&& range, const MapOptions& options, Results results = {}) {
        constexpr bool into = !std::is_null_pointer_v<Results>;
        using R = std::decay_t<typename Called::Returned>;
        using Read = std::conditional_t<into, void, R>; // what of each item comes by the result
        using Result = detail::MapValue<Read>;
        // In place, they lie as they are whatever they are.
        constexpr bool plain_input = std::is_same_v<Element, std::ranges::range_value_t<Range>> &&
                                     (detail::InPlace<Range> ||
                                      (std::ranges::contiguous_range<Range> &&
                                       std::ranges::sized_range<Range> && detail::is_plain_in_blocks<Element>));
        constexpr bool plain_output = into || detail::is_plain_in_blocks<R>;
        using Code = detail::MapCode<F, Element, Called, plain_input, plain_output>;
        state();
        detail::MapPlan plan;
        if constexpr (plain_input && detail::InPlace<Range>) {
            plan.take_in_place(range);
        } else if constexpr (plain_input) {
            plan.take_plain(std::span<const Element>(std::ranges::data(range), std::ranges::size(range)));
        } else {
            plan.take_archive<Element>(range);
        }
        if constexpr (into) {
            plan.make_room_in(*results);
        } else if constexpr (plain_output) {
            plan.make_room(plan.items * sizeof(R));
        }
        plan.take_callable<F>(function);
        if (plan.items == 0) {
            return AsyncResult<Result>(
                std::make_shared<detail::ResultState<Result>>(typename detail::ResultState<Result>::Value{}));
        }
        auto work = submit(detail::thunk_address<Code, detail::MapFrame>(),
                           detail::thunk_file<Code, detail::MapFrame>(), plan, options);
        return AsyncResult<Result>(
            std::make_shared<detail::MapResult<Read>>(state().core, std::move(work), options.progress));
    }

    void finish() noexcept {
        if (!state_ || !state_->origin.is_here()) return;
        try {
            if (state_->on_exit == OnExit::join) {
                close();
                join();
            } else if (state_->core->has_unfinished()) {
                get_logger().log(LogLevel::warning,
                                 "a Pool ends with work that is not done, which is given up; close() and "
                                 "join() it first, or make it with .on_exit = OnExit::join");
            }
        } catch (const std::exception& error) { get_logger().log(LogLevel::error, error.what()); }
        state_.reset(); // the supervisor's destructor ends what still runs
    }

    std::unique_ptr<State> state_;
};

inline std::shared_ptr<detail::TaskWork>
Pool::submit(const detail::ThunkAddress& code, const std::string& file, detail::Writer& writer,
             detail::ArgumentContext<detail::SpaceWriteContext>& context) {
    detail::PoolTable& core = *state().core;
    const detail::TaskTarget target = core.target(code, file);
    detail::TaskSlot* slot = nullptr;
    auto work = core.enter([&](detail::TaskSlot& entered) {
        slot = &entered;
        return std::make_shared<detail::TaskWork>(entered);
    });
    detail::ScopeExit leave{[&] { core.leave(*work); }};
    const auto message = writer.view();
    slot->target = target;
    slot->arguments = {0, message.size()};
    if (message.size() > detail::TaskSlot::inline_bytes) {
        context.blocks.push_back(detail::copy_to_space(message));
        slot->arguments.block = context.blocks.back().position();
    } else if (!message.empty()) {
        std::memcpy(slot->small_arguments, message.data(), message.size());
    }
    work->arguments = std::move(context.blocks);
    work->given = detail::LeaseArray(std::move(context.objects), 1, core.kept_leases()->holder);
    slot->leases = work->given.parcel();
    core.announce(*work, 0);
    leave.release();
    return work;
}

inline std::shared_ptr<detail::MapWork> Pool::submit(const detail::ThunkAddress& code, const std::string& file,
                                                     detail::MapPlan& plan, const MapOptions& options) {
    detail::PoolTable& core = *state().core;
    const detail::TaskTarget target = core.target(code, file);
    const auto sizes = detail::cut(plan.items, options.chunksize.value(), core.workers(), state().most_tasks);
    detail::TaskSlot* slot = nullptr;
    auto work = core.enter([&](detail::TaskSlot& entered) {
        slot = &entered;
        return std::make_shared<detail::MapWork>(core.view(), plan.items);
    });
    detail::ScopeExit leave{[&] { core.leave(*work); }};
    plan.fill(*work, sizes, core.workers(), core.kept_leases()->holder);
    slot->target = target;
    slot->arguments = plan.job();
    core.announce(*work, static_cast<std::uint32_t>(std::min<std::uint64_t>(core.workers(), sizes.size())));
    leave.release();
    return work;
}

} // namespace multiprocessing::inline v1
