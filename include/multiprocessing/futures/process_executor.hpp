#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_executor.hpp  ProcessPoolExecutor: worker processes that carry out calls, with
/// a Future for each. Python: `concurrent.futures.ProcessPoolExecutor`.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/call/crossing_call.hpp>
#include <multiprocessing/detail/call/task_check.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/launch_state.hpp>
#include <multiprocessing/detail/pool/imap_over.hpp>
#include <multiprocessing/detail/pool/submission.hpp>
#include <multiprocessing/detail/pool/worker_pool.hpp>
#include <multiprocessing/detail/pool/zip_range.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/futures.hpp>
#include <multiprocessing/futures/executor_options.hpp>
#include <multiprocessing/futures/map_results.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

class ReusableExecutor;

} // namespace multiprocessing::inline v1::detail

namespace multiprocessing::inline v1::futures {

/// Worker processes that carry out calls, each with a Future. Workers start when there is work and
/// none that is idle.
///
/// A call whose worker is lost has BrokenProcessPool as its exception; the others, and the
/// executor, are not concerned, unless `.break_on_worker_loss`. Any thread may submit. The
/// destructor waits for all calls, as leaving `with` does; at the normal end of the program those
/// of executors that still live are waited for as well.
///
/// Python: `concurrent.futures.ProcessPoolExecutor`.
class ProcessPoolExecutor {
public:
    /// As many workers, at most, as there are processors that this process may use.
    ProcessPoolExecutor() : ProcessPoolExecutor(ExecutorOptions{}) {}
    /// At most `max_workers` of them; 0 is the default.
    explicit ProcessPoolExecutor(Count max_workers)
        : ProcessPoolExecutor(ExecutorOptions{.max_workers = max_workers}) {}
    /// Throws `std::invalid_argument` for more than 4096 workers, or for a start method that this
    /// platform does not have.
    explicit ProcessPoolExecutor(ExecutorOptions options) {
        workers_ = std::make_shared<detail::WorkerPool>(request_of(options));
        detail::finish_at_end(workers_);
    }
    /// Each worker calls `initializer(arguments...)` first. What it throws breaks the executor.
    template <class Initializer, class... Arguments>
    ProcessPoolExecutor(Count max_workers, Initializer&& initializer, Arguments&&... arguments)
        : ProcessPoolExecutor(ExecutorOptions{.max_workers = max_workers},
                              std::forward<Initializer>(initializer), std::forward<Arguments>(arguments)...) {}
    template <class Initializer, class... Arguments>
    ProcessPoolExecutor(ExecutorOptions options, Initializer&& initializer, Arguments&&... arguments) {
        if constexpr (!detail::CrossingCall<std::decay_t<Initializer>,
                                            Arguments...>::template ok_as<Initializer>) {
            detail::refuse<detail::call_refusal<std::decay_t<Initializer>, Arguments...>>();
        } else {
            workers_ = std::make_shared<detail::WorkerPool>(request_of(options),
                                                            std::forward<Initializer>(initializer),
                                                            std::forward<Arguments>(arguments)...);
            detail::finish_at_end(workers_);
        }
    }

    ProcessPoolExecutor(ProcessPoolExecutor&&) noexcept = default;
    /// Does what the destructor does, then takes over `other`.
    ProcessPoolExecutor& operator=(ProcessPoolExecutor&& other) {
        if (this != &other) {
            finish();
            workers_ = std::move(other.workers_);
        }
        return *this;
    }
    ~ProcessPoolExecutor() { finish(); }

    /// Submits the call `function(arguments...)` and returns its Future at once. Throws
    /// `std::runtime_error` after shutdown(), and what broke the executor. Python: `submit`.
    template <class Function, class... Arguments>
    auto submit(Function&& function, Arguments&&... arguments) { // overloaded? wrap it in a lambda
        return submit(TaskOptions{}, std::forward<Function>(function), std::forward<Arguments>(arguments)...);
    }
    template <class Function, class... Arguments>
    auto submit(TaskOptions options, Function&& function, Arguments&&... arguments) {
        if constexpr (!detail::is_task<Function, Arguments...>()) {
            detail::refuse<detail::task_refusal<Function, Arguments...>>();
            return detail::refused_result<detail::RefusedTask<Function>>();
        } else {
            return detail::future_of(accepting().submitter().submit_task(
                options, std::forward<Function>(function), std::forward<Arguments>(arguments)...));
        }
    }

    /// Calls `function(items...)` with one item of each of up to four ranges, until the shortest is
    /// at its end, and returns the results in order.
    ///
    /// The ranges are read by this thread: completely in this call; with `.buffersize` in this call
    /// and while the results are taken, at most so many items ahead of them. `.chunksize` items go
    /// to a worker at once (default: one by one with `.buffersize`, else a sixteenth of each
    /// worker's share). `.timeout` is counted from this call: TimeoutError when a result is not
    /// there by then; what waits is taken back, and nothing is ended. Python: `map`.
    template <class Function, std::ranges::input_range Range>
    auto map(Function&& function, Range&& range, MapOptions options = {}) {
        if constexpr (!detail::is_map<Function, Range>()) {
            detail::refuse<detail::map_refusal<Function, Range>>();
            return detail::refused_result<detail::RefusedMap<Function>>();
        } else {
            return start<detail::MapTypes<Function, Range>>(std::forward<Function>(function),
                                                            std::forward<Range>(range), options);
        }
    }
    template <class Function, std::ranges::input_range A, std::ranges::input_range B>
    auto map(Function&& function, A&& a, B&& b, MapOptions options = {}) {
        return map_zipped(std::forward<Function>(function), options, std::forward<A>(a), std::forward<B>(b));
    }
    template <class Function, std::ranges::input_range A, std::ranges::input_range B,
              std::ranges::input_range C>
    auto map(Function&& function, A&& a, B&& b, C&& c, MapOptions options = {}) {
        return map_zipped(std::forward<Function>(function), options, std::forward<A>(a), std::forward<B>(b),
                          std::forward<C>(c));
    }
    template <class Function, std::ranges::input_range A, std::ranges::input_range B,
              std::ranges::input_range C, std::ranges::input_range D>
    auto map(Function&& function, A&& a, B&& b, C&& c, D&& d, MapOptions options = {}) {
        return map_zipped(std::forward<Function>(function), options, std::forward<A>(a), std::forward<B>(b),
                          std::forward<C>(c), std::forward<D>(d));
    }
    /// More of them, with the options, which braces cannot stand for, before the ranges.
    template <class Function, std::ranges::input_range... Ranges>
    auto map(Function&& function, const MapOptions& options, Ranges&&... ranges) {
        return map_zipped(std::forward<Function>(function), options, std::forward<Ranges>(ranges)...);
    }
    template <class Function, class Item = detail::BracedItem<Function>>
    auto map(Function&& function, std::initializer_list<Item> items, MapOptions options = {}) {
        return map(std::forward<Function>(function), std::vector<Item>(items), std::move(options));
    }

    /// Takes no more calls. Then, as the options say, takes back those that have not begun, and
    /// waits for the others; returns whether all was done in time. Python: `shutdown`.
    bool shutdown(ShutdownOptions options = {}) {
        detail::WorkerPool& pool = workers();
        pool.close();
        if (options.cancel_futures) pool.table().cancel_waiting();
        return pool.join(options.wait ? detail::Deadline::after(options.timeout)
                                      : detail::Deadline::passed_long_ago());
    }

    /// Takes no more calls, takes back those that have not begun, and ends the workers; those that
    /// ran have BrokenProcessPool as their exception. Does not wait. Python: `terminate_workers`.
    void terminate_workers() {
        end_workers([](detail::WorkerPool& pool) { pool.terminate(); });
    }
    /// The same, by SIGKILL. Python: `kill_workers`.
    void kill_workers() {
        end_workers([](detail::WorkerPool& pool) { pool.kill(); });
    }

    /// Returns `<multiprocessing.futures.ProcessPoolExecutor state=running max_workers=4>`, or
    /// shutdown, or broken. Python: `repr(executor)`.
    std::string repr() const {
        if (!workers_ || !workers_->origin().is_here())
            return "<multiprocessing.futures.ProcessPoolExecutor state=unknown>";
        const char* const state = workers_->table().broken()      ? "broken"
                                  : workers_->table().is_closed() ? "shutdown"
                                                                  : "running";
        return std::string("<multiprocessing.futures.ProcessPoolExecutor state=") + state +
               " max_workers=" + std::to_string(workers_->table().workers()) + ">";
    }

private:
    friend class detail::ReusableExecutor;

    static detail::WorkerPoolRequest request_of(ExecutorOptions& options) {
        detail::validate_shared(options);
        detail::SupervisorPolicy policy;
        policy.on_demand = true;
        policy.idle_timeout = options.idle_timeout;
        policy.breaks_with_worker = options.break_on_worker_loss;
        policy.terminated = [] {
            return std::make_exception_ptr(
                BrokenProcessPool("multiprocessing: the workers of the executor were ended while a call ran"));
        };
        policy.loss = [](std::exception_ptr error) {
            try {
                std::rethrow_exception(error);
            } catch (const WorkerLostError& loss) {
                return std::make_exception_ptr(BrokenProcessPool(loss));
            } catch (...) { return error; }
        };
        return {options.max_workers.value(),
                options.max_tasks_per_child.value(),
                options.start_method,
                std::move(options.env),
                std::move(options.worker_env),
                std::move(options.cwd),
                policy,
                [] {
                    return std::make_exception_ptr(std::runtime_error(
                        "multiprocessing: this executor was shut down and takes no more calls: submit "
                        "before shutdown(), or make another executor"));
                }};
    }

    detail::WorkerPool& workers() const {
        if (!workers_)
            throw std::logic_error(
                "multiprocessing: this ProcessPoolExecutor was moved away: use the one that it was moved to");
        workers_->origin().require_here("this ProcessPoolExecutor", "make one here");
        return *workers_;
    }
    detail::WorkerPool& accepting() const {
        detail::WorkerPool& pool = workers();
        pool.table().require_open();
        return pool;
    }

    template <class Types, class Function, class Range>
    auto start(Function&& function, Range&& range, const MapOptions& given) {
        MapOptions options = given;
        const auto deadline = detail::Deadline::after(std::exchange(options.timeout, {}).value_or(no_timeout));
        detail::validate(options);
        detail::WorkerPool& pool = accepting();
        detail::ImapPlan plan{true, options.chunksize.value(), options.buffersize.value(),
                              options.buffersize.value() == 0};
        if (plan.reads_all && plan.chunksize == 0) {
            plan.chunksize = 1;
            if constexpr (std::ranges::sized_range<Range>)
                plan.chunksize = (std::max<std::uint64_t>)(1, std::ranges::size(range) /
                                                                  (16 * std::uint64_t{pool.table().workers()}));
        }
        auto state = std::make_unique<detail::ImapOver<Types, Range>>(
            pool.submitter(), plan, typename Types::F(std::forward<Function>(function)),
            std::forward<Range>(range));
        state->fill();
        return MapResults<typename Types::R>(std::move(state), deadline);
    }
    template <class Function, class... Ranges>
    auto map_zipped(Function&& function, const MapOptions& options, Ranges&&... ranges) {
        using Zip = detail::ZipRange<Ranges...>;
        if constexpr (!detail::is_starmap<Function, Zip>()) {
            detail::refuse<detail::starmap_refusal<Function, Zip>>();
            return detail::refused_result<detail::RefusedMap<Function>>();
        } else {
            return start<detail::StarmapTypes<Function, Zip>>(std::forward<Function>(function),
                                                              Zip(std::forward<Ranges>(ranges)...), options);
        }
    }

    template <class End>
    void end_workers(End end) {
        detail::WorkerPool& pool = workers();
        pool.close();
        pool.table().cancel_waiting();
        end(pool);
    }

    void finish() noexcept {
        if (!workers_ || !workers_->origin().is_here()) return;
        workers_->finish();
        workers_.reset();
    }

    std::shared_ptr<detail::WorkerPool> workers_; // the end of the program finds it by a weak pointer
};

static_assert(Executor<ProcessPoolExecutor>);

} // namespace multiprocessing::inline v1::futures
