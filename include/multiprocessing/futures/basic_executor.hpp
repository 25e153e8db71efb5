#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file basic_executor.hpp  BasicExecutor: what ProcessPoolExecutor and ThreadPoolExecutor have in
/// common.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/call/refused.hpp>
#include <multiprocessing/detail/call/task_check.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/launch_state.hpp>
#include <multiprocessing/detail/pool/zip_range.hpp>
#include <multiprocessing/detail/types/explain.hpp>
#include <multiprocessing/futures/executor_options.hpp>
#include <multiprocessing/futures/future.hpp>
#include <multiprocessing/futures/map_results.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/timeout.hpp>

#include <exception>
#include <initializer_list>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

class ReusableExecutor;

/// What is thrown at a call that comes after shutdown().
MULTIPROCESSING_INLINE std::exception_ptr executor_refusal();

} // namespace multiprocessing::inline v1::detail

namespace multiprocessing::inline v1::futures {

/// Workers that carry out calls, each with a Future: the interface of ProcessPoolExecutor and
/// ThreadPoolExecutor. What is said here of start methods is so for processes.
template <class Kind>
class BasicExecutor {
    using Workers = typename Kind::Workers;
    static constexpr const char* name = Kind::object + sizeof "this"; // "this ProcessPoolExecutor"

public:
    /// As many processes, at most, as there are processors that this process may use; or
    /// min(32, processors + 4) threads.
    BasicExecutor() : BasicExecutor(ExecutorOptions{}) {}
    /// At most `max_workers` of them; 0 is the default.
    explicit BasicExecutor(Count max_workers) : BasicExecutor(ExecutorOptions{.max_workers = max_workers}) {}
    /// Throws `std::invalid_argument` for more than 4096 workers, or for a start method that this
    /// platform does not have.
    explicit BasicExecutor(ExecutorOptions options) {
        workers_ = Kind::workers(Kind::request_of(options));
        detail::finish_at_end(workers_);
    }
    /// Each worker calls `initializer(arguments...)` first. What it throws breaks the executor.
    template <class Initializer, class... Arguments>
    BasicExecutor(Count max_workers, Initializer&& initializer, Arguments&&... arguments)
        : BasicExecutor(ExecutorOptions{.max_workers = max_workers}, std::forward<Initializer>(initializer),
                        std::forward<Arguments>(arguments)...) {}
    template <class Initializer, class... Arguments>
    BasicExecutor(ExecutorOptions options, Initializer&& initializer, Arguments&&... arguments) {
        if constexpr (!Kind::template Initializer<Initializer, Arguments...>::ok) {
            detail::refuse<Kind::template Initializer<Initializer, Arguments...>::refusal()>();
        } else {
            workers_ = Kind::workers(Kind::request_of(options), std::forward<Initializer>(initializer),
                                     std::forward<Arguments>(arguments)...);
            detail::finish_at_end(workers_);
        }
    }

    BasicExecutor(BasicExecutor&&) noexcept = default;
    /// Does what the destructor does, then takes over `other`.
    BasicExecutor& operator=(BasicExecutor&& other) {
        if (this != &other) {
            finish();
            workers_ = std::move(other.workers_);
        }
        return *this;
    }
    ~BasicExecutor() { finish(); }

    /// Submits the call `function(arguments...)` and returns its Future at once. Throws
    /// `std::runtime_error` after shutdown(), and what broke the executor. Python: `submit`.
    template <class Function, class... Arguments>
    auto submit(Function&& function, Arguments&&... arguments) { // overloaded? wrap it in a lambda
        return submit(TaskOptions{}, std::forward<Function>(function), std::forward<Arguments>(arguments)...);
    }
    template <class Function, class... Arguments>
    auto submit(TaskOptions options, Function&& function, Arguments&&... arguments) {
        if constexpr (!Kind::template Task<Function, Arguments...>::ok) {
            detail::refuse<Kind::template Task<Function, Arguments...>::refusal()>();
            return detail::refused_result<detail::RefusedTask<Function>>();
        } else {
            return detail::future_of(Kind::submit_task(accepting(), options, std::forward<Function>(function),
                                                       std::forward<Arguments>(arguments)...));
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
        if constexpr (!Kind::template Map<Function, Range>::ok) {
            detail::refuse<Kind::template Map<Function, Range>::refusal()>();
            return detail::refused_result<detail::RefusedMap<Function>>();
        } else {
            return start<typename Kind::template Map<Function, Range>::Types>(
                std::forward<Function>(function), std::forward<Range>(range), options);
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
    /// waits for the others; returns whether all was done in time. A map with a `.buffersize` that
    /// has begun may be read to its end, unless this waits. Python: `shutdown`.
    bool shutdown(ShutdownOptions options = {}) {
        workers().close();
        if (options.cancel_futures) workers().cancel_waiting();
        return workers().join(options.wait ? detail::Deadline::after(options.timeout)
                                           : detail::Deadline::passed_long_ago());
    }

    /// Returns `<multiprocessing.futures.ProcessPoolExecutor state=running max_workers=4>`, or
    /// shutdown, or broken. Python: `repr(executor)`.
    std::string repr() const {
        const std::string begin = std::string("<multiprocessing.futures.") + name + " state=";
        if (!workers_ || !workers_->origin().is_here()) return begin + "unknown>";
        const char* const state = workers_->is_broken()   ? "broken"
                                  : workers_->is_closed() ? "shutdown"
                                                          : "running";
        return begin + state + " max_workers=" + std::to_string(workers_->size()) + ">";
    }

protected:
    Workers& workers() const {
        if (!workers_)
            throw std::logic_error(std::string("multiprocessing: this ") + name +
                                   " was moved away: use the one that it was moved to");
        workers_->origin().require_here(Kind::object, "make one here");
        return *workers_;
    }

private:
    friend class detail::ReusableExecutor;

    Workers& accepting() const {
        Workers& accepting = workers();
        accepting.require_open();
        return accepting;
    }

    template <class Types, class Function, class Range>
    auto start(Function&& function, Range&& range, MapOptions options) {
        const auto deadline = detail::Deadline::after(std::exchange(options.timeout, {}).value_or(no_timeout));
        detail::StreamProgress progress{std::move(options.progress), detail::size_if_known(range)};
        auto results = Kind::template stream<Types>(workers(), std::forward<Function>(function),
                                                    std::forward<Range>(range), options, true,
                                                    options.buffersize.value() == 0);
        return MapResults<typename Types::R>(std::move(results), deadline, std::move(progress));
    }
    template <class Function, class... Ranges>
    auto map_zipped(Function&& function, const MapOptions& options, Ranges&&... ranges) {
        using Zip = detail::ZipRange<Ranges...>;
        if constexpr (!Kind::template Starmap<Function, Zip>::ok) {
            detail::refuse<Kind::template Starmap<Function, Zip>::refusal()>();
            return detail::refused_result<detail::RefusedMap<Function>>();
        } else {
            return start<typename Kind::template Starmap<Function, Zip>::Types>(
                std::forward<Function>(function), Zip(std::forward<Ranges>(ranges)...), options);
        }
    }

    void finish() noexcept {
        if (!workers_ || !workers_->origin().is_here()) return;
        workers_->finish();
        workers_.reset();
    }

    std::shared_ptr<Workers> workers_; // the end of the program finds it by a weak pointer
};

} // namespace multiprocessing::inline v1::futures

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::exception_ptr executor_refusal() {
    return std::make_exception_ptr(
        std::runtime_error("multiprocessing: this executor was shut down and takes no more calls: submit "
                           "before shutdown(), or make another executor"));
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
