#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file async_result.hpp  AsyncResult: a handle of the result of work in a pool.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/result.hpp>
#include <multiprocessing/detail/shared_object/text_form.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/timeout.hpp>

#include <compare>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1 {

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
    R get() && { return give(); }

    /// Waits until the work has ended; returns false after the timeout.
    bool wait(Timeout timeout = no_timeout) const { return state_->wait(detail::Deadline::after(timeout)); }
    bool ready() const { return state_->ready(); }
    /// Returns whether the work ended without an exception. Throws `std::invalid_argument` if it
    /// has not ended.
    bool successful() const {
        if (!ready())
            throw std::invalid_argument(
                "multiprocessing: successful() of a result that is not ready; wait() first");
        state_->fetch(detail::Deadline{});
        return state_->successful();
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
    friend class Pool;
    explicit AsyncResult(std::shared_ptr<detail::ResultState<R>> state) : state_(std::move(state)) {}

    void fetch_until(const detail::Deadline& deadline) const {
        if (!state_->fetch(deadline))
            throw TimeoutError(
                "multiprocessing: the result is not there in time: the task goes on, so ask again");
    }
    R get_until(const detail::Deadline& deadline) const {
        fetch_until(deadline);
        if constexpr (std::is_void_v<R>) {
            state_->require_success();
        } else if constexpr (std::is_copy_constructible_v<R>) {
            return state_->copy();
        } else {
            return state_->take();
        }
    }
    R give() const {
        fetch_until(detail::Deadline{});
        if constexpr (std::is_void_v<R>) {
            state_->require_success();
        } else {
            return state_->take();
        }
    }

    std::shared_ptr<detail::ResultState<R>> state_;
};

} // namespace multiprocessing::inline v1

template <class R>
struct std::hash<multiprocessing::AsyncResult<R>> {
    std::size_t operator()(const multiprocessing::AsyncResult<R>& result) const noexcept {
        return result.hash();
    }
};
