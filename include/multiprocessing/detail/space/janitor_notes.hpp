#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file janitor_notes.hpp  Notes in the Space of the named memory that processes of the tree made,
/// for the process that outlives them.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/thread.hpp>

#include <atomic>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// Which memory is to lose its name when everybody has died; see janitor.hpp. All zero is a valid
/// one. A note is two words and its writer may be killed between them: then nobody reads it.
class NamedNotes {
public:
    /// Notes that the process of that incarnation made the memory of that identity; false if there
    /// is no room.
    bool add(std::uint64_t identity, std::uint32_t owner) noexcept {
        for (Note& note : notes_) {
            std::uint32_t nobody = 0;
            if (!note.owner.compare_exchange_strong(nobody, owner, std::memory_order_acq_rel)) continue;
            note.identity.store(identity, std::memory_order_release);
            return true;
        }
        return false;
    }

    /// Wipes out the notes for which `which(identity, owner)` is true.
    template <class Which>
    void forget_if(Which which) {
        for (Note& note : notes_) {
            const std::uint32_t owner = note.owner.load(std::memory_order_acquire);
            std::uint64_t identity = note.identity.load(std::memory_order_acquire);
            if (owner == 0 || identity == 0 || !which(identity, owner)) continue;
            // Another process may be at the same note; then it is that one's, and perhaps a new one
            // by now.
            if (note.identity.compare_exchange_strong(identity, 0, std::memory_order_acq_rel))
                note.owner.store(0, std::memory_order_release);
        }
    }

    /// Returns whether the caller is the one to start the tree's janitor: there is none, or
    /// `has_ended(thread)` says of the thread that the word names, the janitor's or the one that
    /// was to start it, that it has ended. If the caller cannot start one it calls lacks_janitor().
    template <class HasEnded>
    bool wants_janitor(HasEnded has_ended) noexcept {
        std::uint64_t now = janitor_.load(std::memory_order_acquire);
        while (now == 0 || has_ended(now)) {
            // Killed behind this, before the janitor runs: the next thread that makes a name finds
            // this one dead.
            if (janitor_.compare_exchange_strong(now, platform::name_of_this_thread(),
                                                 std::memory_order_acq_rel))
                return true;
        }
        return false;
    }
    void lacks_janitor() noexcept { janitor_.store(0, std::memory_order_release); }

    /// By the janitor, when it runs. Killed here, before: the process that started it sees that, as
    /// its parent; others take it for started as long as that thread lives, and the names made
    /// meanwhile are taken away by the next janitor, which reads the same notes.
    void enter_janitor() noexcept {
        janitor_.store(platform::name_of_this_thread(), std::memory_order_release);
    }

private:
    struct Note {
        std::atomic<std::uint32_t> owner; ///< Taken by compare-and-swap from 0.
        std::atomic<std::uint64_t> identity;
    };

    std::atomic<std::uint64_t> janitor_; // names its thread, or the one that starts it; 0: there is none
    Note notes_[4096];
};

} // namespace multiprocessing::inline v1::detail
