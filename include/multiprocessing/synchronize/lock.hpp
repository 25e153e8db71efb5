#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file lock.hpp  Lock and RLock: handles of a lock between processes.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/shared_object/handle_base.hpp>
#include <multiprocessing/detail/synchronize/lock_body.hpp>
#include <multiprocessing/detail/synchronize/lockable.hpp>
#include <multiprocessing/timeout.hpp>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1 {

class Lock;

namespace detail {

struct RLockAccess;

/// What Lock and RLock have in common.
template <class Derived>
class LockHandle : public HandleBase<Derived, LockBody>, public Lockable<Derived> {
public:
    /// Gives it up. Throws `std::logic_error` if another thread holds it, `std::invalid_argument`
    /// if nobody does. Python: `release()`, which there any process may call on a Lock; here that
    /// takes a Semaphore{1}.
    void release() const {
        LockBody& held = this->body();
        held.release(this->parking());
    }

    /// Whether somebody holds it. Python 3.14: `locked()`.
    bool locked() const { return this->body().lock.holder() != 0; }

    /// Whether its holder took it from a thread or process that had ended without releasing it:
    /// what it protects may be half changed. Until it is released. Python has no such thing: there
    /// everybody waits for ever.
    bool recovered() const { return this->body().lock.recovered(); }

    /// `<RLock(owner=MainProcess, count=1)>`. Python: `repr(lock)`.
    std::string repr() const {
        bool plain = std::is_same_v<Derived, Lock>;
        LockBody::Holder holder{"unknown", "unknown"};
        this->known([&] {
            const LockBody& held = this->body();
            plain = held.plain != 0; // an RLock may refer to a Lock
            holder = held.shown_holder();
            return std::string();
        });
        if (plain) return "<Lock(owner=" + holder.name + ")>";
        return "<RLock(owner=" + holder.name + ", count=" + holder.count + ")>";
    }

    bool acquire_until(const Deadline& deadline) const {
        LockBody& held = this->body();
        return held.acquire(this->parking(), deadline);
    }

protected:
    using HandleBase<Derived, LockBody>::HandleBase;
};

} // namespace detail

/// A lock that one thread of one process holds at a time. Who holds it and takes it again would
/// wait for itself: that is `std::logic_error`. When its holder dies, or ends without releasing it,
/// the next taker gets it: see recovered().
///
/// Python: `multiprocessing.Lock`, but for its owner.
class Lock : public detail::LockHandle<Lock> {
public:
    static constexpr char kind[] = "Lock";

    Lock() : LockHandle([](detail::LockBody& held) { held.plain = 1; }) {}

private:
    friend HandleBase<Lock, detail::LockBody>;
    friend struct detail::RLockAccess;
    explicit Lock(detail::Received received) : LockHandle(std::move(received)) {}
};

/// A lock that its holder may take again, and must release as often. Else as Lock. Python:
/// `multiprocessing.RLock`.
class RLock : public detail::LockHandle<RLock> {
public:
    static constexpr char kind[] = "RLock";

    RLock() = default;

private:
    friend HandleBase<RLock, detail::LockBody>;
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
    /// To a Lock, which it goes on being, or to an object with a LockBody at its beginning.
    static RLock of(const std::shared_ptr<SharedObject>& object) { return RLock(Received{object}); }
};

} // namespace detail

} // namespace multiprocessing::inline v1
