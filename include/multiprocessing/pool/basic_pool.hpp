#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file basic_pool.hpp  BasicPool: what Pool and ThreadPool have in common.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/call/refused.hpp>
#include <multiprocessing/detail/call/task_check.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/map_shapes.hpp>
#include <multiprocessing/detail/types/explain.hpp>
#include <multiprocessing/pool/async_result.hpp>
#include <multiprocessing/pool/imap.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/timeout.hpp>
#include <multiprocessing/util.hpp>

#include <cstddef>
#include <exception>
#include <initializer_list>
#include <memory>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::pool {

/// A set of workers that carry out calls: the interface of Pool, whose workers are processes, and
/// of ThreadPool. What is said here of processes is so in a Pool.
template <class Kind>
class BasicPool : detail::MapShapes {
    using MapShapes = detail::MapShapes; // calls that cannot be, each with its own error
    using Workers = typename Kind::Workers;
    static constexpr const char* name = Kind::object + sizeof "this"; // "this Pool"

public:
    using MapShapes::map;
    using MapShapes::map_async;
    using MapShapes::starmap;
    using MapShapes::starmap_async;

    /// Makes one worker for each processor that this process may use.
    BasicPool() : BasicPool(PoolOptions{}) {}
    /// Makes `processes` workers; 0 is the default number.
    explicit BasicPool(Count processes) : BasicPool(PoolOptions{.processes = processes}) {}
    /// Throws `std::invalid_argument` for more than 4096 workers, or for a start method that this
    /// platform does not have, and what `Process::start` throws if a worker cannot be started. No
    /// worker is left then.
    explicit BasicPool(PoolOptions options)
        : workers_(Kind::workers(Kind::request_of(options))), on_exit_(options.on_exit) {}

    /// Each worker calls `initializer(arguments...)` first. An exception of the initializer breaks
    /// the pool: every call and every result throws it from then on.
    template <class Initializer, class... Arguments>
    BasicPool(Count processes, Initializer&& initializer,
              Arguments&&... arguments) // overloaded? wrap it in a lambda
        : BasicPool(PoolOptions{.processes = processes}, std::forward<Initializer>(initializer),
                    std::forward<Arguments>(arguments)...) {}
    template <class Initializer, class... Arguments>
    BasicPool(PoolOptions options, Initializer&& initializer,
              Arguments&&... arguments) { // overloaded? wrap it in a lambda
        if constexpr (!Kind::template Initializer<Initializer, Arguments...>::ok) {
            detail::refuse<Kind::template Initializer<Initializer, Arguments...>::refusal()>();
        } else {
            workers_ = Kind::workers(Kind::request_of(options), std::forward<Initializer>(initializer),
                                     std::forward<Arguments>(arguments)...);
            on_exit_ = options.on_exit;
        }
    }
    explicit BasicPool(detail::PythonPool) = delete; // in C++: Pool p(4, initializer, arguments...)

    BasicPool(BasicPool&&) noexcept = default;
    /// Does what the destructor does, then takes over `other`.
    BasicPool& operator=(BasicPool&& other) {
        if (this != &other) {
            finish();
            workers_ = std::move(other.workers_);
            on_exit_ = other.on_exit_;
        }
        return *this;
    }

    /// Terminates the workers, and logs a warning if work was not finished; with
    /// `.on_exit = OnExit::join` finishes the work first.
    ~BasicPool() { finish(); }

    /// Calls `function(arguments...)` in a worker and returns its result. Throws what the call
    /// throws. Python: `Pool.apply`.
    template <class Function, class... Arguments>
    auto apply(Function&& function, Arguments&&... arguments) { // overloaded? wrap it in a lambda
        if constexpr (!Kind::template Task<Function, Arguments...>::ok) {
            detail::refuse<Kind::template Task<Function, Arguments...>::refusal()>();
            return detail::refused_result<detail::RefusedTask<Function>>();
        } else {
            return apply_async(std::forward<Function>(function), std::forward<Arguments>(arguments)...).get();
        }
    }

    /// Submits the call `function(arguments...)` and returns at once. Throws
    /// `std::invalid_argument` after close(). Python: `Pool.apply_async`.
    template <class Function, class... Arguments>
    auto apply_async(Function&& function, Arguments&&... arguments) { // overloaded? wrap it in a lambda
        if constexpr (!Kind::template Task<Function, Arguments...>::ok) {
            detail::refuse<Kind::template Task<Function, Arguments...>::refusal()>();
            return detail::refused_result<detail::RefusedAsyncTask<Function>>();
        } else {
            return detail::async_result(Kind::submit_task(workers(), {}, std::forward<Function>(function),
                                                          std::forward<Arguments>(arguments)...));
        }
    }

    template <class Function, class... Arguments>
    auto apply_async(TaskOptions options, Function&& function, Arguments&&... arguments) {
        if constexpr (!Kind::template Task<Function, Arguments...>::ok) {
            detail::refuse<Kind::template Task<Function, Arguments...>::refusal()>();
            return detail::refused_result<detail::RefusedAsyncTask<Function>>();
        } else {
            return detail::async_result(Kind::submit_task(workers(), options, std::forward<Function>(function),
                                                          std::forward<Arguments>(arguments)...));
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
        if constexpr (!Kind::template Map<Function, Range>::ok) {
            detail::refuse<Kind::template Map<Function, Range>::refusal()>();
            return detail::refused_result<detail::RefusedMap<Function>>();
        } else {
            return map_async(std::forward<Function>(function), std::forward<Range>(range), std::move(options))
                .get();
        }
    }
    template <class Function, class Item = detail::BracedItem<Function>>
    auto map(Function&& function, std::initializer_list<Item> items, MapOptions options = {}) {
        using Items = std::span<const Item>;
        if constexpr (!Kind::template Map<Function, Items>::ok) {
            detail::refuse<Kind::template Map<Function, Items>::refusal()>();
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
        if constexpr (!Kind::template Map<Function, Range>::ok) {
            detail::refuse<Kind::template Map<Function, Range>::refusal()>();
            return detail::refused_result<detail::RefusedAsync<detail::RefusedMap<Function>>>();
        } else {
            return start_map<typename Kind::template Map<Function, Range>::Types>(
                std::forward<Function>(function), std::forward<Range>(range), options);
        }
    }
    template <class Function, class Item = detail::BracedItem<Function>>
    auto map_async(Function&& function, std::initializer_list<Item> items, MapOptions options = {}) {
        using Items = std::span<const Item>;
        if constexpr (!Kind::template Map<Function, Items>::ok) {
            detail::refuse<Kind::template Map<Function, Items>::refusal()>();
            return detail::refused_result<detail::RefusedAsync<detail::RefusedMap<Function>>>();
        } else {
            return map_async(std::forward<Function>(function), std::span(items.begin(), items.size()),
                             std::move(options));
        }
    }

    /// Does the same as map(), for a function of several parameters: the items are tuples, pairs or
    /// arrays of its arguments. Python: `Pool.starmap`.
    template <class Function, std::ranges::input_range Range>
    auto starmap(Function&& function, Range&& range, MapOptions options = {}) {
        if constexpr (!Kind::template Starmap<Function, Range>::ok) {
            detail::refuse<Kind::template Starmap<Function, Range>::refusal()>();
            return detail::refused_result<detail::RefusedMap<Function>>();
        } else {
            return starmap_async(std::forward<Function>(function), std::forward<Range>(range),
                                 std::move(options))
                .get();
        }
    }
    /// `pool.starmap(f, {{2, 3}, {4, 5}})`, for a function whose parameter types are known.
    template <class Function>
    auto starmap(Function&& function, std::initializer_list<detail::ParameterTuple<Function>> items,
                 MapOptions options = {}) {
        using Items = std::span<const detail::ParameterTuple<Function>>;
        if constexpr (!Kind::template Starmap<Function, Items>::ok) {
            detail::refuse<Kind::template Starmap<Function, Items>::refusal()>();
            return detail::refused_result<detail::RefusedMap<Function>>();
        } else {
            return starmap(std::forward<Function>(function), std::span(items.begin(), items.size()),
                           std::move(options));
        }
    }

    /// Submits a starmap and returns at once. Python: `Pool.starmap_async`.
    template <class Function, std::ranges::input_range Range>
    auto starmap_async(Function&& function, Range&& range, MapOptions options = {}) {
        if constexpr (!Kind::template Starmap<Function, Range>::ok) {
            detail::refuse<Kind::template Starmap<Function, Range>::refusal()>();
            return detail::refused_result<detail::RefusedAsync<detail::RefusedMap<Function>>>();
        } else {
            return start_map<typename Kind::template Starmap<Function, Range>::Types>(
                std::forward<Function>(function), std::forward<Range>(range), options);
        }
    }
    template <class Function>
    auto starmap_async(Function&& function, std::initializer_list<detail::ParameterTuple<Function>> items,
                       MapOptions options = {}) {
        using Items = std::span<const detail::ParameterTuple<Function>>;
        if constexpr (!Kind::template Starmap<Function, Items>::ok) {
            detail::refuse<Kind::template Starmap<Function, Items>::refusal()>();
            return detail::refused_result<detail::RefusedAsync<detail::RefusedMap<Function>>>();
        } else {
            return starmap_async(std::forward<Function>(function), std::span(items.begin(), items.size()),
                                 std::move(options));
        }
    }

    /// Calls `function(item)` for every item of `range`, as map() does, and returns an iterator
    /// over the results in the order of the items, each as soon as it is there; `std::monostate`
    /// for a void function.
    ///
    /// This thread reads `range` while the results are taken, at most `.buffersize` items ahead of
    /// them (default: 2 x workers chunks), in this call and by the iterator; so it may be endless.
    /// An rvalue moves into the iterator, an lvalue must outlive it. Chunks are of `.chunksize`
    /// items; by default they begin with one, and grow while they are quick. What the range throws
    /// comes behind the results of what it yielded before.
    ///
    /// An item whose function throws, or whose worker dies, is an exception at its place, and the
    /// iterator goes on behind it. Destroyed early, the iterator takes back what has not begun.
    /// Python: `Pool.imap`.
    template <class Function, std::ranges::input_range Range>
    auto imap(Function&& function, Range&& range, MapOptions options = {}) {
        if constexpr (!Kind::template Map<Function, Range>::ok) {
            detail::refuse<Kind::template Map<Function, Range>::refusal()>();
            return detail::refused_result<detail::RefusedMap<Function>>();
        } else {
            return start_imap<typename Kind::template Map<Function, Range>::Types>(
                std::forward<Function>(function), std::forward<Range>(range), options, true);
        }
    }
    template <class Function, class Item = detail::BracedItem<Function>>
    auto imap(Function&& function, std::initializer_list<Item> items, MapOptions options = {}) {
        return imap(std::forward<Function>(function), std::vector<Item>(items), std::move(options));
    }

    /// Does the same as imap(), but gives the results as they are ready, in any order. Python:
    /// `Pool.imap_unordered`.
    template <class Function, std::ranges::input_range Range>
    auto imap_unordered(Function&& function, Range&& range, MapOptions options = {}) {
        if constexpr (!Kind::template Map<Function, Range>::ok) {
            detail::refuse<Kind::template Map<Function, Range>::refusal()>();
            return detail::refused_result<detail::RefusedMap<Function>>();
        } else {
            return start_imap<typename Kind::template Map<Function, Range>::Types>(
                std::forward<Function>(function), std::forward<Range>(range), options, false);
        }
    }
    template <class Function, class Item = detail::BracedItem<Function>>
    auto imap_unordered(Function&& function, std::initializer_list<Item> items, MapOptions options = {}) {
        return imap_unordered(std::forward<Function>(function), std::vector<Item>(items), std::move(options));
    }

    /// Calls `function(item)` for every item of `range`, as map() does, and returns for each what
    /// came of it: a result or an exception. An item that ends its worker costs itself alone; what
    /// ended before is kept, and is not run again. Python: map() with a function that catches.
    template <class Function, std::ranges::input_range Range>
    auto try_map(Function&& function, Range&& range, MapOptions options = {}) {
        if constexpr (!Kind::template Map<Function, Range>::ok) {
            detail::refuse<Kind::template Map<Function, Range>::refusal()>();
            return detail::refused_result<detail::RefusedMap<Function>>();
        } else {
            return Kind::template map_items<typename Kind::template Map<Function, Range>::Types>(
                workers(), std::forward<Function>(function), std::forward<Range>(range), std::move(options));
        }
    }
    template <class Function, class Item = detail::BracedItem<Function>>
    auto try_map(Function&& function, std::initializer_list<Item> items, MapOptions options = {}) {
        return try_map(std::forward<Function>(function), std::vector<Item>(items), std::move(options));
    }

    /// Closes the pool for more work; the workers exit when all work is done. An imap that has
    /// begun may be read to its end, before join(). Python: `Pool.close`.
    void close() { workers().close(); }

    /// Ends the workers at once. Every call that waits for a result throws CancelledError. Python:
    /// `Pool.terminate`.
    void terminate() { workers().terminate(); }

    /// Waits until the workers have ended and all callbacks have run, after close() or terminate();
    /// returns false after the timeout, and changes nothing then. Throws `std::invalid_argument`
    /// before either. In a callback it does not wait for callbacks. Python: `Pool.join`, which has
    /// no timeout.
    bool join(Timeout timeout = no_timeout) {
        if (!workers().is_closed()) {
            throw std::invalid_argument(
                "multiprocessing: this pool is still running; close() or terminate() it before join()");
        }
        return workers().join(detail::Deadline::after(timeout));
    }

    /// Returns `<multiprocessing.pool.Pool state=RUN pool_size=4>`, or with CLOSE or TERMINATE.
    /// Python: `repr(pool)`.
    std::string repr() const {
        const std::string begin = std::string("<multiprocessing.pool.") + name + " state=";
        if (!workers_ || !workers_->origin().is_here()) return begin + "unknown>";
        const char* const state = workers_->is_terminated() ? "TERMINATE"
                                  : workers_->is_closed()   ? "CLOSE"
                                                            : "RUN";
        return begin + state + " pool_size=" + std::to_string(workers_->size()) + ">";
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
    template <class Types, class Function, class Range>
    auto start_map(Function&& function, Range&& range, const MapOptions& options) {
        return detail::async_result(Kind::template submit_map<Types>(
            workers(), std::forward<Function>(function), std::forward<Range>(range), options));
    }

    template <class Types, class Function, class Range>
    auto start_imap(Function&& function, Range&& range, MapOptions& options, bool ordered) {
        const std::size_t total = detail::size_if_known(range);
        auto results = Kind::template stream<Types>(workers(), std::forward<Function>(function),
                                                    std::forward<Range>(range), options, ordered, false);
        return IMapIterator<typename Types::R>(std::move(results), std::move(options.progress), total);
    }

    void finish() noexcept {
        if (!workers_ || !workers_->origin().is_here()) return;
        try {
            if (on_exit_ == OnExit::join) {
                close();
                join();
            } else if (workers_->has_unfinished()) {
                get_logger().log(LogLevel::warning,
                                 std::string("a ") + name +
                                     " ends with work that is not done, which is given up; close() and "
                                     "join() it first, or make it with .on_exit = OnExit::join");
            }
        } catch (const std::exception& error) { get_logger().log(LogLevel::error, error.what()); }
        workers_.reset(); // its destructor ends what still runs
    }

    std::shared_ptr<Workers> workers_;
    OnExit on_exit_ = OnExit::terminate;
};

} // namespace multiprocessing::inline v1::pool
