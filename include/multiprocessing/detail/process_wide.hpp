#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_wide.hpp  What exists once per process, whichever image of
/// it (program, plugin) asks first.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/identity.hpp>

#include <algorithm> // for find
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <thread>

namespace multiprocessing::inline v1::detail {

/// The places of process-wide objects. Their order is the order of locking: a thread that holds the
/// mutex of one may take only the mutexes of later ones; that is also the order in which a fork
/// takes them all.
enum class StateSlot : unsigned {
    executors,    // the reusable executor
    launching,    // lifeline, fork server; held while a start is prepared
    children,     // processes that were started and not yet reaped
    self,         // this process: its name, its parent
    managers,     // the servers of managers that this process talks to
    objects,      // leases of shared objects
    copies,       // the copies of this process that the program's own fork() made
    space,        // the shared memory of the tree and this process's heap in it
    exceptions,   // registered exception types
    start_method, // the default
    exit_hooks,   // at_child_exit
    logger,
    bars,    // of progress, at the bottom of the terminal
    images,  // loaded images, by build-id
    handles, // descriptors that a forked child must not keep
    task,    // what a worker is at
    count
};

/// A type of which there is one object per process. It **must** be default-constructible and name
/// its `static constexpr StateSlot slot`. The object is made on first use and never destroyed:
/// other threads and exit handlers may still use it at the very end.
///
/// Around a fork, by whichever thread: `before_fork()` takes the object's mutex, so that the child
/// finds it whole; `after_fork(in_child)` gives it back and, in the child, forgets what was the
/// parent's alone. It destroys and frees nothing: that is the parent's to do.
template <class T>
concept ProcessWide = requires(T object, bool in_child) {
    { T::slot } -> std::same_as<const StateSlot&>;
    object.before_fork();
    object.after_fork(in_child);
};

struct StateRoot;
class StartByFork;

/// Returns what says that this thread starts a child by its fork; null if nothing does.
MULTIPROCESSING_INLINE const StartByFork* start_of_this_thread(StateRoot& root) noexcept;

/// Says, while it lives, that a fork by this thread starts a child of ours: that joins the tree by
/// itself, and gets only what it is passed. Any other fork is the program's own.
///
/// What makes the difference is written here for the handlers, not done before: a thread that calls
/// fork() holds nothing of ours. Handlers of others, and older C libraries by themselves, hold
/// locks while our handlers wait. A start that waited for such a lock with a mutex of ours, and a
/// fork of the program's that waited for that mutex with the lock, would wait for each other.
class StartByFork {
public:
    /// `kept`: what the child keeps; outlives this.
    explicit StartByFork(std::span<const platform::CopiedHandle> kept);
    StartByFork(const StartByFork&) = delete;
    StartByFork& operator=(const StartByFork&) = delete;
    ~StartByFork();

    /// The fork that is being made, for handlers; null if it is the program's own.
    static const StartByFork* current() noexcept;

    bool keeps(platform::CopiedHandle handle) const noexcept {
        return std::find(kept_.begin(), kept_.end(), handle) != kept_.end();
    }

private:
    friend const StartByFork* start_of_this_thread(StateRoot& root) noexcept;

    const std::span<const platform::CopiedHandle> kept_;
    const std::thread::id thread_ = std::this_thread::get_id();
    StartByFork* next_;
};

/// The objects themselves. Its layout is shared by all images of the process: a change is a new
/// abi_version.
struct StateRoot {
    struct Entry {
        std::atomic<void*> object{nullptr};
        void (*before_fork)(void*) = nullptr;
        void (*after_fork)(void*, bool in_child) = nullptr;
        bool held = false; // by the thread that is forking; under `forking`
    };

    static constexpr std::uint64_t expected_magic = 0x6D70'7374'6174'6531;

    std::uint64_t magic = expected_magic;
    std::uint32_t abi = abi_version;
    std::atomic<std::uint32_t> copies{1}; ///< How many forks lead here, plus 1.
    /// The same, and 0 in a fresh copy; `copies` itself where the system has no such word.
    std::atomic<std::uint32_t>* witness = &copies;
    std::uint32_t copies_before_fork = 0; ///< Of the thread that is forking.
    char word[96] = {}; // what announces this root to other images; rewritten in a forked child
    std::mutex forking; ///< Of the thread that forks, one at a time; taken by the handlers alone.
    std::mutex making;
    StartByFork* starts = nullptr;      ///< Those that are about to be made; under `making`.
    const StartByFork* start = nullptr; ///< The fork that is being made is this one; under `forking`.
    Entry entries[static_cast<unsigned>(StateSlot::count)];
};

inline constexpr char state_word_name[] = "MULTIPROCESSING_STATE";

inline constexpr std::size_t state_word_pid = sizeof state_word_name; // behind the "="
inline constexpr std::size_t state_word_pid_digits = 10;

MULTIPROCESSING_INLINE void announce(StateRoot& root);

/// Announces the root in a forked child, where only the pid differs. By hand: a function that a
/// child is the first to call costs it pages to copy.
MULTIPROCESSING_INLINE void announce_pid(StateRoot& root);

/// Returns the root that another image of this process announced, or null if there is none.
MULTIPROCESSING_INLINE StateRoot* announced_root();

MULTIPROCESSING_VISIBLE inline StateRoot& state_root();

/// Counts a fresh copy: called by the first thread that notices it.
MULTIPROCESSING_INLINE std::uint32_t count_fresh_copy(StateRoot& root) noexcept;

MULTIPROCESSING_INLINE std::uint32_t count_copies(StateRoot& root) noexcept;

/// Gives back what before_fork() took, last taken first.
MULTIPROCESSING_INLINE void release_after_fork(StateRoot& root, bool in_child);

MULTIPROCESSING_INLINE void before_fork();

MULTIPROCESSING_INLINE void after_fork(bool in_child);

MULTIPROCESSING_INLINE StateRoot& make_state_root();

/// Returns the root, one reference per image; all images of a process refer to the same object, as
/// the later ones adopt the first one's.
MULTIPROCESSING_VISIBLE inline StateRoot& state_root() {
    static StateRoot& root = make_state_root();
    return root;
}

/// Counts the forks between the first process and this one, the program's own among them. It
/// differs in a copy from the copy's first instruction on, whichever handlers of the program run
/// before ours, and where none run (`_Fork()`).
MULTIPROCESSING_INLINE std::uint32_t count_copies() noexcept;

/// Finds the process's one T, or makes it.
template <ProcessWide T>
T& find_process_wide() {
    StateRoot& root = state_root();
    auto& entry = root.entries[static_cast<unsigned>(T::slot)];
    if (void* object = entry.object.load(std::memory_order_acquire)) return *static_cast<T*>(object);
    std::lock_guard lock{root.making};
    if (void* object = entry.object.load(std::memory_order_relaxed)) return *static_cast<T*>(object);
    auto* object = new T;
    entry.before_fork = [](void* it) { static_cast<T*>(it)->before_fork(); };
    entry.after_fork = [](void* it, bool in_child) { static_cast<T*>(it)->after_fork(in_child); };
    entry.object.store(object, std::memory_order_release); // after the functions: a fork may come at once
    return *object;
}

/// Returns the process's one T. It is never destroyed, so each image remembers where it is: each
/// use of a shared object asks for it.
template <ProcessWide T>
T& process_wide() {
    static constinit std::atomic<T*> known{nullptr};
    if (T* const object = known.load(std::memory_order_acquire)) return *object;
    T& object = find_process_wide<T>();
    known.store(&object, std::memory_order_release);
    return object;
}

/// The common case of a process-wide object: one mutex.
class ForkSafe {
public:
    Mutex mutex;

    void before_fork() { mutex.lock(); }
    void after_fork(bool) { mutex.unlock(); }
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <cstdio>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void announce(StateRoot& root) {
    std::snprintf(root.word, sizeof root.word, "%s=%0*d:%llx:%llx:%u", state_word_name,
                  static_cast<int>(state_word_pid_digits), platform::current_pid(),
                  static_cast<unsigned long long>(platform::program_token()),
                  static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(&root)), root.abi);
}

MULTIPROCESSING_INLINE void announce_pid(StateRoot& root) {
    auto pid = static_cast<unsigned>(platform::current_pid());
    for (char* at = root.word + state_word_pid + state_word_pid_digits; at != root.word + state_word_pid;
         pid /= 10)
        *--at = static_cast<char>('0' + pid % 10);
}

MULTIPROCESSING_INLINE StateRoot* announced_root() {
    int pid = 0;
    unsigned long long token = 0;
    unsigned long long address = 0;
    unsigned abi = 0;
    const std::string word = platform::word(state_word_name);
    if (std::sscanf(word.c_str(), "%d:%llx:%llx:%u", &pid, &token, &address, &abi) != 4) return nullptr;
    // Inherited from a parent, or from the program that this process was before an exec.
    if (pid != platform::current_pid() || token != platform::program_token()) return nullptr;
    if (abi != abi_version) {
        throw std::runtime_error(
            "multiprocessing: the program and one of its shared libraries contain different "
            "versions of this library (abi " +
            std::to_string(abi) + " and " + std::to_string(abi_version) +
            "); build both with the same version");
    }
    return reinterpret_cast<StateRoot*>(static_cast<std::uintptr_t>(address));
}

MULTIPROCESSING_INLINE std::uint32_t count_fresh_copy(StateRoot& root) noexcept {
    const std::uint32_t next = root.copies.load(std::memory_order_relaxed) + 1;
    std::uint32_t fresh = 0;
    if (!root.witness->compare_exchange_strong(fresh, next, std::memory_order_acq_rel)) return fresh;
    root.copies.store(next, std::memory_order_relaxed);
    return next;
}

MULTIPROCESSING_INLINE std::uint32_t count_copies(StateRoot& root) noexcept {
    const std::uint32_t seen = root.witness->load(std::memory_order_relaxed);
    return seen ? seen : count_fresh_copy(root);
}

MULTIPROCESSING_INLINE void release_after_fork(StateRoot& root, bool in_child) {
    for (unsigned i = static_cast<unsigned>(StateSlot::count); i-- > 0;) {
        auto& entry = root.entries[i];
        if (!std::exchange(entry.held, false)) continue;
        entry.after_fork(entry.object.load(std::memory_order_relaxed), in_child);
    }
}

MULTIPROCESSING_INLINE StartByFork::StartByFork(std::span<const platform::CopiedHandle> kept) : kept_(kept) {
    StateRoot& root = state_root();
    std::lock_guard lock{root.making};
    next_ = std::exchange(root.starts, this);
}

MULTIPROCESSING_INLINE StartByFork::~StartByFork() {
    StateRoot& root = state_root();
    std::lock_guard lock{root.making};
    for (StartByFork** at = &root.starts; *at; at = &(*at)->next_) {
        if (*at == this) {
            *at = next_;
            return;
        }
    }
}

MULTIPROCESSING_INLINE const StartByFork* StartByFork::current() noexcept { return state_root().start; }

MULTIPROCESSING_INLINE const StartByFork* start_of_this_thread(StateRoot& root) noexcept {
    std::lock_guard lock{root.making};
    for (const StartByFork* start = root.starts; start; start = start->next_) {
        if (start->thread_ == std::this_thread::get_id()) return start;
    }
    return nullptr;
}

MULTIPROCESSING_INLINE void before_fork() {
    StateRoot& root = state_root();
    // Else two threads would take each other's mutexes for their own: the program forks while the
    // supervisor of a pool does.
    root.forking.lock();
    root.start = start_of_this_thread(root);
    const auto unheld = [](const StateRoot::Entry& entry) {
        return !entry.held && entry.object.load(std::memory_order_acquire);
    };
    for (;;) {
        for (auto& entry : root.entries) {
            if (!unheld(entry)) continue;
            entry.before_fork(entry.object.load(std::memory_order_relaxed));
            entry.held = true;
        }
        // `making` comes last, as it is taken beneath any of the others. An object that was made
        // since the loop passed its place would be copied in whatever state another thread has it:
        // begin again.
        root.making.lock();
        if (std::none_of(std::begin(root.entries), std::end(root.entries), unheld)) {
            root.copies_before_fork = count_copies(root);
            return;
        }
        root.making.unlock();
        release_after_fork(root, false);
    }
}

MULTIPROCESSING_INLINE void after_fork(bool in_child) {
    StateRoot& root = state_root();
    root.making.unlock();
    if (in_child) {
        // Before anything that may destroy: an object tells by this count whether it is the other
        // process's. A handler of the program's may have made the copy count itself already.
        // Written before it is read, as the first reading of wiped memory costs a page, and the
        // writing then another.
        const std::uint32_t next = root.copies_before_fork + 1;
        root.copies.store(next, std::memory_order_relaxed);
        root.witness->store(next, std::memory_order_relaxed);
        root.starts = nullptr; // on stacks of threads that are not here, or of frames that do not return
        announce_pid(root);
    }
    release_after_fork(root, in_child);
    root.start = nullptr;
    root.forking.unlock();
}

MULTIPROCESSING_INLINE StateRoot& make_state_root() {
    if (StateRoot* root = announced_root()) return *root;
    auto* root = new StateRoot;
    if (std::atomic<std::uint32_t>* const witness = platform::fork_witness()) {
        witness->store(1, std::memory_order_relaxed);
        root->witness = witness;
    }
    announce(*root);
    platform::leave_word(state_word_name, root->word);
    platform::call_at_fork([] { before_fork(); }, [] { after_fork(false); }, [] { after_fork(true); });
    return *root;
}

MULTIPROCESSING_INLINE std::uint32_t count_copies() noexcept {
    // Each image remembers where the count is: every use of a lock asks for it.
    static constinit std::atomic<std::atomic<std::uint32_t>*> known{nullptr};
    if (std::atomic<std::uint32_t>* const witness = known.load(std::memory_order_acquire)) {
        if (const std::uint32_t copies = witness->load(std::memory_order_relaxed)) return copies;
    }
    StateRoot& root = state_root();
    const std::uint32_t copies = count_copies(root);
    known.store(root.witness, std::memory_order_release);
    return copies;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
