#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file async_result.hpp  AsyncResult: a handle of the result of work in a pool.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/result/moved_from.hpp>
#include <multiprocessing/detail/result/result_state.hpp>
#include <multiprocessing/detail/shared_object/text_form.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/timeout.hpp>
#include <multiprocessing/util.hpp>

#include <compare>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1 {

template <class R>
class AsyncResult;

namespace detail {

template <class R>
AsyncResult<R> async_result(std::shared_ptr<ResultState<R>> state);

/// A callback in a std::function, which wants to copy what it holds.
template <class Callback>
std::shared_ptr<Callback> copyable(Callback callback) {
    return std::make_shared<Callback>(std::move(callback));
}

} // namespace detail

/// The result of work in a pool, which may not be ready yet. A cheap handle: copies refer to the
/// same result. If all copies are dropped the work goes on, and an error of it is logged. No
/// destructor blocks. Several threads may use copies at the same time.
///
/// Python: `multiprocessing.pool.AsyncResult`.
template <class R>
class AsyncResult {
public:
    /// Waits for the result and returns it. Throws what the task threw; WorkerLostError if its
    /// worker died; CancelledError if its pool was terminated.
    R get() const& { return get_until(detail::Deadline{}); }
    /// Waits for the result and returns it; throws TimeoutError after the timeout.
    R get(Timeout timeout) const& { return get_until(detail::Deadline::after(timeout)); }
    /// Waits for the result and moves it out, for a result that is large or cannot be copied. The
    /// handle and its copies are used up. Throws `std::logic_error` if the result was moved out
    /// before.
    R get() && {
        fetch_until(detail::Deadline{});
        return live().get_moved();
    }

    /// Waits until the work has ended; returns false after the timeout.
    bool wait(Timeout timeout = no_timeout) const { return live().wait(detail::Deadline::after(timeout)); }
    bool ready() const { return live().ready(); }
    /// Returns whether the work ended without an exception. Throws `std::invalid_argument` if it
    /// has not ended.
    bool successful() const {
        if (!ready())
            throw std::invalid_argument(
                "multiprocessing: successful() of a result that is not ready; wait() first");
        live().fetch(detail::Deadline{});
        return !live().error();
    }

    /// Takes the work back if none of it has begun; returns false, and changes nothing, if some
    /// has. The result is a CancelledError then. Python: `Future.cancel`; its AsyncResult has none.
    bool cancel() const { return live().cancel(); }
    /// Takes the work back; what runs of it is ended with its worker, which is replaced. Returns
    /// false if the work has ended. The result is a CancelledError then.
    bool kill() const { return live().kill(); }

    /// Calls `callback(const R&)`, or `callback()` for void, when the result is there, or
    /// `error_callback(std::exception_ptr)` when the work has failed. Returns this handle.
    ///
    /// Callbacks run in the order in which they were added, in a thread of the pool that is made
    /// for them, or at once in this one if the result is there. They may submit work and wait for
    /// it. What they throw is logged. get() does not wait for them; `Pool::join` does. Python: the
    /// parameters `callback` and `error_callback` of `apply_async`.
    template <class Callback>
    const AsyncResult& then(Callback callback) const {
        return then(std::move(callback), [](const std::exception_ptr&) {});
    }
    template <class Callback, class ErrorCallback>
    const AsyncResult& then(Callback callback, ErrorCallback error_callback) const {
        // Kept alive by whoever calls the hook.
        live().when_ready([state = state_.get(), callback = detail::copyable(std::move(callback)),
                           error_callback = detail::copyable(std::move(error_callback))] {
            state->fetch(detail::Deadline{});
            if (state->error()) {
                (*error_callback)(state->error());
            } else if constexpr (std::is_void_v<R>) {
                (*callback)();
            } else {
                state->view(*callback);
            }
        });
        return *this;
    }

    /// Returns `<multiprocessing.pool.AsyncResult object at 0x7f1798e92550>`. Python:
    /// `repr(result)`.
    std::string repr() const {
        return "<multiprocessing.pool.AsyncResult object at " + detail::shown_address(state_.get()) + ">";
    }

    friend bool operator==(const AsyncResult& a, const AsyncResult& b) noexcept { return a.state_ == b.state_; }
    friend std::strong_ordering operator<=>(const AsyncResult& a, const AsyncResult& b) noexcept {
        return std::compare_three_way{}(a.state_.get(), b.state_.get());
    }
    std::size_t hash() const noexcept { return std::hash<const void*>{}(state_.get()); }

private:
    template <class T>
    friend AsyncResult<T> detail::async_result(std::shared_ptr<detail::ResultState<T>> state);
    explicit AsyncResult(std::shared_ptr<detail::ResultState<R>> state) : state_(std::move(state)) {}

    void fetch_until(const detail::Deadline& deadline) const {
        if (!live().fetch(deadline))
            throw TimeoutError(
                "multiprocessing: the result is not there in time: the task goes on, so ask again");
    }
    R get_until(const detail::Deadline& deadline) const {
        fetch_until(deadline);
        return live().get();
    }

    detail::ResultState<R>& live() const { return detail::require_result(state_); }

    std::shared_ptr<detail::ResultState<R>> state_;
};

namespace detail {

template <class R>
AsyncResult<R> async_result(std::shared_ptr<ResultState<R>> state) {
    return AsyncResult<R>(std::move(state));
}

} // namespace detail

namespace pool {

using multiprocessing::AsyncResult;
using multiprocessing::operator<<; // found for what is declared here

} // namespace pool

} // namespace multiprocessing::inline v1

template <class R>
struct std::hash<multiprocessing::AsyncResult<R>> {
    std::size_t operator()(const multiprocessing::AsyncResult<R>& result) const noexcept {
        return result.hash();
    }
};
