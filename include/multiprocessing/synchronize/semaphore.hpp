#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file semaphore.hpp  Semaphore and BoundedSemaphore: a counter that processes decrement and wait
/// for.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/shared_object/handle_base.hpp>
#include <multiprocessing/detail/synchronize/lockable.hpp>
#include <multiprocessing/detail/synchronize/semaphore_body.hpp>
#include <multiprocessing/timeout.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace multiprocessing::inline v1 {

namespace detail {

/// The base of Semaphore and BoundedSemaphore.
template <class Derived>
class SemaphoreHandle : public HandleBase<Derived, SemaphoreBody>, public Lockable<Derived> {
public:
    /// Returns how often it can be acquired at the moment, without waiting. Python: `get_value()`.
    int get_value() const { return static_cast<int>(this->body().value()); }
    /// Returns whether it cannot be acquired at the moment. Python 3.14: `locked()`.
    bool locked() const { return get_value() == 0; }

    /// Returns `<Semaphore(value=2)>`. Python: `repr(semaphore)`.
    std::string repr() const {
        return std::string("<") + Derived::kind +
               "(value=" + this->known([&] { return std::to_string(get_value()); }) +
               static_cast<const Derived&>(*this).further() + ")>";
    }

    bool acquire_until(const Deadline& deadline) const {
        SemaphoreBody& semaphore = this->body();
        return semaphore.acquire(this->parking(), deadline);
    }

protected:
    explicit SemaphoreHandle(Count value)
        : HandleBase<Derived, SemaphoreBody>(
              [value = checked(value)](SemaphoreBody& semaphore) { semaphore.set(value); }) {}
    explicit SemaphoreHandle(detail::Received received)
        : HandleBase<Derived, SemaphoreBody>(std::move(received)) {}

    void release_up_to(std::uint32_t limit) const {
        SemaphoreBody& semaphore = this->body();
        if (semaphore.release(this->parking(), limit)) return;
        throw std::invalid_argument(std::string("multiprocessing: release() of a ") + Derived::kind +
                                    " that is at its limit of " + std::to_string(limit) +
                                    ": it was released more often than acquired");
    }

private:
    static std::uint32_t checked(Count value) {
        if (value.value() <= SemaphoreBody::most) return static_cast<std::uint32_t>(value.value());
        throw std::invalid_argument("multiprocessing: " + std::to_string(value.value()) +
                                    " is more than a semaphore holds, " + std::to_string(SemaphoreBody::most));
    }
};

} // namespace detail

/// A counter. acquire() decrements it, and waits while it is 0; release() increments it. It has no
/// owner: any thread of any process may release, so `Semaphore{1}` can hand work over where a Lock
/// cannot. What a process had acquired when it died stays acquired.
///
/// Python: `multiprocessing.Semaphore(value)`.
class Semaphore : public detail::SemaphoreHandle<Semaphore> {
public:
    static constexpr char kind[] = "Semaphore";

    /// Makes a semaphore that can be acquired once.
    Semaphore() : SemaphoreHandle(1) {}
    /// Makes a semaphore of this value; 0 means that it must be released first.
    explicit Semaphore(Count value) : SemaphoreHandle(value) {}

    /// Increments the counter. Throws `std::invalid_argument` beyond 2,147,483,647. Python:
    /// `release()`.
    void release() const { release_up_to(detail::SemaphoreBody::most); }

private:
    friend HandleBase<Semaphore, detail::SemaphoreBody>;
    friend SemaphoreHandle;
    std::string further() const;
    explicit Semaphore(detail::Received received) : SemaphoreHandle(std::move(received)) {}
};

/// A Semaphore that cannot be released above its initial value: that throws
/// `std::invalid_argument`. Python: `multiprocessing.BoundedSemaphore(value)`.
class BoundedSemaphore : public detail::SemaphoreHandle<BoundedSemaphore> {
public:
    static constexpr char kind[] = "BoundedSemaphore";

    /// Makes a semaphore that can be acquired once.
    BoundedSemaphore() : SemaphoreHandle(1) {}
    /// Makes a semaphore of this value, which is also its limit.
    explicit BoundedSemaphore(Count value) : SemaphoreHandle(value) {}

    /// Increments the counter. Throws `std::invalid_argument` above the initial value. Python:
    /// `release()`.
    void release() const;

private:
    friend HandleBase<BoundedSemaphore, detail::SemaphoreBody>;
    friend SemaphoreHandle;
    std::string further() const;
    explicit BoundedSemaphore(detail::Received received) : SemaphoreHandle(std::move(received)) {}
};

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1 {

MULTIPROCESSING_INLINE std::string Semaphore::further() const { return {}; }

MULTIPROCESSING_INLINE void BoundedSemaphore::release() const {
    const std::uint32_t limit = body().first();
    release_up_to(limit);
}

MULTIPROCESSING_INLINE std::string BoundedSemaphore::further() const {
    return ", maxvalue=" + known([&] { return std::to_string(body().first()); });
}

} // namespace multiprocessing::inline v1

#endif // MULTIPROCESSING_BODIES
