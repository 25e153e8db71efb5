#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file forked_copies.hpp  The copies of this process that the program's own fork() makes, and
/// what is kept for them.
///
/// Such a copy goes on using the locks, queues and values that were made before it, and may pass
/// them on. It joins the tree under a name of its own, which its original draws for it. What its
/// original lets go of afterwards stays in memory until the copy and all that descends from it have
/// gone, which a pipe tells. A handle that was not used yet is given its object before the fork, so
/// that both sides have the same one.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/of_this_copy.hpp>
#include <multiprocessing/detail/process_wide.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>
#include <multiprocessing/detail/this_process.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Opens, in the main process before the first child or copy, what all its descendants hold, so
/// that the janitor knows when the last of them has gone. Holding ThisProcess's mutex.
MULTIPROCESSING_INLINE void hold_tree(ThisProcess& me);

/// An object that a process has, and that a copy of it may go on using.
class Copied {
public:
    Copied(const Copied&) = delete;
    Copied& operator=(const Copied&) = delete;
    virtual ~Copied() = default;

    /// Makes the object of a handle that was not used yet.
    virtual void make_for_copies() = 0;

protected:
    Copied() = default;

private:
    friend class ForkedCopies;
    std::uint32_t forks_before_ = 0; // when it was made
    bool listed_ = false;
    Copied* previous_ = nullptr; // in one list at a time: of the unused, or of the kept
    Copied* next_ = nullptr;
};

class ForkedCopies : public ForkSafe {
public:
    static constexpr StateSlot slot = StateSlot::copies;

    /// Adds a handle whose object is not there yet.
    void add_unused(Copied& object);
    /// Adds a handle of an object that exists.
    void add(Copied& object);
    /// Removes a handle that is used now, or destroyed, by this copy of the process.
    void remove_unused(Copied& object) noexcept;

    /// Destroys an object of this process, unless a living copy has it: then later.
    void destroy(Copied* object) noexcept;

    /// Forgets the copies that have gone, and destroys what was kept for them alone. Looks at most
    /// every 10 ms.
    void collect() noexcept;

    /// Returns how many copies live, and how many objects are kept for them.
    std::size_t living();

    void before_fork();

    void after_fork(bool in_child);

private:
    struct Copy {
        std::uint32_t number; ///< The how-manieth fork of this process made it.
        Incarnation name;
        platform::Handle reader; ///< At its end when the copy and all that descends from it have gone.
        platform::Handle writer; ///< Until the copy has it.
    };

    struct State {
        std::uint32_t forks = 0;     // made by now
        std::uint32_t unwatched = 0; // the newest whose end nobody will see
        std::vector<Copy> living;    // oldest first
        bool prepared = false;       // the last of them is about to be made
        Copied* unused = nullptr;
        Copied* kept = nullptr;
        std::chrono::steady_clock::time_point looked_at{};

        std::uint32_t newest_living() const noexcept;
    };

    static void link(Copied*& list, Copied& object) noexcept;
    static void unlink(Copied*& list, Copied& object) noexcept;

    bool keep(Copied& object) noexcept;

    /// Prepares a copy, before the fork, under the mutexes of all that comes earlier. Whatever
    /// existed until then is kept from now on.
    void prepare_copy(State& state, const TreeMember& member) noexcept;

    /// Begins the life of a copy, which has one thread and holds all mutexes.
    static void enter_copy(State& original);

    static void remove_gone(State& state) noexcept;

    Copied* take_unneeded(State& state) noexcept;

    OfThisCopy<State> state_;
    std::atomic<std::uint32_t> newest_living_{0}; // what existed before that fork is kept; 0: no copy lives
};

inline ForkedCopies& forked_copies() { return process_wide<ForkedCopies>(); }

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/janitor.hpp>
#include <multiprocessing/detail/platform/pipe.hpp>

#include <exception>
#include <mutex>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void hold_tree(ThisProcess& me) {
    if constexpr (platform::names_outlive_processes) {
        if (me.parent || !me.alive.empty()) return;
        platform::Pipe pipe = platform::make_pipe();
        platform::HandleTraits::keep_in_forked_child(pipe.writer.native());
        me.alive.push_back(std::move(pipe.writer));
        me.tree_end = std::move(pipe.reader);
    }
}

MULTIPROCESSING_INLINE void ForkedCopies::add_unused(Copied& object) {
    std::lock_guard lock{mutex};
    State& state = state_.get();
    object.forks_before_ = state.forks;
    link(state.unused, object);
}

MULTIPROCESSING_INLINE void ForkedCopies::add(Copied& object) {
    std::lock_guard lock{mutex};
    object.forks_before_ = state_.get().forks;
}

MULTIPROCESSING_INLINE void ForkedCopies::remove_unused(Copied& object) noexcept {
    std::lock_guard lock{mutex};
    if (State* const state = state_.get_if_any()) unlink(state->unused, object);
}

MULTIPROCESSING_INLINE void ForkedCopies::destroy(Copied* object) noexcept {
    if (newest_living_.load(std::memory_order_acquire) > object->forks_before_ && keep(*object))
        return collect();
    delete object;
}

MULTIPROCESSING_INLINE void ForkedCopies::collect() noexcept {
    if (newest_living_.load(std::memory_order_relaxed) == 0) return;
    Copied* unneeded = nullptr;
    {
        std::lock_guard lock{mutex};
        State* const state = state_.get_if_any();
        if (!state) return;
        const auto now = std::chrono::steady_clock::now();
        if (now < state->looked_at + std::chrono::milliseconds{10}) return;
        state->looked_at = now;
        remove_gone(*state);
        unneeded = take_unneeded(*state);
    }
    while (unneeded) delete std::exchange(unneeded, unneeded->next_);
}

MULTIPROCESSING_INLINE std::size_t ForkedCopies::living() {
    std::lock_guard lock{mutex};
    State* const state = state_.get_if_any();
    return state ? state->living.size() : 0;
}

MULTIPROCESSING_INLINE void ForkedCopies::before_fork() {
    ForkSafe::before_fork();
    if (StartByFork::current()) return; // it gets only what it is passed
    try {
        State& state = state_.get();
        while (state.unused) {
            state.unused->make_for_copies();
            unlink(state.unused, *state.unused);
        }
    } catch (const std::exception&) {} // no memory: in the copy, what was not made throws at its first use
    State* const state = state_.get_if_any();
    const TreeMember* const member = process_wide<Tree>().member_if_any();
    if (state && member) prepare_copy(*state, *member);
}

MULTIPROCESSING_INLINE void ForkedCopies::after_fork(bool in_child) {
    State* const state = state_.latest();
    if (state && state->prepared) {
        state->prepared = false;
        if (in_child) {
            enter_copy(*state);
        } else {
            ++state->forks;
            state->living.back().writer.close(); // the copy alone has it from here on
        }
    }
    if (in_child) newest_living_.store(0, std::memory_order_relaxed);
    ForkSafe::after_fork(in_child);
}

MULTIPROCESSING_INLINE std::uint32_t ForkedCopies::State::newest_living() const noexcept {
    return living.empty() || living.back().number < unwatched ? unwatched : living.back().number;
}

MULTIPROCESSING_INLINE void ForkedCopies::link(Copied*& list, Copied& object) noexcept {
    object.previous_ = nullptr;
    object.next_ = list;
    if (list) list->previous_ = &object;
    list = &object;
    object.listed_ = true;
}

MULTIPROCESSING_INLINE void ForkedCopies::unlink(Copied*& list, Copied& object) noexcept {
    if (!std::exchange(object.listed_, false)) return;
    if (object.next_) object.next_->previous_ = object.previous_;
    (object.previous_ ? object.previous_->next_ : list) = object.next_;
}

MULTIPROCESSING_INLINE bool ForkedCopies::keep(Copied& object) noexcept {
    std::lock_guard lock{mutex};
    State* const state = state_.get_if_any();
    if (!state || newest_living_.load(std::memory_order_relaxed) <= object.forks_before_) return false;
    link(state->kept, object);
    return true;
}

MULTIPROCESSING_INLINE void ForkedCopies::prepare_copy(State& state, const TreeMember& member) noexcept {
    const std::uint32_t number = state.forks + 1;
    remove_gone(state); // each has a descriptor here
    try {
        ThisProcess& me = this_process();
        hold_tree(me);
        me.alive.reserve(me.alive.size() + 1); // for the copy, which may not fail
        platform::Pipe pipe = platform::make_pipe();
        platform::HandleTraits::keep_in_forked_child(pipe.writer.native());
        state.living.push_back({number, member.space.new_incarnation(member.self), std::move(pipe.reader),
                                std::move(pipe.writer)});
        state.prepared = true;
    } catch (const std::exception&) { // out of descriptors: then nobody can tell when the copy has gone
        state.forks = state.unwatched = number;
    }
    newest_living_.store(state.newest_living(), std::memory_order_release);
}

MULTIPROCESSING_INLINE void ForkedCopies::enter_copy(State& original) {
    Copy& mine = original.living.back();
    this_process().alive.push_back(std::move(mine.writer));
    process_wide<Tree>().set_name_of_copy(mine.name);
}

MULTIPROCESSING_INLINE void ForkedCopies::remove_gone(State& state) noexcept {
    for (std::size_t i = state.living.size() - state.prepared; i-- > 0;) {
        try {
            if (!platform::at_end(state.living[i].reader)) continue;
            tree().heap.adopt(state.living[i].name);
        } catch (const std::exception&) { continue; } // unknown is not gone; without memory, later
        state.living.erase(state.living.begin() + static_cast<std::ptrdiff_t>(i));
    }
}

MULTIPROCESSING_INLINE Copied* ForkedCopies::take_unneeded(State& state) noexcept {
    const std::uint32_t newest = state.newest_living();
    newest_living_.store(newest, std::memory_order_release);
    Copied* unneeded = nullptr;
    for (Copied* at = state.kept; at;) {
        Copied& object = *std::exchange(at, at->next_);
        if (newest > object.forks_before_) continue;
        unlink(state.kept, object);
        object.next_ = std::exchange(unneeded, &object);
    }
    return unneeded;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
