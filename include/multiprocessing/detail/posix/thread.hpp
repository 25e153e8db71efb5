#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file thread.hpp  POSIX twin: thread ids, and /proc for when a thread began and whether it is a
/// zombie.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/thread.hpp>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

// ---- Id spaces ----

inline constexpr IdSpace first_made_up = 1 << 16; ///< From here on they were not read, but made up.

/// By which ids this process names threads, and where it may ask about them.
struct IdView {
    enum class Proc : std::uint8_t {
        none,    ///< /proc says nothing about these ids.
        own,     ///< The ids are this process's own, and /proc has the same.
        ancestor ///< The ids are those of /proc, of the pid namespace in which the tree began; ours are others.
    };
    IdSpace space; ///< 0: not known.
    Proc proc;
};

/// What was known last to this process, or to the one that it is a copy of.
struct KnownIdSpace {
    std::atomic<std::uint64_t> copy_and_space{0}; ///< count_copies() in the upper half
    std::atomic<int> pid{0};                      ///< Of the process that knew it.
    std::atomic<bool> is_own{false};              ///< Its /proc had its own ids.
    std::atomic<std::uint64_t> proc_device{0};    ///< As in IdOrigin.
    std::atomic<std::uint32_t> proc_ids{0};
};

inline constinit KnownIdSpace known_id_space;

MULTIPROCESSING_INLINE void remember_id_space(IdSpace space, bool is_own) noexcept;

/// Returns a hash of the text of a symbolic link; 0 if there is none. Needs no descriptor.
MULTIPROCESSING_INLINE std::uint32_t hash_of_link(const char* name) noexcept;

/// Returns the number behind the last slash of a symbolic link in /proc; 0 if there is none.
MULTIPROCESSING_INLINE std::uint32_t number_in_link(const char* name) noexcept;

/// Reads all of it again: a process may be moved to another time namespace, and may mount another
/// /proc.
MULTIPROCESSING_INLINE IdView look_at_ids() noexcept;

inline IdSpace id_space() noexcept { return look_at_ids().space; }

MULTIPROCESSING_INLINE IdOrigin begin_id_space() noexcept;

MULTIPROCESSING_INLINE void join_id_space(const IdOrigin& origin) noexcept;

// unshare() and setns() may have put the next children elsewhere.
MULTIPROCESSING_INLINE bool children_share_ids() noexcept;

MULTIPROCESSING_INLINE void keep_id_space() noexcept;

inline bool are_apart(IdSpace a, IdSpace b) noexcept {
    return a != b && a != 0 && b != 0 && a < first_made_up && b < first_made_up;
}

// ---- Threads ----

/// What /proc says about a thread.
struct ThreadStatus {
    char state;          // 'Z' and 'X' have ended
    std::uint64_t began; // in ticks since the machine did
};

MULTIPROCESSING_INLINE std::optional<ThreadStatus> status_of_thread(std::uint32_t id) noexcept;

// A name: id, id space, and when it began: 0 is unknown, else the ticks, which come again after 46
// hours.
inline constexpr unsigned bits_of_id = 22; // the kernel's PID_MAX_LIMIT
inline constexpr unsigned bits_of_id_space = 17;
inline constexpr unsigned bits_of_beginning = 24;
static_assert(bits_of_id + bits_of_id_space + bits_of_beginning == 63);

inline constexpr std::uint32_t id_of(ThreadName name) noexcept {
    return static_cast<std::uint32_t>(name) & ((1u << bits_of_id) - 1);
}
inline constexpr IdSpace id_space_of(ThreadName name) noexcept {
    return static_cast<IdSpace>(name >> bits_of_id) & ((1u << bits_of_id_space) - 1);
}
inline constexpr std::uint64_t beginning_of(ThreadName name) noexcept {
    return name >> (bits_of_id + bits_of_id_space);
}
inline bool is_complete(ThreadName name) noexcept { return beginning_of(name) != 0; }

MULTIPROCESSING_INLINE std::uint64_t beginning_of(const ThreadStatus& status) noexcept;

MULTIPROCESSING_INLINE ThreadName name_in(const IdView& view, std::uint32_t id) noexcept;

MULTIPROCESSING_INLINE ThreadName name_of_this_thread() noexcept;

MULTIPROCESSING_INLINE bool lives(ThreadName name) noexcept;

MULTIPROCESSING_INLINE bool is_of_this_process(ThreadName name) noexcept;

MULTIPROCESSING_INLINE void name_this_thread(const std::string& text);

MULTIPROCESSING_INLINE bool is_main_thread() noexcept;

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/process_wide.hpp>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE void remember_id_space(IdSpace space, bool is_own) noexcept {
    known_id_space.is_own.store(is_own, std::memory_order_relaxed);
    known_id_space.pid.store(::getpid(), std::memory_order_relaxed);
    known_id_space.copy_and_space.store(std::uint64_t{count_copies()} << 32 | space, std::memory_order_release);
}

MULTIPROCESSING_INLINE std::uint32_t hash_of_link(const char* name) noexcept {
    char text[64];
    const ssize_t size = ::readlink(name, text, sizeof text);
    if (size <= 0) return 0;
    std::uint32_t hash = 2166136261u;
    for (ssize_t i = 0; i < size; ++i) hash = (hash ^ static_cast<unsigned char>(text[i])) * 16777619u;
    return hash | 1;
}

MULTIPROCESSING_INLINE std::uint32_t number_in_link(const char* name) noexcept {
    char text[64];
    const ssize_t size = ::readlink(name, text, sizeof text - 1);
    if (size <= 0) return 0;
    text[size] = '\0';
    const char* const slash = std::strrchr(text, '/');
    return static_cast<std::uint32_t>(std::strtoul(slash ? slash + 1 : text, nullptr, 10));
}

MULTIPROCESSING_INLINE IdView look_at_ids() noexcept {
    KnownIdSpace& known = known_id_space;
    const std::uint64_t last = known.copy_and_space.load(std::memory_order_acquire);
    const bool is_of_this_copy = last >> 32 == count_copies();
    std::uint32_t ids = hash_of_link("/proc/self/ns/pid");
    if (ids == 0) {
        // No /proc. A copy whose parent has, seen from here, the pid that it had for itself is in
        // the same pid namespace.
        if (!is_of_this_copy && (last == 0 || ::getppid() != known.pid.load(std::memory_order_relaxed)))
            return {0, IdView::Proc::none};
        const auto space = static_cast<IdSpace>(last);
        if (!is_of_this_copy) remember_id_space(space, false);
        return {space, IdView::Proc::none};
    }
    IdView view{0, IdView::Proc::none};
    struct stat proc;
    const std::uint64_t device = ::stat("/proc", &proc) == 0 ? std::uint64_t{proc.st_dev} : 0;
    if (number_in_link("/proc/self") == static_cast<std::uint32_t>(::getpid())) {
        view.proc = IdView::Proc::own;
        if (known.proc_device.load(std::memory_order_acquire) == 0) {
            known.proc_ids.store(ids, std::memory_order_relaxed);
            known.proc_device.store(device, std::memory_order_release);
        }
    } else if (device != 0 && device == known.proc_device.load(std::memory_order_acquire)) {
        // In a pid namespace of its own, with the /proc of the one before: there are the ids that
        // the others know.
        view.proc = IdView::Proc::ancestor;
        ids = known.proc_ids.load(std::memory_order_relaxed);
    }
    // When a thread began is told as of the time namespace. (Before Linux 5.6 there are none: 0.)
    const std::uint32_t hash = (ids ^ hash_of_link("/proc/self/ns/time") * 0x9E3779B1u) * 0x85EBCA6Bu;
    view.space = (hash ^ hash >> 15) % (first_made_up - 1) + 1;
    const bool is_own = view.proc == IdView::Proc::own;
    if (!is_of_this_copy || static_cast<IdSpace>(last) != view.space || known.is_own != is_own)
        remember_id_space(view.space, is_own);
    return view;
}

MULTIPROCESSING_INLINE IdOrigin begin_id_space() noexcept {
    IdOrigin origin;
    origin.space = id_space();
    if (origin.space == 0) {
        const auto pid = static_cast<std::uint32_t>(::getpid());
        origin.space = first_made_up + (pid * 2654435761u >> 16);
        remember_id_space(origin.space, false);
    }
    origin.proc_ids = known_id_space.proc_ids.load(std::memory_order_relaxed);
    origin.proc_device = known_id_space.proc_device.load(std::memory_order_relaxed);
    return origin;
}

MULTIPROCESSING_INLINE void join_id_space(const IdOrigin& origin) noexcept {
    known_id_space.proc_ids.store(origin.proc_ids, std::memory_order_relaxed);
    known_id_space.proc_device.store(origin.proc_device, std::memory_order_release);
    look_at_ids(); // now, and remembers it: later this process may have no /proc
}

MULTIPROCESSING_INLINE bool children_share_ids() noexcept {
    const std::uint32_t ids = hash_of_link("/proc/self/ns/pid");
    return ids != 0 && ids == hash_of_link("/proc/self/ns/pid_for_children") &&
           hash_of_link("/proc/self/ns/time") == hash_of_link("/proc/self/ns/time_for_children") &&
           known_id_space.copy_and_space.load(std::memory_order_relaxed) != 0;
}

MULTIPROCESSING_INLINE void keep_id_space() noexcept {
    const std::uint64_t last = known_id_space.copy_and_space.load(std::memory_order_acquire);
    remember_id_space(static_cast<IdSpace>(last), known_id_space.is_own.load(std::memory_order_relaxed));
}

MULTIPROCESSING_INLINE std::optional<ThreadStatus> status_of_thread(std::uint32_t id) noexcept {
    char text[512];
    // Threads that are no leaders are there, though not listed.
    std::snprintf(text, sizeof text, "/proc/%u/stat", id);
    const int file = ::open(text, O_RDONLY | O_CLOEXEC);
    if (file < 0) return std::nullopt;
    const ssize_t got = ::read(file, text, sizeof text - 1);
    ::close(file);
    if (got <= 0) return std::nullopt;
    text[got] = '\0';
    // "12 (name) S 1 2 ...": the name may hold anything, so count from its end: state is the first
    // field, start time the twentieth.
    const char* at = std::strrchr(text, ')');
    if (!at || at[1] != ' ') return std::nullopt;
    ThreadStatus status{at[2], 0};
    at += 2;
    for (int field = 1; field < 20; ++field) {
        at = std::strchr(at, ' ');
        if (!at) return std::nullopt;
        ++at;
    }
    status.began = std::strtoull(at, nullptr, 10);
    return status;
}

MULTIPROCESSING_INLINE std::uint64_t beginning_of(const ThreadStatus& status) noexcept {
    return status.began % ((1u << bits_of_beginning) - 1) + 1;
}

MULTIPROCESSING_INLINE ThreadName name_in(const IdView& view, std::uint32_t id) noexcept {
    const auto status = view.proc == IdView::Proc::none ? std::nullopt : status_of_thread(id);
    return std::uint64_t{id} | std::uint64_t{view.space} << bits_of_id |
           (status ? beginning_of(*status) : 0) << (bits_of_id + bits_of_id_space);
}

MULTIPROCESSING_INLINE ThreadName name_of_this_thread() noexcept {
    // The first thread has looked, if this process had its own ids in /proc then.
    const std::uint64_t last = known_id_space.copy_and_space.load(std::memory_order_acquire);
    const bool is_known = last >> 32 == count_copies() && known_id_space.is_own.load(std::memory_order_relaxed);
    IdView view = is_known ? IdView{static_cast<IdSpace>(last), IdView::Proc::own} : look_at_ids();
    if (view.proc == IdView::Proc::ancestor) {
        if (const std::uint32_t id = number_in_link("/proc/thread-self")) return name_in(view, id);
        view = {0, IdView::Proc::none};
    }
    return name_in(view, static_cast<std::uint32_t>(::syscall(SYS_gettid)));
}

MULTIPROCESSING_INLINE bool lives(ThreadName name) noexcept {
    const IdView view = look_at_ids();
    // Here its id means another thread, or none, and so does the time at which it began; or nobody
    // knows.
    if (view.space == 0 || id_space_of(name) != view.space) return true;
    const std::uint32_t id = id_of(name);
    if (view.proc != IdView::Proc::none) {
        if (const auto status = status_of_thread(id)) {
            return status->state != 'Z' && status->state != 'X' &&
                   (!is_complete(name) || beginning_of(*status) == beginning_of(name));
        }
        // By these ids only /proc can be asked. Of a thread that has been reaped it says that there
        // is none.
        if (view.proc == IdView::Proc::ancestor) {
            char text[32];
            std::snprintf(text, sizeof text, "/proc/%u/stat", id);
            return ::access(text, F_OK) == 0 || errno != ENOENT || ::access("/proc/self", F_OK) != 0;
        }
    }
    // Zombies count as alive here, and so does another thread that has the id by now.
    return ::syscall(SYS_tkill, id, 0) == 0 || errno != ESRCH;
}

MULTIPROCESSING_INLINE bool is_of_this_process(ThreadName name) noexcept {
    return ::syscall(SYS_tgkill, ::getpid(), id_of(name), 0) == 0;
}

MULTIPROCESSING_INLINE void name_this_thread(const std::string& text) {
    ::pthread_setname_np(::pthread_self(), text.substr(0, 15).c_str());
}

MULTIPROCESSING_INLINE bool is_main_thread() noexcept { return ::syscall(SYS_gettid) == ::getpid(); }

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
