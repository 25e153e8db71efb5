#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file barrier.hpp  Barrier: a point that a number of processes must reach before any goes on.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/shared_object/handle_base.hpp>
#include <multiprocessing/detail/synchronize/barrier_action.hpp>
#include <multiprocessing/detail/synchronize/barrier_body.hpp>
#include <multiprocessing/timeout.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace multiprocessing::inline v1 {

/// The options of a Barrier.
struct BarrierOptions {
    Timeout timeout = no_timeout; ///< For each wait() that is called without one.
};

/// A point that `parties` threads or processes must reach before any of them goes on. The last to
/// arrive may run an action first. If the action throws, or a wait times out, the barrier is
/// broken: every wait, present or later, throws BrokenBarrierError until reset().
///
/// A process that is killed while it waits counts as arrived; one that is killed in the action
/// breaks the barrier. A waiter that was stopped (SIGSTOP, a debugger) until twelve more
/// generations have passed can no longer learn how its own ended, and throws BrokenBarrierError.
///
/// Python: `multiprocessing.Barrier(parties, action, timeout)`.
class Barrier : public detail::HandleBase<Barrier, detail::BarrierBody> {
public:
    static constexpr char kind[] = "Barrier";

    /// Makes a Barrier of no parties, to be assigned to later: wait() throws `std::logic_error`.
    Barrier() = default;
    /// Makes a Barrier of `parties` threads or processes. Throws `std::invalid_argument` unless
    /// they are 1 to 65,535.
    explicit Barrier(Count parties) : Barrier(BarrierOptions{}, parties) {}
    Barrier(BarrierOptions options, Count parties);
    /// Makes a Barrier with an action: a Spawnable function or functor, so it may hold shared
    /// handles. It runs in the process that arrives last.
    template <class Action>
    Barrier(Count parties, Action action, Timeout timeout = no_timeout)
        : Barrier(BarrierOptions{timeout}, parties, std::move(action)) {}
    template <class Action>
    Barrier(BarrierOptions options, Count parties, Action action)
        : Barrier(checked(parties), options.timeout, detail::BarrierAction::of(action)) {}

    /// Waits until all parties have arrived. Returns the order of arrival, from 0. Throws
    /// BrokenBarrierError if the barrier is broken, or reset, or if the timeout passes, which
    /// breaks it; in the process that ran the action, what the action throws. Python:
    /// `wait(timeout)`.
    int wait(std::optional<Timeout> timeout = {}) const;

    /// Makes the barrier as it was when new; waiters throw BrokenBarrierError. Python: `reset()`.
    void reset() const;
    /// Breaks the barrier: waiters, and later calls of wait(), throw BrokenBarrierError until
    /// reset(). Python: `abort()`.
    void abort() const;
    /// Returns the number of parties. Python: `parties`.
    int parties() const;
    /// Returns the number of waiters. Python: `n_waiting`.
    int n_waiting() const;
    /// Returns whether the barrier is broken. Python: `broken`.
    bool broken() const;

    /// Returns `<multiprocessing.synchronize.Barrier at 0x7f1798d1e290: waiters=0/2>`. Python:
    /// `repr(barrier)`.
    std::string repr() const;

    void export_to(detail::HandleSink& sink) const;
    static Barrier import_from(detail::HandleSource& source);

private:
    friend HandleBase<Barrier, detail::BarrierBody>;
    explicit Barrier(detail::Received received) : HandleBase(std::move(received)) {}
    Barrier(std::uint32_t parties, Timeout timeout, detail::BarrierAction action);

    static std::uint32_t checked(Count parties);

    [[noreturn]] static void throw_broken();

    void act(detail::BarrierBody& body, const detail::SharedBarrier::Arrival& arrival) const;

    // What the action holds handles of: kept as long as this.
    std::shared_ptr<const detail::ActionObjects> objects_ = std::make_shared<const detail::ActionObjects>();
};

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/parking/recovering_lock.hpp>
#include <multiprocessing/exceptions.hpp>

#include <stdexcept>

namespace multiprocessing::inline v1 {

MULTIPROCESSING_INLINE Barrier::Barrier(BarrierOptions options, Count parties)
    : HandleBase([parties = checked(parties), options](detail::BarrierBody& body) {
          body.parties = parties;
          body.set_timeout(options.timeout);
      }) {}

MULTIPROCESSING_INLINE int Barrier::wait(std::optional<Timeout> timeout) const {
    detail::BarrierBody& body = this->body();
    if (body.parties == 0)
        throw std::logic_error(
            "multiprocessing: wait() of a Barrier without parties: it was made by Barrier(); "
            "assign another to it, made by Barrier{n}");
    const auto deadline = detail::Deadline::after(timeout ? *timeout : body.time_limit());
    const auto arrival =
        body.barrier.arrive(parking(), body.parties, body.action_bytes != 0, detail::this_thread(), deadline);
    if (!arrival.rank) throw_broken();
    if (arrival.acts) {
        act(body, arrival);
    } else if (!body.barrier.await(parking(), arrival.generation, deadline)) {
        throw_broken();
    }
    return *arrival.rank;
}

MULTIPROCESSING_INLINE void Barrier::reset() const {
    detail::BarrierBody& body = this->body();
    body.barrier.reset(parking());
}

MULTIPROCESSING_INLINE void Barrier::abort() const {
    detail::BarrierBody& body = this->body();
    body.barrier.abort(parking());
}

MULTIPROCESSING_INLINE int Barrier::parties() const { return static_cast<int>(body().parties); }

MULTIPROCESSING_INLINE int Barrier::n_waiting() const {
    const auto state = body().barrier.state();
    return state.phase == detail::SharedBarrier::Phase::broken ? 0 : state.arrived;
}

MULTIPROCESSING_INLINE bool Barrier::broken() const {
    return body().barrier.state().phase == detail::SharedBarrier::Phase::broken;
}

MULTIPROCESSING_INLINE std::string Barrier::repr() const {
    return "<multiprocessing.synchronize.Barrier at " + identity() + ": " + known([&]() -> std::string {
               if (broken()) return "broken";
               return "waiters=" + std::to_string(n_waiting()) + "/" + std::to_string(parties());
           }) +
           ">";
}

MULTIPROCESSING_INLINE void Barrier::export_to(detail::HandleSink& sink) const {
    HandleBase::export_to(sink);
    for (const auto& object : *objects_) sink.add(object);
}

MULTIPROCESSING_INLINE Barrier Barrier::import_from(detail::HandleSource& source) {
    Barrier barrier = HandleBase::import_from(source);
    if (const std::uint32_t count = barrier.body().action_objects) {
        detail::ActionObjects objects;
        for (std::uint32_t i = 0; i < count; ++i)
            objects.push_back(take_object(source, "object of a Barrier's action"));
        barrier.objects_ = std::make_shared<const detail::ActionObjects>(std::move(objects));
    }
    return barrier;
}

MULTIPROCESSING_INLINE Barrier::Barrier(std::uint32_t parties, Timeout timeout, detail::BarrierAction action)
    : HandleBase(
          [=](detail::BarrierBody& body) {
              body.parties = parties;
              body.set_timeout(timeout);
              action.write(body);
          },
          action.bytes()),
      objects_(std::make_shared<const detail::ActionObjects>(action.objects())) {}

MULTIPROCESSING_INLINE std::uint32_t Barrier::checked(Count parties) {
    if (parties.value() >= 1 && parties.value() <= detail::SharedBarrier::most_parties)
        return static_cast<std::uint32_t>(parties.value());
    throw std::invalid_argument("multiprocessing: a Barrier has 1 to 65,535 parties, not " +
                                std::to_string(parties.value()));
}

MULTIPROCESSING_INLINE void Barrier::throw_broken() {
    throw BrokenBarrierError(
        "multiprocessing: the barrier is broken, or was reset: not all parties came in time");
}

MULTIPROCESSING_INLINE void Barrier::act(detail::BarrierBody& body,
                                         const detail::SharedBarrier::Arrival& arrival) const {
    try {
        detail::BarrierAction::run(body, *objects_);
    } catch (...) {
        body.barrier.act_failed(parking(), arrival);
        throw;
    }
    if (!body.barrier.act_done(parking(), arrival)) throw_broken();
}

} // namespace multiprocessing::inline v1

#endif // MULTIPROCESSING_BODIES
