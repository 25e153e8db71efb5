#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file lock.hpp  Lock and RLock: locks between processes.

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

/// The base of Lock and RLock.
template <class Derived>
class LockHandle : public HandleBase<Derived, LockBody>, public Lockable<Derived> {
public:
    /// Releases the lock. Throws `std::logic_error` if another thread holds it,
    /// `std::invalid_argument` if no thread does. Python: `release()`; there any process may
    /// release a Lock, for which this library has Semaphore{1}.
    void release() const {
        LockBody& held = this->body();
        held.release(this->parking());
    }

    /// Returns whether any thread holds the lock. Python 3.14: `locked()`.
    bool locked() const { return this->body().lock.holder() != 0; }

    /// Returns whether the present holder acquired the lock after a holder that had ended without
    /// releasing it, so that the protected data may be half changed. False again after the release.
    /// Python has no such thing: there all waiters wait forever.
    bool recovered() const { return this->body().lock.recovered(); }

    /// Returns `<RLock(owner=MainProcess, count=1)>`. Python: `repr(lock)`.
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

/// A lock that one thread of one process holds at a time. A holder that acquires it again would
/// wait for itself, so that throws `std::logic_error`. When the holder dies, or ends without
/// releasing the lock, the next thread that asks acquires it: see recovered().
///
/// Python: `multiprocessing.Lock`, which has no owner.
class Lock : public detail::LockHandle<Lock> {
public:
    static constexpr char kind[] = "Lock";

    Lock() : LockHandle([](detail::LockBody& held) { held.plain = 1; }) {}

private:
    friend HandleBase<Lock, detail::LockBody>;
    friend struct detail::RLockAccess;
    explicit Lock(detail::Received received) : LockHandle(std::move(received)) {}
};

/// A lock that its holder may acquire again, and has to release as often. Otherwise as Lock.
/// Python: `multiprocessing.RLock`.
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

/// RLocks that refer to the lock of another object.
struct RLockAccess {
    template <class AnyLock>
    static const std::shared_ptr<SharedObject>& object_of(const AnyLock& lock) noexcept {
        return lock.object();
    }
    /// Refers to a Lock, which stays a Lock, or to an object that begins with a LockBody.
    static RLock of(const std::shared_ptr<SharedObject>& object) { return RLock(Received{object}); }
};

} // namespace detail

} // namespace multiprocessing::inline v1
