#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file condition.hpp  Condition: processes wait for it until another one notifies them.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/shared_object/handle_base.hpp>
#include <multiprocessing/detail/synchronize/condition_body.hpp>
#include <multiprocessing/detail/synchronize/lockable.hpp>
#include <multiprocessing/synchronize/lock.hpp>
#include <multiprocessing/timeout.hpp>

#include <string>
#include <utility>

namespace multiprocessing::inline v1 {

/// Lets processes wait until another one says that something has changed. Its lock must be held to
/// wait and to notify.
///
/// notify() never waits for the waiters; in Python it waits until each has answered, and forever if
/// one has died. For each waiter that was killed, every later notify(n) may wake one waiter more
/// than `n`, as a dead waiter cannot be told from a sleeping one: call wait_for(), which checks the
/// predicate after each wake.
///
/// Python: `multiprocessing.Condition(lock)`.
class Condition : public detail::HandleBase<Condition, detail::ConditionBody>,
                  public detail::Lockable<Condition> {
public:
    static constexpr char kind[] = "Condition";

    /// Makes a Condition with an RLock of its own.
    Condition() = default;
    /// Makes a Condition with a lock that is used elsewhere, too.
    explicit Condition(const RLock& lock) : lock_(lock) {}
    explicit Condition(const Lock& lock)
        : lock_(detail::RLockAccess::of(detail::RLockAccess::object_of(lock))) {}

    /// Releases the lock, however often it is held, waits for a notification, and acquires the lock
    /// again. Returns false after the timeout. The timeout does not cover that acquisition, which
    /// waits as long as another process holds the lock, stopped or not. Throws `std::logic_error`
    /// if the calling thread does not hold the lock. Python: `wait(timeout)`.
    bool wait(Timeout timeout = no_timeout) const;

    /// Waits until `predicate()`, which is called with the lock held, returns true. Returns its
    /// last result: false after the timeout. Throws as wait() does. Python:
    /// `wait_for(predicate, timeout)`.
    template <class Predicate>
    bool wait_for(Predicate predicate, Timeout timeout = no_timeout) const {
        const detail::Deadline deadline = detail::Deadline::after(timeout);
        for (;;) {
            if (predicate()) return true;
            if (!wait_until(deadline)) return predicate();
        }
    }

    /// Wakes `n` waiters, the first to arrive first; they go on when the lock is free. Throws as
    /// wait() does. Python: `notify(n)`.
    void notify(Count n = 1) const;
    void notify_one() const { notify(1); }
    /// Wakes all waiters. Throws as wait() does. Python: `notify_all()`.
    void notify_all() const { notify(0xFFFF'FFFFu); }

    /// Returns `<Condition(<RLock(owner=None, count=0)>, 0)>`: the lock, and the number of waiters.
    /// Python: `repr(condition)`.
    std::string repr() const;

    void release() const { lock_.release(); }
    bool acquire_until(const detail::Deadline& deadline) const { return lock_.acquire_until(deadline); }

    void export_to(detail::HandleSink& sink) const;
    static Condition import_from(detail::HandleSource& source);

private:
    friend HandleBase<Condition, detail::ConditionBody>;
    explicit Condition(detail::Received received) : HandleBase(std::move(received)) {}

    detail::LockBody& held(const char* what) const;

    bool wait_until(const detail::Deadline& deadline) const;

    RLock lock_;
};

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES
#include <cstddef>
#include <cstdint>

namespace multiprocessing::inline v1 {

MULTIPROCESSING_INLINE bool Condition::wait(Timeout timeout) const {
    return wait_until(detail::Deadline::after(timeout));
}

MULTIPROCESSING_INLINE void Condition::notify(Count n) const {
    detail::LockBody& held = this->held("notify");
    constexpr std::size_t all = 0xFFFF'FFFF;
    const auto count = static_cast<std::uint32_t>(n.value() < all ? n.value() : all);
    // Where one is notified, sleepers are woken in order of arrival, the oldest first.
    if (detail::platform::Word* const word = body().notify(count))
        held.wake_on_release(parking(), *word, count != 1);
}

MULTIPROCESSING_INLINE std::string Condition::repr() const {
    return "<Condition(" + lock_.repr() + ", " + known([&] { return std::to_string(body().waiting()); }) + ")>";
}

MULTIPROCESSING_INLINE void Condition::export_to(detail::HandleSink& sink) const {
    HandleBase::export_to(sink);
    lock_.export_to(sink);
}

MULTIPROCESSING_INLINE Condition Condition::import_from(detail::HandleSource& source) {
    Condition condition = HandleBase::import_from(source);
    condition.lock_ = RLock::import_from(source);
    return condition;
}

MULTIPROCESSING_INLINE detail::LockBody& Condition::held(const char* what) const {
    detail::LockBody& held = lock_.body();
    held.require_mine(what);
    return held;
}

MULTIPROCESSING_INLINE bool Condition::wait_until(const detail::Deadline& deadline) const {
    detail::LockBody& held = this->held("wait");
    detail::ConditionBody& condition = body();
    const auto number = condition.begin_wait();
    const std::uint32_t depth = held.release_all(parking());
    bool notified = condition.wait(parking(), number, deadline);
    held.take_back(parking(), depth);
    notified = notified || condition.take_pass(number); // it may have come in the meantime: it must not be lost
    condition.end_wait();
    return notified;
}

} // namespace multiprocessing::inline v1

#endif // MULTIPROCESSING_BODIES
