#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file event.hpp  Event: a flag that processes wait for.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/shared_object/handle_base.hpp>
#include <multiprocessing/detail/synchronize/event_body.hpp>
#include <multiprocessing/timeout.hpp>

#include <string>
#include <utility>

namespace multiprocessing::inline v1 {

/// A flag that processes wait for. Python: `multiprocessing.Event`.
class Event : public detail::HandleBase<Event, detail::EventBody> {
public:
    static constexpr char kind[] = "Event";

    Event() = default;

    /// Returns whether the flag is set. Python: `is_set()`.
    bool is_set() const;

    /// Sets the flag, and wakes all waiters. Python: `set()`.
    void set() const;
    /// Clears the flag: later calls of wait() wait. Python: `clear()`.
    void clear() const;

    /// Waits until the flag is set, or was set during the call. Returns false after the timeout.
    /// Python: `wait(timeout)`.
    bool wait(Timeout timeout = no_timeout) const;

    /// Returns `<Event at 0x7f1798d1e0d0 unset>`. Python: `repr(event)`.
    std::string repr() const;

private:
    using Body = detail::EventBody;
    friend HandleBase<Event, detail::EventBody>;
    explicit Event(detail::Received received) : HandleBase(std::move(received)) {}
};

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES
#include <atomic>
#include <cstdint>

namespace multiprocessing::inline v1 {

MULTIPROCESSING_INLINE bool Event::is_set() const {
    return (body().state.load(std::memory_order_acquire) & Body::set_bit) != 0;
}

MULTIPROCESSING_INLINE void Event::set() const {
    Body& event = body();
    std::uint32_t now = event.state.load(std::memory_order_relaxed);
    while (!event.state.compare_exchange_weak(now, (now + 2) | Body::set_bit, std::memory_order_seq_cst)) {}
    // Killed here: the waiters look again by themselves.
    detail::post(parking(), event.place);
}

MULTIPROCESSING_INLINE void Event::clear() const {
    body().state.fetch_and(~Body::set_bit, std::memory_order_acq_rel);
}

MULTIPROCESSING_INLINE bool Event::wait(Timeout timeout) const {
    Body& event = body();
    const std::uint32_t before = event.state.load(std::memory_order_acquire);
    if (before & Body::set_bit) return true;
    return detail::wait(parking(), event.place, detail::Deadline::after(timeout),
                        [&] { return event.state.load(std::memory_order_seq_cst) != before; });
}

MULTIPROCESSING_INLINE std::string Event::repr() const {
    return "<Event at " + identity() + " " + known([&] { return std::string(is_set() ? "set" : "unset"); }) +
           ">";
}

} // namespace multiprocessing::inline v1

#endif // MULTIPROCESSING_BODIES
