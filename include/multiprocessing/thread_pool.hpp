#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file thread_pool.hpp  ThreadPool and ThreadPoolExecutor: Pool and ProcessPoolExecutor on
/// threads of this process.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/call/task_check.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/resources.hpp>
#include <multiprocessing/detail/thread_pool/work.hpp>
#include <multiprocessing/detail/thread_pool/workers.hpp>
#include <multiprocessing/futures/thread_pool_executor.hpp>
#include <multiprocessing/pool/async_result.hpp>
#include <multiprocessing/pool/imap.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/pool/outcome.hpp>
#include <multiprocessing/timeout.hpp>
#include <multiprocessing/util.hpp>

#include <cstddef>
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

namespace pool {

/// A set of threads that carry out calls: Pool, with its interface, on threads of this process.
///
/// Takes whatever can be invoked, also lambdas with captures and `std::function`; arguments and
/// items are copied or moved, and need not be Serializable. All threads call the same function
/// object. What a task throws is the very object that the caller catches. terminate() gives up what
/// waits, and does not end what runs; nor does the time limit or kill() of a Pool exist here:
/// kill() is cancel(), and options that end or shape a process throw `std::invalid_argument`. A
/// task that waits for another one of the same pool occupies its thread meanwhile.
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
    /// Each thread calls a copy of `initializer(arguments...)` first. An exception of the
    /// initializer breaks the pool: every call and every result throws it from then on.
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
            is_terminated_ = other.is_terminated_;
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
    /// returns false after the timeout. Throws `std::invalid_argument` before either. Called in
    /// such a thread, it does not wait for this one. Python: `join`, which has no timeout.
    bool join(Timeout timeout = no_timeout) {
        if (!workers().crew->is_closed())
            throw std::invalid_argument(
                "multiprocessing: this ThreadPool is still running; close() or terminate() it before join()");
        return workers().join(detail::Deadline::after(timeout));
    }

    /// Returns `<multiprocessing.pool.ThreadPool state=RUN pool_size=4>`, or with CLOSE or
    /// TERMINATE. Python: `repr(pool)`.
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

} // namespace multiprocessing::inline v1
