#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file monitor_body.hpp  A managed Lock, RLock or Condition, in the server.

#include <multiprocessing/detail/archive/codec_scalar.hpp> // for the codecs of what is carried
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/waiters.hpp>
#include <multiprocessing/detail/managers/served_object.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/space/layout.hpp>

#include <cstddef>

namespace multiprocessing::inline v1::detail {

/// A lock, and the calls that wait for a notification by its holder. A waiting call holds no
/// thread, and what a dead client held goes to the next.
class MonitorBody {
public:
    using multiprocessing_brief = void;

    /// `recursive`: belongs to a thread, which may take it again; else to a process, any of whose
    /// threads, or any other, may release it.
    explicit MonitorBody(bool recursive) : recursive_(recursive) {}

    LookAt acquire(Deferred<bool> later, WaitSpan span);
    LookAt release(Deferred<bool> later);
    bool locked() const { return count_ != 0; }
    bool recovered() const { return recovered_; }

    /// Gives the lock up, waits to be notified, and takes it again, as often as it was held.
    LookAt wait(Deferred<bool> later, WaitSpan span);
    LookAt notify(Deferred<bool> later, std::size_t number);

    LookAt tick(WaitClock::time_point now);
    void client_gone(Incarnation process);

private:
    /// What a waiter wants: the lock so many times, then this answer.
    struct Want {
        std::size_t count;
        bool answer;
    };
    using Queue = Waiters<bool, Want>;

    bool is_held_by(const Deferred<bool>& call) const;
    void require_holder(const Deferred<bool>& call, const char* what) const;
    void hold(const Deferred<bool>& call, std::size_t count);
    void take_again(Queue::One one, bool answer);
    /// The lock is free: it goes to the first waiter that is still there to have it. `recovered`:
    /// from a dead holder.
    void pass_on(bool recovered);

    const bool recursive_;
    bool recovered_ = false;
    std::size_t count_ = 0; // how often it is held
    Incarnation process_ = 0;
    platform::ThreadName thread_ = 0;
    Queue waiting_;
    Queue sleeping_; // in wait()
};
template <>
inline constexpr bool gives_back<& MonitorBody::release> = true;
template <>
inline constexpr bool gives_back<& MonitorBody::notify> = true;

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <stdexcept>
#include <string>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE LookAt MonitorBody::acquire(Deferred<bool> later, WaitSpan span) {
    if (count_ == 0) {
        hold(later, 1);
        later.answer(true);
        return {};
    }
    if (recursive_ && is_held_by(later)) {
        ++count_;
        later.answer(true);
        return {};
    }
    if (span.is_none()) {
        later.answer(false);
        return {};
    }
    return waiting_.add(std::move(later), span.end(), {1, true});
}

MULTIPROCESSING_INLINE LookAt MonitorBody::release(Deferred<bool> later) {
    if (count_ == 0)
        throw std::invalid_argument("multiprocessing: release() of a lock that nobody has acquired");
    if (recursive_) require_holder(later, "release");
    if (--count_ == 0) pass_on(false);
    later.answer(true);
    return {};
}

MULTIPROCESSING_INLINE LookAt MonitorBody::wait(Deferred<bool> later, WaitSpan span) {
    require_holder(later, "wait");
    if (span.is_none()) {
        later.answer(false);
        return {};
    }
    const LookAt look_at = sleeping_.add(std::move(later), span.end(), {count_, true});
    count_ = 0;
    pass_on(false);
    return look_at;
}

MULTIPROCESSING_INLINE LookAt MonitorBody::notify(Deferred<bool> later, std::size_t number) {
    require_holder(later, "notify");
    for (; number != 0 && !sleeping_.empty(); --number) take_again(sleeping_.take_first(), true);
    later.answer(true);
    return {};
}

MULTIPROCESSING_INLINE LookAt MonitorBody::tick(WaitClock::time_point now) {
    LookAt next;
    waiting_.take_late(now, next, [](auto one) { one.later.answer(false); });
    sleeping_.take_late(now, next, [&](auto one) { take_again(std::move(one), false); });
    if (count_ == 0) pass_on(recovered_);
    return next;
}

MULTIPROCESSING_INLINE void MonitorBody::client_gone(Incarnation process) {
    waiting_.forget(process);
    sleeping_.forget(process);
    if (count_ == 0 || process_ != process) return;
    count_ = 0;
    pass_on(true);
}

MULTIPROCESSING_INLINE bool MonitorBody::is_held_by(const Deferred<bool>& call) const {
    return count_ != 0 && process_ == call.process() && thread_ == call.thread();
}

MULTIPROCESSING_INLINE void MonitorBody::require_holder(const Deferred<bool>& call, const char* what) const {
    if (!is_held_by(call))
        throw std::logic_error(std::string("multiprocessing: ") + what +
                               "() by a thread that has not acquired the lock: acquire it first");
}

MULTIPROCESSING_INLINE void MonitorBody::hold(const Deferred<bool>& call, std::size_t count) {
    process_ = call.process();
    thread_ = call.thread();
    count_ = count;
}

MULTIPROCESSING_INLINE void MonitorBody::take_again(Queue::One one, bool answer) {
    waiting_.add(std::move(one.later), (WaitClock::time_point::max)(), {one.want.count, answer});
}

MULTIPROCESSING_INLINE void MonitorBody::pass_on(bool recovered) {
    recovered_ = recovered;
    while (!waiting_.empty()) {
        const auto one = waiting_.take_first();
        hold(one.later, one.want.count);
        if (one.later.answer(one.want.answer)) return;
        count_ = 0;
    }
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
