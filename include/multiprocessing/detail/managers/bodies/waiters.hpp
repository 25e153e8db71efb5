#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file waiters.hpp  Calls that wait in an object of a manager's server: for how long, and whose.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/served_object.hpp>
#include <multiprocessing/detail/space/layout.hpp>
#include <multiprocessing/timeout.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

namespace multiprocessing::inline v1::detail {

using WaitClock = ServedCall::Clock;
/// When an object is to be looked at again; what methods return that answer later.
using LookAt = std::optional<WaitClock::time_point>;

/// How long a client waits, on the way to the server: nanoseconds from its arrival on.
struct WaitSpan {
    static constexpr std::int64_t without_end = -1;
    std::int64_t nanoseconds = without_end;

    static WaitSpan until(const Deadline& deadline);
    static WaitSpan of(Timeout timeout);
    bool is_none() const noexcept { return nanoseconds == 0; }
    WaitClock::time_point end() const;
};

/// One call that waits, with what it wants.
template <class R, class Want>
struct Waiter {
    Deferred<R> later;
    WaitClock::time_point end;
    Want want;
};

/// In the order in which they came.
template <class R, class Want>
class Waiters {
public:
    using One = Waiter<R, Want>;

    bool empty() const noexcept { return waiting_.empty(); }
    std::size_t size() const noexcept { return waiting_.size(); }
    /// Returns when it is to be looked after.
    LookAt add(Deferred<R> later, WaitClock::time_point end, Want want) {
        waiting_.push_back({std::move(later), end, std::move(want)});
        return end == (WaitClock::time_point::max)() ? LookAt{} : LookAt{end};
    }
    One& first() { return waiting_.front(); }
    One take_first() {
        One one = std::move(waiting_.front());
        waiting_.pop_front();
        return one;
    }
    /// Takes out those whose time is over, for `do_with(one)`; `next` becomes the earliest end of
    /// the others.
    template <class Do>
    void take_late(WaitClock::time_point now, LookAt& next, Do do_with) {
        take_if([&](const One& one) { return one.end <= now; }, do_with);
        for (const One& one : waiting_) {
            if (one.end != (WaitClock::time_point::max)() && (!next || one.end < *next)) next = one.end;
        }
    }
    /// Forgets those of a dead client, whom nobody can answer; returns whether there were any.
    bool forget(Incarnation process) {
        bool found = false;
        take_if([&](const One& one) { return one.later.process() == process; }, [&](One) { found = true; });
        return found;
    }
    template <class Do>
    void take_all(Do do_with) {
        take_if([](const One&) { return true; }, do_with);
    }

private:
    template <class Condition, class Do>
    void take_if(Condition condition, Do do_with) {
        std::deque<One> rest;
        std::deque<One> taken;
        for (One& one : waiting_) (condition(one) ? taken : rest).push_back(std::move(one));
        waiting_ = std::move(rest);
        for (One& one : taken) do_with(std::move(one));
    }

    std::deque<One> waiting_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <chrono>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE WaitSpan WaitSpan::until(const Deadline& deadline) {
    constexpr std::chrono::hours century{24 * 36'500};
    return {deadline.never() ? without_end : deadline.left(century).count()};
}

MULTIPROCESSING_INLINE WaitSpan WaitSpan::of(Timeout timeout) {
    const auto span = timeout.span();
    return {span ? span->count() : without_end};
}

MULTIPROCESSING_INLINE WaitClock::time_point WaitSpan::end() const {
    return nanoseconds < 0 ? (WaitClock::time_point::max)()
                           : WaitClock::now() + std::chrono::nanoseconds{nanoseconds};
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
