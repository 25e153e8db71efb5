#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file promise.hpp  Promise: makes a Future by hand.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/result/local_result.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/futures/future.hpp>

#include <exception>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::futures {

/// The other side of a Future: for executors of one's own, and for tests of code that takes
/// futures. It is moved, not copied. Destroyed without a result it cancels the future.
///
/// Python: a `Future` that is made by hand.
template <class R>
class Promise {
public:
    using Value = typename detail::LocalResult<R>::Value;

    Promise() : state_(std::make_shared<detail::LocalResult<R>>()) {}
    Promise(Promise&&) noexcept = default;
    Promise& operator=(Promise&& other) noexcept {
        if (this != &other) {
            drop();
            state_ = std::move(other.state_);
        }
        return *this;
    }
    ~Promise() { drop(); }

    /// Returns the future; each call another handle of the same.
    Future<R> future() const { return detail::future_of<R>(state()); }

    /// Says that the work begins: cancel() is too late from then on. Returns false if it was
    /// cancelled. Throws InvalidStateError if it has begun or ended before.
    bool set_running_or_notify_cancel() {
        if (state()->begin()) return true;
        if (future().cancelled()) return false;
        throw InvalidStateError(
            "multiprocessing: set_running_or_notify_cancel() of a promise that is running or "
            "has a result; call it once");
    }
    /// Sets the result; nothing is given for void. Throws InvalidStateError if there is one, or if
    /// it was cancelled.
    void set_result(Value value)
        requires(!std::is_void_v<R>)
    {
        require_first(state()->set_value(std::move(value)));
    }
    void set_result()
        requires(std::is_void_v<R>)
    {
        require_first(state()->set_value({}));
    }
    /// Sets the exception. Throws `std::invalid_argument` for none.
    void set_exception(std::exception_ptr error) {
        if (!error)
            throw std::invalid_argument(
                "multiprocessing: set_exception() of a promise with a null pointer: give an exception, or use "
                "set_result()");
        require_first(state()->set_error(std::move(error)));
    }
    /// Sets any object that can be thrown.
    template <class E>
        requires(!std::is_convertible_v<E, std::exception_ptr>)
    void set_exception(E error) {
        set_exception(std::make_exception_ptr(std::move(error)));
    }

private:
    const std::shared_ptr<detail::LocalResult<R>>& state() const {
        if (!state_)
            throw std::logic_error(
                "multiprocessing: this Promise was moved away: use the one that it was moved to");
        return state_;
    }
    static void require_first(bool is_set) {
        if (!is_set)
            throw InvalidStateError(
                "multiprocessing: this promise has a result, or was cancelled; set it once");
    }
    void drop() noexcept {
        if (state_)
            state_->set_error(std::make_exception_ptr(
                CancelledError("multiprocessing: the promise was dropped without a result")));
    }

    std::shared_ptr<detail::LocalResult<R>> state_;
};

} // namespace multiprocessing::inline v1::futures
