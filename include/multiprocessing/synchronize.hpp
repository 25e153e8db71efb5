#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file synchronize.hpp  Locks, semaphores, conditions, events and barriers between processes, which survive a kill.

#include <multiprocessing/detail/barrier_action.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/handle_base.hpp>
#include <multiprocessing/detail/held_lock.hpp>
#include <multiprocessing/detail/lockable.hpp>
#include <multiprocessing/detail/shared_barrier.hpp>
#include <multiprocessing/detail/shared_condition.hpp>
#include <multiprocessing/detail/shared_semaphore.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/options.hpp>
#include <multiprocessing/timeout.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1 {

// All of these are handles: copies refer to the same object, and reach another process as an argument. All operations are
// const, and may be called by many threads and processes at once. Time is the steady clock's.

namespace detail {

/// What Lock and RLock have in common.
template <class Derived>
class LockHandle : public HandleBase<Derived, HeldLock>, public Lockable<Derived> {
public:
    /// Gives it up. Throws `std::logic_error` if another thread holds it, `std::invalid_argument` if nobody does.
    /// Python: `release()`, which there any process may call on a Lock; here that takes a Semaphore{1}.
    void release() const {
        HeldLock& held = this->body();
        held.release(this->parking());
    }

    /// Whether somebody holds it. Python 3.14: `locked()`.
    bool locked() const { return this->body().lock.holder() != 0; }

    /// Whether its holder took it from a thread or process that had ended without releasing it: what it protects may be
    /// half changed. Until it is released. Python has no such thing: there everybody waits for ever.
    bool recovered() const { return this->body().lock.recovered(); }

    bool acquire_until(const Deadline& deadline) const {
        HeldLock& held = this->body();
        return held.acquire(this->parking(), deadline);
    }

protected:
    using HandleBase<Derived, HeldLock>::HandleBase;
};

} // namespace detail

namespace detail {
struct RLockAccess;
} // namespace detail

/// A lock that one thread of one process holds at a time. Who holds it and takes it again would wait for itself: that is
/// `std::logic_error`. When its holder dies, or ends without releasing it, the next taker gets it: see recovered().
///
/// Python: `multiprocessing.Lock`, but for its owner.
class Lock : public detail::LockHandle<Lock> {
public:
    static constexpr char kind[] = "Lock";

    Lock() : LockHandle([](detail::HeldLock& held) { held.plain = 1; }) {}

private:
    friend HandleBase<Lock, detail::HeldLock>;
    friend struct detail::RLockAccess;
    explicit Lock(detail::Received received) : LockHandle(std::move(received)) {}
};

/// A lock that its holder may take again, and must release as often. Else as Lock. Python: `multiprocessing.RLock`.
class RLock : public detail::LockHandle<RLock> {
public:
    static constexpr char kind[] = "RLock";

    RLock() = default;

private:
    friend HandleBase<RLock, detail::HeldLock>;
    friend class Condition;
    friend struct detail::RLockAccess;
    explicit RLock(detail::Received received) : LockHandle(std::move(received)) {}
};

namespace detail {

/// RLocks that refer to other things than an RLock.
struct RLockAccess {
    template <class AnyLock>
    static const std::shared_ptr<SharedObject>& object_of(const AnyLock& lock) noexcept {
        return lock.object();
    }
    /// To a Lock, which it goes on being, or to an object with a HeldLock at its beginning.
    static RLock of(const std::shared_ptr<SharedObject>& object) { return RLock(Received{object}); }
};

template <class Derived>
class SemaphoreHandle : public HandleBase<Derived, SharedSemaphore>, public Lockable<Derived> {
public:
    /// How often it can be acquired at this moment. Python: `get_value()`.
    int get_value() const { return static_cast<int>(this->body().value()); }
    /// Whether it can not. Python 3.14: `locked()`.
    bool locked() const { return get_value() == 0; }

    bool acquire_until(const Deadline& deadline) const {
        SharedSemaphore& semaphore = this->body();
        return semaphore.acquire(this->parking(), deadline);
    }

protected:
    explicit SemaphoreHandle(Count value)
        : HandleBase<Derived, SharedSemaphore>(
              [value = checked(value)](SharedSemaphore& semaphore) { semaphore.set(value); }) {}
    explicit SemaphoreHandle(detail::Received received)
        : HandleBase<Derived, SharedSemaphore>(std::move(received)) {}

    void release_up_to(std::uint32_t limit) const {
        SharedSemaphore& semaphore = this->body();
        if (semaphore.release(this->parking(), limit)) return;
        throw std::invalid_argument(std::string("multiprocessing: release() of a ") + Derived::kind +
                                    " that is at its limit of " + std::to_string(limit) +
                                    ": it was released more often than acquired");
    }

private:
    static std::uint32_t checked(Count value) {
        if (value.value() <= SharedSemaphore::most) return static_cast<std::uint32_t>(value.value());
        throw std::invalid_argument("multiprocessing: " + std::to_string(value.value()) +
                                    " is more than a semaphore holds, " +
                                    std::to_string(SharedSemaphore::most));
    }
};

} // namespace detail

/// A number that is taken from, and waited for when it is 0. Nobody owns what was taken: any thread of any process may
/// release, so `Semaphore{1}` hands work over where a Lock cannot; and what a process that dies had taken is gone.
///
/// Python: `multiprocessing.Semaphore(value)`.
class Semaphore : public detail::SemaphoreHandle<Semaphore> {
public:
    static constexpr char kind[] = "Semaphore";

    /// 0 is 0 here: nothing can be acquired before something is released.
    explicit Semaphore(Count value = 1) : SemaphoreHandle(value) {}

    /// Adds 1. Throws `std::invalid_argument` beyond 2,147,483,647.
    void release() const { release_up_to(detail::SharedSemaphore::most); }

private:
    friend HandleBase<Semaphore, detail::SharedSemaphore>;
    explicit Semaphore(detail::Received received) : SemaphoreHandle(std::move(received)) {}
};

/// A Semaphore that cannot be released above its first value: that is `std::invalid_argument`.
/// Python: `multiprocessing.BoundedSemaphore(value)`.
class BoundedSemaphore : public detail::SemaphoreHandle<BoundedSemaphore> {
public:
    static constexpr char kind[] = "BoundedSemaphore";

    explicit BoundedSemaphore(Count value = 1) : SemaphoreHandle(value) {}

    void release() const {
        const std::uint32_t limit = body().first();
        release_up_to(limit);
    }

private:
    friend HandleBase<BoundedSemaphore, detail::SharedSemaphore>;
    explicit BoundedSemaphore(detail::Received received) : SemaphoreHandle(std::move(received)) {}
};

/// Lets processes wait until another says that something changed. Its lock must be held to wait and to notify.
///
/// notify() waits for nobody; in Python it waits for each sleeper to answer, and for a dead one for ever. After a waiter
/// was killed, one wait() of another may end without a notify: `wait_for` looks whether what is waited for is there.
///
/// Python: `multiprocessing.Condition(lock)`.
class Condition : public detail::HandleBase<Condition, detail::SharedCondition>,
                  public detail::Lockable<Condition> {
public:
    static constexpr char kind[] = "Condition";

    /// With an RLock of its own.
    Condition() = default;
    /// With a lock that others use, too.
    explicit Condition(const RLock& lock) : lock_(lock) {}
    explicit Condition(const Lock& lock)
        : lock_(detail::RLockAccess::of(detail::RLockAccess::object_of(lock))) {}

    /// Gives up the lock, however often it is held, waits to be notified, and takes it back. False when the time is over.
    /// Throws `std::logic_error` if the calling thread does not hold the lock.
    bool wait(Timeout timeout = no_timeout) const { return wait_until(detail::Deadline::after(timeout)); }

    /// Waits until `predicate()`, which is called holding the lock; returns what it said last. Python: `wait_for(...)`.
    template <class Predicate>
    bool wait_for(Predicate predicate, Timeout timeout = no_timeout) const {
        const detail::Deadline deadline = detail::Deadline::after(timeout);
        for (;;) {
            if (predicate()) return true;
            if (!wait_until(deadline)) return predicate();
        }
    }

    /// Lets `n` waiters go on, the first to come first, when the lock is free. Throws as wait() does.
    void notify(Count n = 1) const {
        held("notify");
        constexpr std::size_t all = 0xFFFF'FFFF;
        body().notify(parking(), static_cast<std::uint32_t>(n.value() < all ? n.value() : all));
    }
    void notify_one() const { notify(1); }
    void notify_all() const { notify(0xFFFF'FFFFu); }

    void release() const { lock_.release(); }
    bool acquire_until(const detail::Deadline& deadline) const { return lock_.acquire_until(deadline); }

    void give(detail::Giver& giver) const {
        HandleBase::give(giver);
        lock_.give(giver);
    }
    static Condition take(detail::Taker& taker) {
        Condition condition = HandleBase::take(taker);
        condition.lock_ = RLock::take(taker);
        return condition;
    }

private:
    friend HandleBase<Condition, detail::SharedCondition>;
    explicit Condition(detail::Received received) : HandleBase(std::move(received)) {}

    detail::HeldLock& held(const char* what) const {
        detail::HeldLock& held = lock_.body();
        held.require_mine(what);
        return held;
    }

    bool wait_until(const detail::Deadline& deadline) const {
        detail::HeldLock& held = this->held("wait");
        detail::SharedCondition& condition = body();
        const auto number = condition.begin_wait();
        const std::uint32_t depth = held.release_all(parking());
        bool notified = condition.wait(parking(), number, deadline);
        held.take_back(parking(), depth);
        notified =
            notified || condition.take_pass(number); // it may have come in the meantime: it must not be lost
        condition.end_wait();
        return notified;
    }

    RLock lock_;
};

namespace detail {

struct EventBody {
    std::atomic<std::uint32_t> is_set;
    std::atomic<std::uint32_t> sets; ///< Counts them: who waits sees one that was cleared at once, too.
    ParkingPlace place;
};

} // namespace detail

/// A flag that processes wait for. Python: `multiprocessing.Event`.
class Event : public detail::HandleBase<Event, detail::EventBody> {
public:
    static constexpr char kind[] = "Event";

    Event() = default;

    bool is_set() const { return body().is_set.load(std::memory_order_acquire) != 0; }

    /// Sets it, and lets go on all who wait.
    void set() const {
        detail::EventBody& event = body();
        event.is_set.store(1, std::memory_order_release);
        event.sets.fetch_add(1, std::memory_order_seq_cst);
        detail::post(parking(), event.place);
    }
    void clear() const { body().is_set.store(0, std::memory_order_release); }

    /// Waits until it is set, or was set since the call; false when the time is over.
    bool wait(Timeout timeout = no_timeout) const {
        detail::EventBody& event = body();
        const std::uint32_t sets = event.sets.load(std::memory_order_seq_cst);
        return detail::wait(parking(), event.place, detail::Deadline::after(timeout), [&] {
            return event.is_set.load(std::memory_order_acquire) != 0 ||
                   event.sets.load(std::memory_order_seq_cst) != sets;
        });
    }

private:
    friend HandleBase<Event, detail::EventBody>;
    explicit Event(detail::Received received) : HandleBase(std::move(received)) {}
};

/// How a Barrier is made.
struct BarrierOptions {
    Timeout timeout = no_timeout; ///< Of every wait() that has none of its own.
};

/// Holds back whoever comes until `parties` have. The last to come may run an action before all go on; if that throws, or
/// a wait takes too long, the barrier is broken, and all who wait or come get BrokenBarrierError until reset(). One who is
/// killed while it waits has come; one who is killed in the action breaks the barrier.
///
/// Python: `multiprocessing.Barrier(parties, action, timeout)`.
class Barrier : public detail::HandleBase<Barrier, detail::BarrierBody> {
public:
    static constexpr char kind[] = "Barrier";

    explicit Barrier(Count parties) : Barrier(BarrierOptions{}, parties) {}
    Barrier(BarrierOptions options, Count parties)
        : HandleBase([parties = checked(parties), options](detail::BarrierBody& body) {
              body.parties = parties;
              body.set_timeout(options.timeout);
          }) {}
    /// `action` is a function or functor that is Serializable; it runs in the process that comes last.
    template <class Action>
    Barrier(Count parties, Action action, Timeout timeout = no_timeout)
        : Barrier(BarrierOptions{timeout}, parties, std::move(action)) {}
    template <class Action>
    Barrier(BarrierOptions options, Count parties, Action action)
        : Barrier(checked(parties), options.timeout, detail::BarrierAction::of(action)) {}

    /// Waits for the others; returns which this one was to come, from 0. Throws BrokenBarrierError; what the action
    /// throws, where it was run.
    int wait(std::optional<Timeout> timeout = {}) const {
        detail::BarrierBody& body = this->body();
        const auto deadline = detail::Deadline::after(timeout ? *timeout : body.timeout());
        const auto arrival = body.barrier.arrive(parking(), body.parties, body.action_bytes != 0,
                                                 detail::this_thread(), deadline);
        if (!arrival.rank) throw_broken();
        if (arrival.acts) {
            act(body, arrival.generation);
        } else if (!body.barrier.await(parking(), arrival.generation, deadline)) {
            throw_broken();
        }
        return *arrival.rank;
    }

    /// As new: those who wait get BrokenBarrierError.
    void reset() const {
        detail::BarrierBody& body = this->body();
        body.barrier.reset(parking());
    }
    /// Breaks it.
    void abort() const {
        detail::BarrierBody& body = this->body();
        body.barrier.abort(parking());
    }
    int parties() const { return static_cast<int>(body().parties); }
    /// How many have come and wait.
    int n_waiting() const {
        const auto state = body().barrier.state();
        return state.phase == detail::SharedBarrier::Phase::broken ? 0 : state.arrived;
    }
    bool broken() const { return body().barrier.state().phase == detail::SharedBarrier::Phase::broken; }

private:
    friend HandleBase<Barrier, detail::BarrierBody>;
    explicit Barrier(detail::Received received) : HandleBase(std::move(received)) {}
    Barrier(std::uint32_t parties, Timeout timeout, detail::BarrierAction action)
        : HandleBase(
              [=](detail::BarrierBody& body) {
                  body.parties = parties;
                  body.set_timeout(timeout);
                  action.write(body);
              },
              action.bytes()) {}

    static std::uint32_t checked(Count parties) {
        if (parties.value() >= 1 && parties.value() <= detail::SharedBarrier::most_parties)
            return static_cast<std::uint32_t>(parties.value());
        throw std::invalid_argument("multiprocessing: a Barrier has 1 to 65,535 parties, not " +
                                    std::to_string(parties.value()));
    }

    [[noreturn]] static void throw_broken() {
        throw BrokenBarrierError(
            "multiprocessing: the barrier is broken, or was reset: not all parties came in time");
    }

    void act(detail::BarrierBody& body, std::uint32_t generation) const {
        try {
            detail::BarrierAction::run(body);
        } catch (...) {
            body.barrier.break_up(parking(), generation);
            throw;
        }
        if (!body.barrier.act_done(parking(), generation, detail::this_thread())) throw_broken();
    }
};

} // namespace multiprocessing::inline v1
