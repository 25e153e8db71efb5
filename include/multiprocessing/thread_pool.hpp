#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file thread_pool.hpp  ThreadPool and ThreadPoolExecutor: Pool and ProcessPoolExecutor on threads
/// of this process.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/call/task_check.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/launch_state.hpp>
#include <multiprocessing/detail/platform/resources.hpp>
#include <multiprocessing/detail/pool/zip_range.hpp>
#include <multiprocessing/detail/thread_pool/crew.hpp>
#include <multiprocessing/detail/thread_pool/work.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/futures.hpp>
#include <multiprocessing/futures/executor_options.hpp>
#include <multiprocessing/futures/map_results.hpp>
#include <multiprocessing/pool/async_result.hpp>
#include <multiprocessing/pool/imap.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/pool/outcome.hpp>
#include <multiprocessing/timeout.hpp>
#include <multiprocessing/util.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1 {

namespace detail {

/// Throws for options that end or shape a process.
template <class Options>
void refuse_process_options(const Options& options) {
    const auto refuse = [](bool is_given, const char* option) {
        if (is_given)
            throw std::invalid_argument(std::string("multiprocessing: the option .") + option +
                                        " ends or shapes a process, and here threads work: leave the option "
                                        "out, or take a Pool or a ProcessPoolExecutor");
    };
    refuse(options.timeout && options.timeout->span(), "timeout");
    refuse(options.retries && options.retries->value() != 0, "retries");
    refuse(options.memory_limit != 0, "memory_limit");
    if constexpr (requires { options.maxtasksperchild; })
        refuse(options.maxtasksperchild.value() != 0, "maxtasksperchild");
    if constexpr (requires { options.max_tasks_per_child; }) {
        refuse(options.max_tasks_per_child.value() != 0, "max_tasks_per_child");
        refuse(options.break_on_worker_loss, "break_on_worker_loss");
        refuse(options.idle_timeout.span().has_value(), "idle_timeout");
    }
    if constexpr (requires { options.start_method; }) {
        refuse(options.start_method.has_value(), "start_method");
        refuse(options.recycle_memory != 0, "recycle_memory");
        refuse(options.run_inline, "run_inline");
        refuse(options.threads_per_worker.value() != 0, "threads_per_worker");
        refuse(!options.cpu_affinity.empty(), "cpu_affinity");
        refuse(!options.env.empty(), "env");
        refuse(options.worker_env != nullptr, "worker_env");
        refuse(options.cwd.has_value(), "cwd");
        refuse(!options.trace.empty(), "trace");
        refuse(options.capture_output.wanted(), "capture_output");
    }
}

inline ThreadWorkers& usable(const std::shared_ptr<ThreadWorkers>& workers, const char* object) {
    if (!workers)
        throw std::logic_error(std::string("multiprocessing: ") + object +
                               " was moved away: use the one that it was moved to");
    workers->crew->origin().require_here(object, "make one here");
    return *workers;
}

/// A call without parameters, which is copied to each thread.
template <class Function, class... Arguments>
std::function<void()> initializer_of(Function&& function, Arguments&&... arguments) {
    using F = std::decay_t<Function>;
    using Item = TaskItem<Arguments...>;
    return
        [function = F(std::forward<Function>(function)), item = Item(std::forward<Arguments>(arguments)...)] {
            F called = function;
            Item given = item;
            CallInThread<F, Item>::invoke(called, given);
        };
}

} // namespace detail

namespace pool {

/// A set of threads that carry out calls: Pool, with its interface, on threads of this process.
///
/// Takes whatever can be invoked, also lambdas with captures and `std::function`; arguments and
/// items are copied or moved, and need not be Serializable. All threads call the same function
/// object. What a task throws is the very object that the caller catches. terminate() gives up what
/// waits, and does not end what runs; nor does the time limit or kill() of a Pool exist here: kill()
/// is cancel(), and options that end or shape a process throw `std::invalid_argument`. A task that
/// waits for another one of the same pool occupies its thread meanwhile.
///
/// Python: `multiprocessing.pool.ThreadPool`.
class ThreadPool {
public:
    /// Makes one thread for each processor that this process may use.
    ThreadPool() : ThreadPool(PoolOptions{}) {}
    /// Makes `processes` threads; 0 is the default number.
    explicit ThreadPool(Count processes) : ThreadPool(PoolOptions{.processes = processes}) {}
    /// Throws `std::invalid_argument` for more than 4096 threads, or options of processes;
    /// `std::system_error` if a thread cannot be started.
    explicit ThreadPool(const PoolOptions& options) : ThreadPool(std::function<void()>{}, options) {}
    /// Each thread calls a copy of `initializer(arguments...)` first. An exception of the initializer
    /// breaks the pool: every call and every result throws it from then on.
    template <class Initializer, class... Arguments>
        requires detail::CallableInThread<Initializer, detail::TaskItem<Arguments...>>
    ThreadPool(Count processes, Initializer&& initializer, Arguments&&... arguments)
        : ThreadPool(PoolOptions{.processes = processes}, std::forward<Initializer>(initializer),
                     std::forward<Arguments>(arguments)...) {}
    template <class Initializer, class... Arguments>
        requires detail::CallableInThread<Initializer, detail::TaskItem<Arguments...>>
    ThreadPool(const PoolOptions& options, Initializer&& initializer, Arguments&&... arguments)
        : ThreadPool(detail::initializer_of(std::forward<Initializer>(initializer),
                                            std::forward<Arguments>(arguments)...),
                     options) {}

    ThreadPool(ThreadPool&&) noexcept = default;
    /// Does what the destructor does, then takes over `other`.
    ThreadPool& operator=(ThreadPool&& other) {
        if (this != &other) {
            finish();
            workers_ = std::move(other.workers_);
            on_exit_ = other.on_exit_;
        }
        return *this;
    }
    /// Gives up what waits, which is a CancelledError then and a warning in the log, and waits for
    /// what runs; with `.on_exit = OnExit::join` waits for all.
    ~ThreadPool() { finish(); }

    /// Calls `function(arguments...)` in a thread and returns its result; throws what the call
    /// throws. Python: `apply`.
    template <class Function, class... Arguments>
        requires detail::CallableInThread<Function, detail::TaskItem<Arguments...>>
    auto apply(Function&& function, Arguments&&... arguments) {
        return apply_async(std::forward<Function>(function), std::forward<Arguments>(arguments)...).get();
    }
    /// Submits the call `function(arguments...)` and returns its AsyncResult at once. Throws
    /// `std::invalid_argument` after close(). Python: `apply_async`.
    template <class Function, class... Arguments>
        requires detail::CallableInThread<Function, detail::TaskItem<Arguments...>>
    auto apply_async(Function&& function, Arguments&&... arguments) {
        return apply_async(TaskOptions{}, std::forward<Function>(function),
                           std::forward<Arguments>(arguments)...);
    }
    template <class Function, class... Arguments>
        requires detail::CallableInThread<Function, detail::TaskItem<Arguments...>>
    auto apply_async(const TaskOptions& options, Function&& function, Arguments&&... arguments) {
        detail::refuse_process_options(options);
        return detail::async_result(workers().submit_task(options, std::forward<Function>(function),
                                                          std::forward<Arguments>(arguments)...));
    }

    /// Does what Pool::map does; `range` is any input range or a braced list, which this thread
    /// reads completely. `.chunksize` means nothing here, as each thread takes one item after the
    /// other. Python: `map`.
    template <class Function, std::ranges::input_range Range>
        requires detail::CallableInThread<Function, detail::MapItemOf<Range>>
    auto map(Function&& function, Range&& range, const MapOptions& options = {}) {
        return map_async(std::forward<Function>(function), std::forward<Range>(range), options).get();
    }
    template <class Function, class Item = detail::BracedItem<Function>>
    auto map(Function&& function, std::initializer_list<Item> items, const MapOptions& options = {}) {
        return map(std::forward<Function>(function), std::vector<Item>(items), options);
    }
    /// Submits a map and returns its AsyncResult at once. Python: `map_async`.
    template <class Function, std::ranges::input_range Range>
        requires detail::CallableInThread<Function, detail::MapItemOf<Range>>
    auto map_async(Function&& function, Range&& range, const MapOptions& options = {}) {
        return start_map<detail::Gives::all, detail::MapItemOf<Range>>(std::forward<Function>(function),
                                                                       std::forward<Range>(range), options);
    }
    template <class Function, class Item = detail::BracedItem<Function>>
    auto map_async(Function&& function, std::initializer_list<Item> items, const MapOptions& options = {}) {
        return map_async(std::forward<Function>(function), std::vector<Item>(items), options);
    }
    /// Does the same as map(); the items are tuples, pairs or arrays of arguments. Python:
    /// `starmap`.
    template <class Function, std::ranges::input_range Range>
        requires detail::CallableInThread<Function, detail::StarmapItemOf<Range>>
    auto starmap(Function&& function, Range&& range, const MapOptions& options = {}) {
        return starmap_async(std::forward<Function>(function), std::forward<Range>(range), options).get();
    }
    template <class Function>
    auto starmap(Function&& function, std::initializer_list<detail::ParameterTuple<Function>> items,
                 const MapOptions& options = {}) {
        return starmap(std::forward<Function>(function), std::vector(items), options);
    }
    /// Submits a starmap and returns its AsyncResult at once. Python: `starmap_async`.
    template <class Function, std::ranges::input_range Range>
        requires detail::CallableInThread<Function, detail::StarmapItemOf<Range>>
    auto starmap_async(Function&& function, Range&& range, const MapOptions& options = {}) {
        return start_map<detail::Gives::all, detail::StarmapItemOf<Range>>(std::forward<Function>(function),
                                                                           std::forward<Range>(range), options);
    }
    template <class Function>
    auto starmap_async(Function&& function, std::initializer_list<detail::ParameterTuple<Function>> items,
                       const MapOptions& options = {}) {
        return starmap_async(std::forward<Function>(function), std::vector(items), options);
    }
    /// Does what Pool::imap does: returns an iterator over the results in order, each as soon as it
    /// is there, and reads `range` meanwhile. Python: `imap`.
    template <class Function, std::ranges::input_range Range>
        requires detail::CallableInThread<Function, detail::MapItemOf<Range>>
    auto imap(Function&& function, Range&& range, const MapOptions& options = {}) {
        return start_imap(std::forward<Function>(function), std::forward<Range>(range), options, true);
    }
    template <class Function, class Item = detail::BracedItem<Function>>
    auto imap(Function&& function, std::initializer_list<Item> items, const MapOptions& options = {}) {
        return imap(std::forward<Function>(function), std::vector<Item>(items), options);
    }
    /// Does the same as imap(), with the results as they are ready. Python: `imap_unordered`.
    template <class Function, std::ranges::input_range Range>
        requires detail::CallableInThread<Function, detail::MapItemOf<Range>>
    auto imap_unordered(Function&& function, Range&& range, const MapOptions& options = {}) {
        return start_imap(std::forward<Function>(function), std::forward<Range>(range), options, false);
    }
    template <class Function, class Item = detail::BracedItem<Function>>
    auto imap_unordered(Function&& function, std::initializer_list<Item> items,
                        const MapOptions& options = {}) {
        return imap_unordered(std::forward<Function>(function), std::vector<Item>(items), options);
    }
    /// Does the same as map(), and returns for each item an Outcome: a result or an exception.
    template <class Function, std::ranges::input_range Range>
        requires detail::CallableInThread<Function, detail::MapItemOf<Range>>
    auto try_map(Function&& function, Range&& range, const MapOptions& options = {}) {
        return start_map<detail::Gives::each, detail::MapItemOf<Range>>(std::forward<Function>(function),
                                                                        std::forward<Range>(range), options)
            .get();
    }
    template <class Function, class Item = detail::BracedItem<Function>>
    auto try_map(Function&& function, std::initializer_list<Item> items, const MapOptions& options = {}) {
        return try_map(std::forward<Function>(function), std::vector<Item>(items), options);
    }

    /// Closes the pool for more work; its threads end when all work is done. Python: `close`.
    void close() { workers().crew->close(); }
    /// Does the same, and gives up what waits, which is a CancelledError then. Python: `terminate`.
    void terminate() {
        close();
        is_terminated_ = true;
        workers().give_up_waiting();
    }
    /// Waits until the threads have ended and all callbacks have run, after close() or terminate();
    /// returns false after the timeout. Throws `std::invalid_argument` before either. Called in such
    /// a thread, it does not wait for this one. Python: `join`, which has no timeout.
    bool join(Timeout timeout = no_timeout) {
        if (!workers().crew->is_closed())
            throw std::invalid_argument(
                "multiprocessing: this ThreadPool is still running; close() or terminate() it before join()");
        return workers().join(detail::Deadline::after(timeout));
    }

    /// Returns `<multiprocessing.pool.ThreadPool state=RUN pool_size=4>`, or with CLOSE or TERMINATE.
    /// Python: `repr(pool)`.
    std::string repr() const {
        if (!workers_ || !workers_->crew->origin().is_here())
            return "<multiprocessing.pool.ThreadPool state=unknown>";
        const char* const state = is_terminated_ ? "TERMINATE" : workers_->crew->is_closed() ? "CLOSE" : "RUN";
        return std::string("<multiprocessing.pool.ThreadPool state=") + state +
               " pool_size=" + std::to_string(workers_->crew->most()) + ">";
    }

private:
    ThreadPool(std::function<void()> initializer, const PoolOptions& options) : on_exit_(options.on_exit) {
        detail::refuse_process_options(options);
        const auto threads =
            options.processes.value_or(static_cast<std::size_t>(detail::platform::allowed_processors()));
        workers_ = std::make_shared<detail::ThreadWorkers>(threads, "ThreadPool", std::move(initializer), [] {
            throw std::invalid_argument("multiprocessing: this ThreadPool is closed and takes no more work: "
                                        "submit before close(), or make another pool");
        });
        workers_->crew->start_all();
    }
    detail::ThreadWorkers& workers() const { return detail::usable(workers_, "this ThreadPool"); }

    template <detail::Gives gives, class Item, class Function, class Range>
    auto start_map(Function&& function, Range&& range, const MapOptions& options) {
        detail::refuse_process_options(options);
        return detail::async_result(workers().template submit_map<gives, Item>(
            std::forward<Function>(function), std::forward<Range>(range), options));
    }
    template <class Function, class Range>
    auto start_imap(Function&& function, Range&& range, const MapOptions& options, bool ordered) {
        detail::refuse_process_options(options);
        std::optional<std::size_t> total;
        if constexpr (std::ranges::sized_range<Range>)
            total = static_cast<std::size_t>(std::ranges::size(range));
        const std::size_t ahead =
            options.buffersize.value_or(2 * workers().crew->most() * options.chunksize.value_or(1));
        auto results = workers().stream<detail::MapItemOf<Range>>(
            std::forward<Function>(function), std::forward<Range>(range), options, ahead, ordered);
        using R = detail::ReturnedInThread<std::decay_t<Function>, detail::MapItemOf<Range>>;
        return IMapIterator<R>(std::move(results), options.progress, total);
    }

    void finish() noexcept {
        if (!workers_ || !workers_->crew->origin().is_here()) return;
        workers_->crew->close();
        if (on_exit_ == OnExit::terminate && workers_->give_up_waiting())
            get_logger().log(LogLevel::warning,
                             "a ThreadPool ends with work that is not done, which is given up; close() and "
                             "join() it first, or make it with .on_exit = OnExit::join");
        workers_->join(detail::Deadline{});
        workers_.reset();
    }

    std::shared_ptr<detail::ThreadWorkers> workers_;
    OnExit on_exit_ = OnExit::terminate;
    bool is_terminated_ = false;
};

} // namespace pool

namespace futures {

/// Threads that carry out calls, each with a Future: ProcessPoolExecutor, with its interface, on
/// threads of this process; see pool::ThreadPool for what is different there. Threads start when
/// there is work and none that is idle. The destructor waits for all calls, as leaving `with` does;
/// at the normal end of the program those of executors that still live are waited for as well.
///
/// Python: `concurrent.futures.ThreadPoolExecutor`.
class ThreadPoolExecutor {
public:
    /// At most min(32, processors + 4) threads.
    ThreadPoolExecutor() : ThreadPoolExecutor(ExecutorOptions{}) {}
    /// At most `max_workers` threads; 0 is the default number.
    explicit ThreadPoolExecutor(Count max_workers)
        : ThreadPoolExecutor(ExecutorOptions{.max_workers = max_workers}) {}
    /// Throws `std::invalid_argument` for more than 4096 threads, or options of processes.
    explicit ThreadPoolExecutor(const ExecutorOptions& options)
        : ThreadPoolExecutor(std::function<void()>{}, options) {}
    /// Each thread calls a copy of `initializer(arguments...)` first. What it throws breaks the
    /// executor.
    template <class Initializer, class... Arguments>
        requires detail::CallableInThread<Initializer, detail::TaskItem<Arguments...>>
    ThreadPoolExecutor(Count max_workers, Initializer&& initializer, Arguments&&... arguments)
        : ThreadPoolExecutor(ExecutorOptions{.max_workers = max_workers},
                             std::forward<Initializer>(initializer), std::forward<Arguments>(arguments)...) {}
    template <class Initializer, class... Arguments>
        requires detail::CallableInThread<Initializer, detail::TaskItem<Arguments...>>
    ThreadPoolExecutor(const ExecutorOptions& options, Initializer&& initializer, Arguments&&... arguments)
        : ThreadPoolExecutor(detail::initializer_of(std::forward<Initializer>(initializer),
                                                    std::forward<Arguments>(arguments)...),
                             options) {}

    ThreadPoolExecutor(ThreadPoolExecutor&&) noexcept = default;
    /// Does what the destructor does, then takes over `other`.
    ThreadPoolExecutor& operator=(ThreadPoolExecutor&& other) {
        if (this != &other) {
            finish();
            workers_ = std::move(other.workers_);
        }
        return *this;
    }
    ~ThreadPoolExecutor() { finish(); }

    /// Submits the call `function(arguments...)` and returns its Future at once. Throws
    /// `std::runtime_error` after shutdown(), and what broke the executor. Python: `submit`.
    template <class Function, class... Arguments>
        requires detail::CallableInThread<Function, detail::TaskItem<Arguments...>>
    auto submit(Function&& function, Arguments&&... arguments) {
        return submit(TaskOptions{}, std::forward<Function>(function), std::forward<Arguments>(arguments)...);
    }
    template <class Function, class... Arguments>
        requires detail::CallableInThread<Function, detail::TaskItem<Arguments...>>
    auto submit(const TaskOptions& options, Function&& function, Arguments&&... arguments) {
        detail::refuse_process_options(options);
        return detail::future_of(workers().submit_task(options, std::forward<Function>(function),
                                                       std::forward<Arguments>(arguments)...));
    }

    /// Does what ProcessPoolExecutor::map does: calls `function(items...)` with one item of each
    /// range, until the shortest is at its end, and returns the results in order. The ranges are
    /// read in this call; with `.buffersize` also while the results are taken. `.timeout` is counted
    /// from this call, and ends no call. Python: `map`.
    template <class Function, std::ranges::input_range Range>
        requires detail::CallableInThread<Function, detail::MapItemOf<Range>>
    auto map(Function&& function, Range&& range, const MapOptions& options = {}) {
        return start<detail::MapItemOf<Range>>(std::forward<Function>(function), std::forward<Range>(range),
                                               options);
    }
    template <class Function, class Item = detail::BracedItem<Function>>
    auto map(Function&& function, std::initializer_list<Item> items, const MapOptions& options = {}) {
        return map(std::forward<Function>(function), std::vector<Item>(items), options);
    }
    template <class Function, std::ranges::input_range A, std::ranges::input_range B>
    auto map(Function&& function, A&& a, B&& b, const MapOptions& options = {}) {
        return map(std::forward<Function>(function), options, std::forward<A>(a), std::forward<B>(b));
    }
    template <class Function, std::ranges::input_range A, std::ranges::input_range B,
              std::ranges::input_range C>
    auto map(Function&& function, A&& a, B&& b, C&& c, const MapOptions& options = {}) {
        return map(std::forward<Function>(function), options, std::forward<A>(a), std::forward<B>(b),
                   std::forward<C>(c));
    }
    template <class Function, std::ranges::input_range A, std::ranges::input_range B,
              std::ranges::input_range C, std::ranges::input_range D>
    auto map(Function&& function, A&& a, B&& b, C&& c, D&& d, const MapOptions& options = {}) {
        return map(std::forward<Function>(function), options, std::forward<A>(a), std::forward<B>(b),
                   std::forward<C>(c), std::forward<D>(d));
    }
    /// Takes more ranges, behind the options, as braces cannot stand for those there.
    template <class Function, std::ranges::input_range... Ranges>
        requires detail::CallableInThread<Function, detail::StarmapItemOf<detail::ZipRange<Ranges...>>>
    auto map(Function&& function, const MapOptions& options, Ranges&&... ranges) {
        using Zip = detail::ZipRange<Ranges...>;
        return start<detail::StarmapItemOf<Zip>>(std::forward<Function>(function),
                                                 Zip(std::forward<Ranges>(ranges)...), options);
    }

    /// Takes no more calls. Then, as the options say, takes back those that have not begun, and waits
    /// for the others; returns whether all was done in time. Python: `shutdown`.
    bool shutdown(const ShutdownOptions& options = {}) {
        workers().crew->close();
        if (options.cancel_futures) workers().give_up_waiting();
        return workers().join(options.wait ? detail::Deadline::after(options.timeout)
                                           : detail::Deadline::passed_long_ago());
    }

    /// Returns `<multiprocessing.futures.ThreadPoolExecutor state=running max_workers=4>`, or
    /// shutdown, or broken. Python: `repr(executor)`.
    std::string repr() const {
        if (!workers_ || !workers_->crew->origin().is_here())
            return "<multiprocessing.futures.ThreadPoolExecutor state=unknown>";
        const char* const state = workers_->crew->broken()      ? "broken"
                                  : workers_->crew->is_closed() ? "shutdown"
                                                                : "running";
        return std::string("<multiprocessing.futures.ThreadPoolExecutor state=") + state +
               " max_workers=" + std::to_string(workers_->crew->most()) + ">";
    }

private:
    ThreadPoolExecutor(std::function<void()> initializer, const ExecutorOptions& options) {
        static std::atomic<unsigned> executors{0};
        detail::refuse_process_options(options);
        const auto processors = static_cast<std::size_t>(detail::platform::allowed_processors());
        workers_ = std::make_shared<detail::ThreadWorkers>(
            options.max_workers.value_or((std::min)(std::size_t{32}, processors + 4)),
            "ThreadPoolExecutor-" + std::to_string(executors++) + "_", std::move(initializer), [] {
                throw std::runtime_error(
                    "multiprocessing: this executor was shut down and takes no more calls: submit "
                    "before shutdown(), or make another executor");
            });
        detail::finish_at_end(workers_);
    }
    detail::ThreadWorkers& workers() const { return detail::usable(workers_, "this ThreadPoolExecutor"); }

    template <class Item, class Function, class Range>
    auto start(Function&& function, Range&& range, MapOptions options) {
        const auto deadline = detail::Deadline::after(std::exchange(options.timeout, {}).value_or(no_timeout));
        detail::refuse_process_options(options);
        return MapResults<detail::ReturnedInThread<std::decay_t<Function>, Item>>(
            workers().template stream<Item>(std::forward<Function>(function), std::forward<Range>(range),
                                            options, options.buffersize.value(), true),
            deadline);
    }
    void finish() noexcept {
        if (workers_) workers_->finish();
        workers_.reset();
    }

    std::shared_ptr<detail::ThreadWorkers> workers_; // the end of the program finds it by a weak pointer
};

static_assert(Executor<ThreadPoolExecutor>);

} // namespace futures

} // namespace multiprocessing::inline v1
