#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file future.hpp  Future: a handle of the result of a call that an executor carries out.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/result/moved_from.hpp>
#include <multiprocessing/detail/result/result_state.hpp>
#include <multiprocessing/detail/shared_object/text_form.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/timeout.hpp>
#include <multiprocessing/util.hpp>

#include <compare>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace multiprocessing::inline v1::futures {

using multiprocessing::CancelledError;
using multiprocessing::TimeoutError;

/// A future or promise is in a state in which the call is not possible. Python:
/// `concurrent.futures.InvalidStateError`.
class MULTIPROCESSING_VISIBLE InvalidStateError : public ProcessError {
public:
    using ProcessError::ProcessError;
};

/// An executor cannot carry out work any more. Python: `concurrent.futures.BrokenExecutor`.
class MULTIPROCESSING_VISIBLE BrokenExecutor : public ProcessError {
public:
    using ProcessError::ProcessError;
};

template <class R>
class Future;

using multiprocessing::operator<<; // found for what is declared here

} // namespace multiprocessing::inline v1::futures

namespace multiprocessing::inline v1::detail {

template <class R>
futures::Future<R> future_of(std::shared_ptr<ResultState<R>> state) {
    return futures::Future<R>(std::move(state));
}
template <class R>
const std::shared_ptr<ResultState<R>>& state_of(const futures::Future<R>& future) {
    require_result(future.state_);
    return future.state_;
}

/// Whether a result ended by being cancelled. (A task that throws a CancelledError of its own has
/// failed.)
MULTIPROCESSING_INLINE bool is_cancellation(const std::exception_ptr& error);

} // namespace multiprocessing::inline v1::detail

namespace multiprocessing::inline v1::futures {

/// The result of a call that an executor carries out, which may not be there yet. A cheap handle:
/// copies refer to the same result, and compare equal. It may outlive its executor. No destructor
/// blocks; a result whose futures are all dropped is computed nonetheless, and its error is logged.
/// Several threads may use copies at the same time.
///
/// Python: `concurrent.futures.Future`.
template <class R>
class Future {
public:
    using value_type = R;

    /// Waits for the result and returns it. Throws what the call threw, CancelledError if it was
    /// cancelled, and TimeoutError after the timeout, which loses nothing.
    R result(Timeout timeout = no_timeout) const& {
        fetch(timeout);
        return live().get();
    }
    /// Waits for the result and moves it out, for one that is large or cannot be copied. Throws
    /// `std::logic_error` if it was moved out before.
    R result(Timeout timeout = no_timeout) && {
        fetch(timeout);
        return live().get_moved();
    }

    /// Waits for the end of the call and returns its exception; null if it returned. Throws
    /// CancelledError if it was cancelled, and TimeoutError after the timeout.
    std::exception_ptr exception(Timeout timeout = no_timeout) const {
        fetch(timeout);
        if (detail::is_cancellation(live().error())) live().require_success();
        return live().error();
    }

    /// Takes the call back if it has not begun; returns false, and changes nothing, if it has.
    /// Returns true, too, if it was cancelled before.
    bool cancel() const { return live().cancel() || cancelled(); }
    /// Takes the call back, and ends the worker that runs it; returns false if it has ended. Python
    /// has no such function. In a pool of threads it does what cancel() does.
    bool kill() const { return live().kill(); }

    bool cancelled() const {
        if (!done()) return false;
        live().fetch(detail::Deadline{});
        return detail::is_cancellation(live().error());
    }
    bool running() const { return live().running(); }
    /// Returns whether the call has ended, or was cancelled.
    bool done() const { return live().ready(); }

    /// Calls `callback(future)` when the call has ended, or was cancelled: at once in this thread
    /// if it has, else in a thread of the executor's, after those that were added before. What it
    /// throws is logged.
    template <std::invocable<Future> Callback>
    void add_done_callback(Callback callback) const {
        auto shared = std::make_shared<Callback>(std::move(callback));
        // Not the state itself, which would keep itself alive by its own callback.
        live().when_ready([weak = std::weak_ptr<detail::ResultState<R>>(state_), shared = std::move(shared)] {
            if (auto state = weak.lock()) (*shared)(Future(std::move(state)));
        });
    }

    /// Returns `<Future at 0x7f1798e92550 state=pending>`, or running, cancelled, or finished with
    /// what came of it. Python: `repr(future)`.
    std::string repr() const {
        if (!state_) return "<Future state=unknown>"; // moved away
        const char* const state = running()     ? "running"
                                  : !done()     ? "pending"
                                  : cancelled() ? "cancelled"
                                                : "finished";
        std::string text = "<Future at " + detail::shown_address(state_.get()) + " state=" + state;
        if (state[0] == 'f') text += live().error() ? " raised" : " returned";
        return text + ">";
    }

    friend bool operator==(const Future& a, const Future& b) noexcept { return a.state_ == b.state_; }
    friend std::strong_ordering operator<=>(const Future& a, const Future& b) noexcept {
        return std::compare_three_way{}(a.state_.get(), b.state_.get());
    }
    std::size_t hash() const noexcept { return std::hash<const void*>{}(state_.get()); }

private:
    template <class T>
    friend Future<T> detail::future_of(std::shared_ptr<detail::ResultState<T>> state);
    template <class T>
    friend const std::shared_ptr<detail::ResultState<T>>& detail::state_of(const Future<T>& future);
    explicit Future(std::shared_ptr<detail::ResultState<R>> state) : state_(std::move(state)) {}

    void fetch(Timeout timeout) const {
        if (!live().fetch(detail::Deadline::after(timeout)))
            throw TimeoutError(
                "multiprocessing: the result is not there in time: the call goes on, so ask again");
    }

    detail::ResultState<R>& live() const { return detail::require_result(state_); }

    std::shared_ptr<detail::ResultState<R>> state_;
};

} // namespace multiprocessing::inline v1::futures

template <class R>
struct std::hash<multiprocessing::futures::Future<R>> {
    std::size_t operator()(const multiprocessing::futures::Future<R>& future) const noexcept {
        return future.hash();
    }
};

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/exceptions/cause.hpp>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE bool is_cancellation(const std::exception_ptr& error) {
    if (!error) return false;
    try {
        std::rethrow_exception(error);
    } catch (const CancelledError& cancelled) {
        return dynamic_cast<const CarriesCause*>(&cancelled) == nullptr;
    } catch (...) { return false; }
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
