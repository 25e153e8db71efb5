#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file signal_bodies.hpp  A managed Semaphore, Event and Barrier, in the server.

#include <multiprocessing/detail/archive/codec_scalar.hpp> // for the codecs of what is carried
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/waiters.hpp>
#include <multiprocessing/detail/managers/served_object.hpp>
#include <multiprocessing/detail/space/layout.hpp>

#include <cstddef>
#include <functional>
#include <utility>

namespace multiprocessing::inline v1::detail {

struct Nothing {};

class ManagedSemaphoreBody {
public:
    using multiprocessing_brief = void;

    /// `bounded`: its value never exceeds that at the beginning.
    ManagedSemaphoreBody(std::size_t value, bool bounded) : value_(value), start_(value), bounded_(bounded) {}

    LookAt acquire(Deferred<bool> later, WaitSpan span);
    void release(std::size_t number);
    std::size_t value() const { return value_; }

    LookAt tick(WaitClock::time_point now);
    void client_gone(Incarnation process) { waiting_.forget(process); }

private:
    std::size_t value_;
    const std::size_t start_;
    const bool bounded_;
    Waiters<bool, Nothing> waiting_;
};
template <>
inline constexpr bool gives_back<& ManagedSemaphoreBody::release> = true;

class ManagedEventBody {
public:
    using multiprocessing_brief = void;

    bool is_set() const { return is_set_; }
    void set();
    void clear() { is_set_ = false; }
    LookAt wait(Deferred<bool> later, WaitSpan span);

    LookAt tick(WaitClock::time_point now);
    void client_gone(Incarnation process) { waiting_.forget(process); }

private:
    bool is_set_ = false;
    Waiters<bool, Nothing> waiting_;
};

class ManagedBarrierBody {
public:
    using multiprocessing_brief = void;
    static constexpr int broken_answer = -1;

    explicit ManagedBarrierBody(std::size_t parties);

    /// Called by the last to come, before all go on.
    template <class F>
    void set_action(F action) {
        action_ = std::move(action);
    }
    /// Answers with the number of the waiter, or `broken_answer`.
    LookAt wait(Deferred<int> later, WaitSpan span);
    void reset();
    void abort();
    std::size_t parties() const { return parties_; }
    std::size_t n_waiting() const { return waiting_.size(); }
    bool broken() const { return broken_; }

    LookAt tick(WaitClock::time_point now);
    /// A waiter for a dead party would wait forever.
    void client_gone(Incarnation process);

private:
    const std::size_t parties_;
    bool broken_ = false;
    std::function<void()> action_;
    Waiters<int, int> waiting_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <limits>
#include <stdexcept>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE LookAt ManagedSemaphoreBody::acquire(Deferred<bool> later, WaitSpan span) {
    if (value_ != 0) {
        --value_;
        later.answer(true);
        return {};
    }
    if (span.is_none()) {
        later.answer(false);
        return {};
    }
    return waiting_.add(std::move(later), span.end(), {});
}

MULTIPROCESSING_INLINE void ManagedSemaphoreBody::release(std::size_t number) {
    if (bounded_ && (number > start_ || value_ > start_ - number))
        throw std::invalid_argument(
            "multiprocessing: a BoundedSemaphore was released more often than acquired");
    if (number > (std::numeric_limits<std::size_t>::max)() - value_)
        throw std::invalid_argument("multiprocessing: release(): the value of a Semaphore would overflow");
    while (number != 0 && !waiting_.empty()) {
        if (waiting_.take_first().later.answer(true)) --number;
    }
    value_ += number;
}

MULTIPROCESSING_INLINE LookAt ManagedSemaphoreBody::tick(WaitClock::time_point now) {
    LookAt next;
    waiting_.take_late(now, next, [](auto one) { one.later.answer(false); });
    return next;
}

MULTIPROCESSING_INLINE void ManagedEventBody::set() {
    is_set_ = true;
    waiting_.take_all([](auto one) { one.later.answer(true); });
}

MULTIPROCESSING_INLINE LookAt ManagedEventBody::wait(Deferred<bool> later, WaitSpan span) {
    if (is_set_ || span.is_none()) {
        later.answer(is_set_);
        return {};
    }
    return waiting_.add(std::move(later), span.end(), {});
}

MULTIPROCESSING_INLINE LookAt ManagedEventBody::tick(WaitClock::time_point now) {
    LookAt next;
    waiting_.take_late(now, next, [](auto one) { one.later.answer(false); });
    return next;
}

MULTIPROCESSING_INLINE ManagedBarrierBody::ManagedBarrierBody(std::size_t parties) : parties_(parties) {
    if (parties == 0) throw std::invalid_argument("multiprocessing: a Barrier needs at least one party");
}

MULTIPROCESSING_INLINE LookAt ManagedBarrierBody::wait(Deferred<int> later, WaitSpan span) {
    if (broken_) {
        later.answer(broken_answer);
        return {};
    }
    if (waiting_.size() + 1 < parties_) {
        if (span.is_none()) {
            abort();
            later.answer(broken_answer);
            return {};
        }
        const int number = static_cast<int>(waiting_.size());
        return waiting_.add(std::move(later), span.end(), number);
    }
    if (action_) {
        try {
            action_();
        } catch (...) {
            abort();
            throw;
        }
    }
    waiting_.take_all([](auto one) { one.later.answer(one.want); });
    later.answer(static_cast<int>(parties_) - 1);
    return {};
}

MULTIPROCESSING_INLINE void ManagedBarrierBody::reset() {
    abort();
    broken_ = false;
}

MULTIPROCESSING_INLINE void ManagedBarrierBody::abort() {
    broken_ = true;
    waiting_.take_all([](auto one) { one.later.answer(broken_answer); });
}

MULTIPROCESSING_INLINE LookAt ManagedBarrierBody::tick(WaitClock::time_point now) {
    LookAt next;
    bool late = false;
    waiting_.take_late(now, next, [&](auto one) {
        late = true;
        one.later.answer(broken_answer);
    });
    if (late) abort();
    return late ? LookAt{} : next;
}

MULTIPROCESSING_INLINE void ManagedBarrierBody::client_gone(Incarnation process) {
    if (waiting_.forget(process)) abort();
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
