#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file monitor_body.hpp  A managed Lock, RLock and Condition, in the server.

#include <multiprocessing/detail/archive/codec_scalar.hpp> // for the codecs of what is carried
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/waiters.hpp>
#include <multiprocessing/detail/managers/local_target.hpp>
#include <multiprocessing/detail/managers/served_object.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/space/layout.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// A lock. A waiting call holds no thread, and what a dead client held goes to the next.
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

    std::string text() const;

    // For conditions on this lock:
    void require_holder(const Deferred<bool>& call, const char* what) const;
    /// Gives it up, however often it is held; returns how often.
    std::size_t give_up();
    /// The call waits until it holds the lock `count` times, then it is answered.
    void take_again(Deferred<bool> later, std::size_t count, bool answer);

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
    void hold(const Deferred<bool>& call, std::size_t count);
    /// The lock is free: it goes to the first waiter that is still there to have it. `recovered`:
    /// from a dead holder.
    void pass_on(bool recovered);

    const bool recursive_;
    bool recovered_ = false;
    std::size_t count_ = 0; // how often it is held
    Incarnation process_ = 0;
    platform::ThreadName thread_ = 0;
    Queue waiting_;
};
template <>
inline constexpr bool gives_back<& MonitorBody::release> = true;

/// The calls that wait for a notification by the holder of a lock: a lock of its own, or one that
/// clients have, too, whose turns it has then.
class ManagedConditionBody {
public:
    using multiprocessing_brief = void;

    ManagedConditionBody() : lock_(std::make_shared<MonitorBody>(true)) {}
    template <class Lock>
    explicit ManagedConditionBody(const Lock& lock)
        : lock_(std::static_pointer_cast<MonitorBody>(whole_of(lock)->value)) {}
    template <class Lock>
    static const std::shared_ptr<ServedObject>& whole_of(const Lock& lock) {
        return served_object_of(lock);
    }

    LookAt acquire(Deferred<bool> later, WaitSpan span) { return lock_->acquire(std::move(later), span); }
    LookAt release(Deferred<bool> later) { return lock_->release(std::move(later)); }
    bool locked() const { return lock_->locked(); }
    bool recovered() const { return lock_->recovered(); }
    std::string text() const;

    /// Gives the lock up, waits to be notified, and takes it again, as often as it was held.
    LookAt wait(Deferred<bool> later, WaitSpan span);
    LookAt notify(Deferred<bool> later, std::size_t number);

    LookAt tick(WaitClock::time_point now);
    void client_gone(Incarnation process);

private:
    const std::shared_ptr<MonitorBody> lock_;
    Waiters<bool, std::size_t> sleeping_; // in wait(), and how often each held the lock
};
template <>
inline constexpr bool gives_back<& ManagedConditionBody::release> = true;
template <>
inline constexpr bool gives_back<& ManagedConditionBody::notify> = true;

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <stdexcept>

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

MULTIPROCESSING_INLINE LookAt MonitorBody::tick(WaitClock::time_point now) {
    LookAt next;
    waiting_.take_late(now, next, [](auto one) { one.later.answer(false); });
    if (count_ == 0) pass_on(recovered_);
    return next;
}

MULTIPROCESSING_INLINE void MonitorBody::client_gone(Incarnation process) {
    waiting_.forget(process);
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

MULTIPROCESSING_INLINE std::size_t MonitorBody::give_up() {
    const std::size_t count = std::exchange(count_, 0);
    pass_on(false);
    return count;
}

MULTIPROCESSING_INLINE void MonitorBody::take_again(Deferred<bool> later, std::size_t count, bool answer) {
    waiting_.add(std::move(later), (WaitClock::time_point::max)(), {count, answer});
    if (count_ == 0) pass_on(recovered_);
}

MULTIPROCESSING_INLINE std::string MonitorBody::text() const {
    const std::string state = locked() ? "locked _thread." : "unlocked _thread.";
    if (!recursive_) return state + "lock object";
    return state + "RLock object owner=" + std::to_string(locked() ? thread_ : 0) +
           " count=" + std::to_string(count_);
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

MULTIPROCESSING_INLINE std::string ManagedConditionBody::text() const {
    return "Condition(<" + lock_->text() + ">, " + std::to_string(sleeping_.size()) + ")";
}

MULTIPROCESSING_INLINE LookAt ManagedConditionBody::wait(Deferred<bool> later, WaitSpan span) {
    lock_->require_holder(later, "wait");
    if (span.is_none()) {
        later.answer(false);
        return {};
    }
    const std::size_t count = lock_->give_up();
    return sleeping_.add(std::move(later), span.end(), count);
}

MULTIPROCESSING_INLINE LookAt ManagedConditionBody::notify(Deferred<bool> later, std::size_t number) {
    lock_->require_holder(later, "notify");
    for (; number != 0 && !sleeping_.empty(); --number) {
        auto one = sleeping_.take_first();
        lock_->take_again(std::move(one.later), one.want, true);
    }
    later.answer(true);
    return {};
}

MULTIPROCESSING_INLINE LookAt ManagedConditionBody::tick(WaitClock::time_point now) {
    LookAt next = lock_->tick(now);
    sleeping_.take_late(now, next, [&](auto one) { lock_->take_again(std::move(one.later), one.want, false); });
    return next;
}

/// Of a lock that clients have it is told as well: the second time changes nothing.
MULTIPROCESSING_INLINE void ManagedConditionBody::client_gone(Incarnation process) {
    sleeping_.forget(process);
    lock_->client_gone(process);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
