#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file thread_pool_executor.hpp  ThreadPoolExecutor: threads that carry out calls, with a Future
/// for each. Python: `concurrent.futures.ThreadPoolExecutor`.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/call/task_check.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/launch_state.hpp>
#include <multiprocessing/detail/platform/resources.hpp>
#include <multiprocessing/detail/pool/zip_range.hpp>
#include <multiprocessing/detail/thread_pool/work.hpp>
#include <multiprocessing/detail/thread_pool/workers.hpp>
#include <multiprocessing/futures.hpp>
#include <multiprocessing/futures/executor_options.hpp>
#include <multiprocessing/futures/map_results.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::futures {

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
    /// read in this call; with `.buffersize` also while the results are taken. `.timeout` is
    /// counted from this call, and ends no call. Python: `map`.
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

    /// Takes no more calls. Then, as the options say, takes back those that have not begun, and
    /// waits for the others; returns whether all was done in time. Python: `shutdown`.
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

} // namespace multiprocessing::inline v1::futures
