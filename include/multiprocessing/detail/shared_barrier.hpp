#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file shared_barrier.hpp  A place where so many must arrive before any goes on.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking.hpp>
#include <multiprocessing/detail/platform/parking.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/timeout.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace multiprocessing::inline v1::detail {

/// Lies in the Space. All that must fit together is one word, so that a kill leaves it as it was or as it should be:
/// generation 32 | arrived 16 | how the last 12 generations ended | phase 4.
class SharedBarrier {
public:
    static constexpr std::uint32_t most_parties = 0xFFFF;

    enum class Phase : std::uint8_t {
        filling, ///< Waits for parties.
        acting,  ///< All are there; the last to come runs the action.
        broken,  ///< Until reset.
    };

    struct State {
        std::uint32_t generation;
        std::uint16_t arrived;
        std::uint16_t
            passed; ///< Bit i: the generation i + 1 ago ended with all parties there, and not by a reset.
        Phase phase;
    };

    /// What arrive() found. `rank` is nullopt if the barrier is broken.
    struct Arrival {
        std::optional<std::uint16_t> rank;
        std::uint32_t generation = 0;
        bool acts = false; ///< The last one; it runs the action, then calls act_done().
    };

    State state() const noexcept { return unpacked(word_.load(std::memory_order_seq_cst)); }

    /// Arrives. If all are there and there is no action, all go on at once.
    Arrival arrive(const platform::Parking& parking, std::uint32_t parties, bool has_action,
                   platform::ThreadName self, const Deadline& deadline) {
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
            if (last)
                next = has_action ? State{now.generation, next.arrived, now.passed, Phase::acting}
                                  : ended(now, true);
            if (!exchange(now, next)) continue;
            if (last && has_action) actor_.store(self, std::memory_order_seq_cst);
            if (last && !has_action) post(parking, place_);
            return {now.arrived, now.generation, last && has_action};
        }
    }

    /// The action has been run: all go on. False if the barrier was broken or reset meanwhile.
    bool act_done(const platform::Parking& parking, std::uint32_t generation, platform::ThreadName self) {
        // Only if it is still ours: after a break and a reset another may be acting.
        actor_.compare_exchange_strong(self, 0, std::memory_order_seq_cst);
        const State now = state();
        if (now.generation != generation || now.phase != Phase::acting || !exchange(now, ended(now, true)))
            return false;
        post(parking, place_);
        return true;
    }

    /// Waits until the generation has ended; true if all were there. A wait that takes too long breaks the barrier.
    bool await(const platform::Parking& parking, std::uint32_t generation, const Deadline& deadline) {
        std::optional<std::chrono::steady_clock::time_point> nobody_acts_since;
        const auto over = [&] {
            const State now = state();
            if (now.generation != generation || now.phase == Phase::broken) return true;
            if (now.phase == Phase::acting && actor_is_dead(nobody_acts_since)) abort(parking);
            return false;
        };
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
            if (!exchange(now, {now.generation, now.arrived, now.passed, Phase::broken})) continue;
            post(parking, place_);
            return;
        }
    }
    void abort(const platform::Parking& parking) { break_up(parking, state().generation); }

    /// As new. Who waits goes on, and learns that not all were there.
    void reset(const platform::Parking& parking) {
        for (;;) {
            const State now = state();
            if (now.phase == Phase::filling && now.arrived == 0) return;
            if (exchange(now, ended(now, false))) break;
        }
        post(parking, place_);
    }

private:
    static constexpr std::uint64_t packed(State state) noexcept {
        return std::uint64_t{state.generation} << 32 | std::uint64_t{state.arrived} << 16 |
               (std::uint64_t{state.passed} & 0xFFF) << 4 | static_cast<std::uint64_t>(state.phase);
    }
    static constexpr State unpacked(std::uint64_t word) noexcept {
        return {static_cast<std::uint32_t>(word >> 32), static_cast<std::uint16_t>(word >> 16),
                static_cast<std::uint16_t>(word >> 4 & 0xFFF), static_cast<Phase>(word & 0xF)};
    }
    static constexpr State ended(State now, bool all_there) noexcept {
        return {now.generation + 1, 0, static_cast<std::uint16_t>(now.passed << 1 | (all_there ? 1 : 0)),
                Phase::filling};
    }
    bool exchange(State from, State to) noexcept {
        std::uint64_t expected = packed(from);
        return word_.compare_exchange_strong(expected, packed(to), std::memory_order_seq_cst);
    }

    /// Whether the one who should run the action has died. It says who it is an instruction after it became that: so one
    /// that has not for a second was killed in between. (If it was only stopped there, its generation is broken for it, too.)
    bool actor_is_dead(std::optional<std::chrono::steady_clock::time_point>& nobody_acts_since) {
        if (const platform::ThreadName actor = actor_.load(std::memory_order_seq_cst))
            return !platform::lives(actor);
        const auto now = std::chrono::steady_clock::now();
        if (!nobody_acts_since) nobody_acts_since = now;
        return now - *nobody_acts_since > std::chrono::seconds{1};
    }

    std::atomic<std::uint64_t> word_{0};
    std::atomic<platform::ThreadName> actor_{0};
    ParkingPlace place_;
};

} // namespace multiprocessing::inline v1::detail
