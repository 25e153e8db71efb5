#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file barrier_body.hpp  A point that a number of parties must reach before any goes on.

#include <multiprocessing/detail/code/thunk.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/platform/parking.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm> // for min
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <thread>

namespace multiprocessing::inline v1::detail {

/// Lies in the Space. All that must fit together is one word, so that a kill leaves it as it was or
/// as it should be: generation 32 | arrived 16 | how the last 12 generations ended | phase 4. Where
/// the phase is acting, the word also says in which of some slots the name of the actor stands,
/// which was written there before: so the actor of a generation is known from the instant at which
/// there is one, and no earlier actor is ever taken for it.
class SharedBarrier {
public:
    static constexpr std::uint32_t most_parties = 0xFFFF;

    enum class Phase : std::uint8_t {
        filling, ///< Waits for parties.
        broken,  ///< Until reset.
        acting,  ///< All are there; the last to come runs the action. This and what follows: slot 0, slot 1 ...
    };

    struct State {
        std::uint32_t generation;
        std::uint16_t arrived;
        /// Bit i: the generation i + 1 ago ended with all parties there, and not by a reset.
        std::uint16_t passed;
        Phase phase;
        std::uint8_t slot = 0; ///< Of the actor's name, where the phase is acting.
    };

    /// What arrive() found. `rank` is nullopt if the barrier is broken.
    struct Arrival {
        std::optional<std::uint16_t> rank;
        std::uint32_t generation = 0;
        bool acts = false; ///< The last one; it runs the action, then calls act_done() or act_failed().
        std::uint8_t slot = 0;
    };

    State state() const noexcept { return unpacked(word_.load(std::memory_order_seq_cst)); }

    /// Arrives. If all are there and there is no action, all go on at once.
    Arrival arrive(const platform::Parking& parking, std::uint32_t parties, bool has_action,
                   platform::ThreadName self, const Deadline& deadline) {
        Slot mine{*this, self};
        for (;;) {
            const State now = state();
            if (now.phase == Phase::broken) return {};
            if (now.phase == Phase::acting) { // the ones before are not through
                if (!await(parking, now.generation, deadline)) return {};
                continue;
            }
            State next = now;
            ++next.arrived;
            const bool last = next.arrived == parties;
            const bool acts = last && has_action;
            if (acts && !mine.claim()) {
                // All slots are taken by threads that are about to be the last to come, too: one of
                // them will be, or all are stopped.
                if (deadline.passed()) return {};
                std::this_thread::sleep_for(deadline.left(std::chrono::milliseconds{1}));
                continue;
            }
            if (acts) {
                next.phase = Phase::acting;
                next.slot = mine.number();
            } else if (last) {
                next = ended(now, true);
            }
            // Killed before this: the slot has the name of a dead thread, and is taken again.
            // After: the actor is dead.
            if (!exchange(now, next)) continue;
            if (acts) mine.keep();
            if (last && !has_action) post(parking, place_);
            return {now.arrived, now.generation, acts, next.slot};
        }
    }

    /// Lets all go on, after the action. Returns false if the barrier was broken or reset
    /// meanwhile.
    bool act_done(const platform::Parking& parking, const Arrival& arrival) {
        const State now = state();
        const bool is_ours = now.generation == arrival.generation && now.phase == Phase::acting;
        const bool done = is_ours && exchange(now, ended(now, true));
        actors_[arrival.slot].store(0, std::memory_order_release); // it names the actor of nothing any more
        if (done) post(parking, place_);
        return done;
    }
    /// Breaks the barrier after the action has thrown, unless it was reset meanwhile.
    void act_failed(const platform::Parking& parking, const Arrival& arrival) {
        break_up(parking, arrival.generation);
        actors_[arrival.slot].store(0, std::memory_order_release);
    }

    /// Looks once, for a waiter: returns whether the generation has ended, or is broken. Breaks the
    /// barrier if the actor is dead.
    bool is_over(const platform::Parking& parking, std::uint32_t generation) {
        const State now = state();
        if (now.generation != generation || now.phase == Phase::broken) return true;
        if (now.phase == Phase::acting) {
            // If it is 0 the generation has ended since.
            const platform::ThreadName actor = actors_[now.slot].load(std::memory_order_acquire);
            if (actor != 0 && !platform::lives(actor)) break_up(parking, generation);
        }
        return false;
    }

    /// Waits until the generation has ended; true if all were there. A wait that takes too long
    /// breaks the barrier.
    bool await(const platform::Parking& parking, std::uint32_t generation, const Deadline& deadline) {
        const auto over = [&] { return is_over(parking, generation); };
        if (!detail::wait(parking, place_, deadline, over)) {
            break_up(parking, generation);
            if (!over()) return false;
        }
        const State now = state();
        const std::uint32_t since = now.generation - generation;
        return since != 0 && since <= 12 && (now.passed >> (since - 1) & 1) != 0;
    }

    /// Breaks the barrier, unless the generation has ended.
    void break_up(const platform::Parking& parking, std::uint32_t generation) {
        for (State now = state(); now.generation == generation && now.phase != Phase::broken; now = state()) {
            if (!exchange(now, {now.generation, now.arrived, now.passed, Phase::broken, 0})) continue;
            post(parking, place_);
            return;
        }
    }
    void abort(const platform::Parking& parking) { break_up(parking, state().generation); }

    /// Makes it as new. Waiters go on, and learn that not all were there.
    void reset(const platform::Parking& parking) {
        for (;;) {
            const State now = state();
            if (now.phase == Phase::filling && now.arrived == 0) return;
            if (exchange(now, ended(now, false))) break;
        }
        post(parking, place_);
    }

private:
    static constexpr std::uint8_t actor_slots = 14;

    /// Where an arriving thread says that it is to be the actor, before it is.
    class Slot {
    public:
        Slot(SharedBarrier& barrier, platform::ThreadName self) noexcept : barrier_(barrier), self_(self) {}
        Slot(const Slot&) = delete;
        Slot& operator=(const Slot&) = delete;
        ~Slot() {
            if (taken_) barrier_.actors_[number_].store(0, std::memory_order_relaxed);
        }
        /// Takes a free slot, or else one whose thread has died; returns false if there is none.
        bool claim() noexcept {
            for (const bool of_dead : {false, true}) {
                for (std::uint8_t i = 0; !taken_ && i < actor_slots; ++i) {
                    platform::ThreadName now = barrier_.actors_[i].load(std::memory_order_relaxed);
                    if (now != 0 && (!of_dead || platform::lives(now) || barrier_.is_acting_in(i))) continue;
                    // Acquire and release: what the one before wrote of its generation comes first.
                    taken_ = barrier_.actors_[i].compare_exchange_strong(now, self_, std::memory_order_acq_rel);
                    number_ = i;
                }
            }
            return taken_;
        }
        std::uint8_t number() const noexcept { return number_; }
        /// Leaves the slot to the actor.
        void keep() noexcept { taken_ = false; }

    private:
        SharedBarrier& barrier_;
        const platform::ThreadName self_;
        std::uint8_t number_ = 0;
        bool taken_ = false;
    };

    bool is_acting_in(std::uint8_t slot) const noexcept {
        const State now = state();
        return now.phase == Phase::acting && now.slot == slot;
    }

    static constexpr std::uint64_t packed(State state) noexcept {
        const auto phase = static_cast<std::uint64_t>(state.phase) + state.slot;
        return std::uint64_t{state.generation} << 32 | std::uint64_t{state.arrived} << 16 |
               (std::uint64_t{state.passed} & 0xFFF) << 4 | phase;
    }
    static constexpr State unpacked(std::uint64_t word) noexcept {
        constexpr auto acting = static_cast<std::uint8_t>(Phase::acting);
        const auto phase = static_cast<std::uint8_t>(word & 0xF);
        return {static_cast<std::uint32_t>(word >> 32), static_cast<std::uint16_t>(word >> 16),
                static_cast<std::uint16_t>(word >> 4 & 0xFFF), static_cast<Phase>((std::min)(phase, acting)),
                static_cast<std::uint8_t>(phase > acting ? phase - acting : 0)};
    }
    static constexpr State ended(State now, bool all_there) noexcept {
        return {now.generation + 1, 0, static_cast<std::uint16_t>(now.passed << 1 | (all_there ? 1 : 0)),
                Phase::filling, 0};
    }
    bool exchange(State from, State to) noexcept {
        std::uint64_t expected = packed(from);
        return word_.compare_exchange_strong(expected, packed(to), std::memory_order_seq_cst);
    }

    std::atomic<std::uint64_t> word_{0};
    std::array<std::atomic<platform::ThreadName>, actor_slots> actors_{};
    ParkingPlace place_;
};

/// Lies in the Space, followed by the bytes of the action's state.
struct BarrierBody {
    SharedBarrier barrier;
    std::uint32_t parties;
    std::int64_t nanoseconds;   ///< Longest wait; negative: no limit.
    std::uint64_t action_bytes; ///< Of the action's state; 0: no action.
    /// Shared objects that the state refers to, in order; each handle keeps them.
    std::uint32_t action_objects;
    ThunkAddress action;
    char file[160]; ///< Of the image that holds the action, for people.

    void set_timeout(Timeout timeout) noexcept { nanoseconds = timeout.span() ? timeout.span()->count() : -1; }
    Timeout time_limit() const noexcept {
        return nanoseconds < 0 ? no_timeout : Timeout{std::chrono::nanoseconds{nanoseconds}};
    }
};

} // namespace multiprocessing::inline v1::detail
