#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file this_process.hpp  This process: its name, its rank in its family, and how far its
/// start has come.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/process_wide.hpp>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace multiprocessing::inline v1::detail {

struct ChildRecord;

/// What a process is called. Children inherit what their parent does not name.
struct ProcessIdentity {
    std::string name = "MainProcess";
    bool daemon = false;
    std::string authkey; // 32 random bytes, made by the first process that needs them
};

/// The process that started this one.
struct ParentIdentity {
    ProcessIdentity identity;
    int pid = 0;
};

class ThisProcess : public ForkSafe {
public:
    static constexpr StateSlot slot = StateSlot::self;

    // Guarded by `mutex`.
    ProcessIdentity identity;
    std::optional<ParentIdentity> parent; // none in the main process
    unsigned children_named = 0;          // how many default names were given

    // Handles of a child, for its whole life; empty in the main process.
    platform::Handle strand;             // of the parent's lifeline
    std::vector<platform::Handle> alive; // while any copy is open, an ancestor knows that its subtree lives
    platform::Handle tree_end;           // what the janitor reads from: in the main process alone
    std::vector<platform::Handle> given; // among the arguments of the target, until that takes them
    platform::Handle channel;            // of a server to its parent, until the server takes it
    ChildRecord* record = nullptr;       // what the parent reads about this process
    bool ignored_interrupt_before = false;
    std::atomic<void (*)()> start_janitor{
        nullptr};                   // set by freeze_support(), which is above the headers that call it
    std::atomic<int> made_names{0}; // pid of this process if it made memory with a name; in a copy, another's
    std::atomic<platform::IdSpace> id_space{
        0};                                 // of the tree that this process is in; 0 as long as it is in none
    std::atomic<int> janitor{0};            // pid of the tree's, if this process has started it
    std::atomic<bool> ends_children{false}; // nobody replaces what ends from here on
    bool ends_family = false;               // a worker: what its tasks have started ends with it

    /// Counts the processes between the main one and this. An object remembers the life in which it
    /// was made; in another one it is another process's. Life 0 in a spawned child is its
    /// initialisation.
    std::uint32_t life() const noexcept { return life_.load(std::memory_order_relaxed); }
    void begin_life() noexcept { life_.fetch_add(1, std::memory_order_relaxed); }

    /// Counts all forks, also the program's own, which leave `life` as it is.
    std::uint32_t copies() const noexcept { return count_copies(); }

    /// Returns whether main() called freeze_support(), so that this program can be started as a
    /// child.
    bool is_prepared() const noexcept { return prepared_.load(std::memory_order_relaxed); }
    void prepare() noexcept { prepared_.store(true, std::memory_order_relaxed); }

    /// Threads of the library, which never hold a lock of the program's: a fork beside them is
    /// harmless.
    std::atomic<int> own_threads{0};
    std::atomic<bool> warned_of_threads{false};

    /// Returns whether some fork on the way to this process lost the stacks of other threads: what
    /// only they pointed to looks like a leak from then on.
    bool has_lost_stacks() const noexcept { return lost_stacks_; }

    /// Returns the key that authenticates kin to each other. Holding `mutex`.
    const std::string& key();

    void before_fork();
    void after_fork(bool in_child);

private:
    std::atomic<std::uint32_t> life_{0};
    std::atomic<bool> prepared_{false};
    bool forks_beside_threads_ = false; // guarded by `mutex`
    bool lost_stacks_ = false;          // written where there is one thread only
};

inline ThisProcess& this_process() { return process_wide<ThisProcess>(); }

/// Returns the default name of the next child: "Process-1", below that "Process-1:1".
MULTIPROCESSING_INLINE std::string next_process_name();

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/fork.hpp>
#include <multiprocessing/detail/platform/identity.hpp>

#include <cstddef>
#include <mutex>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE const std::string& ThisProcess::key() {
    if (identity.authkey.empty()) {
        std::string made(32, '\0');
        platform::fill_random({reinterpret_cast<std::byte*>(made.data()), made.size()});
        identity.authkey = std::move(made);
    }
    return identity.authkey;
}

MULTIPROCESSING_INLINE void ThisProcess::before_fork() {
    ForkSafe::before_fork();
    forks_beside_threads_ = platform::foreign_threads(0) != 0; // unknown: there may be some
}

MULTIPROCESSING_INLINE void ThisProcess::after_fork(bool in_child) {
    if (in_child) {
        lost_stacks_ = lost_stacks_ || forks_beside_threads_;
        own_threads = 0; // threads are not copied
        janitor = 0;     // a child of the other process
    }
    ForkSafe::after_fork(in_child);
}

MULTIPROCESSING_INLINE std::string next_process_name() {
    ThisProcess& me = this_process();
    std::lock_guard lock{me.mutex};
    const std::string number = std::to_string(++me.children_named);
    return (me.parent ? me.identity.name + ":" : "Process-") + number;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
