#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file rights.hpp  What the calling thread may do, and what keeps it in: as far as another
/// process cannot take it on.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/handle.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

/// What the kernel says about one thread, kept open: a file that is opened each time takes twice as
/// long.
class RightsFiles {
public:
    /// Opens the files of the calling thread.
    void open();
    void reopen(long caller);

    enum Name : std::size_t { status, group, label, out_of_memory };

    /// Appends what it says; false if it cannot be read.
    bool read(Name name, std::string& text) const;

    int directory() const noexcept { return directory_.native(); }
    long thread() const noexcept { return thread_; }

private:
    static constexpr std::array<const char*, 4> names{"status", "cgroup", "attr/current", "oom_score_adj"};

    long thread_ = 0;
    Handle directory_;
    std::array<Handle, names.size()> files_;
};

/// Of the calling thread, as those of Linux are of threads, and a process that it starts inherits
/// its own.
///
/// What the kernel does not show is not seen: Landlock rules, for one. What could have changed
/// though it cannot be read just now (no /proc, no descriptor left) counts as changed.
class Rights {
public:
    static Rights here(RightsFiles& files);

    /// Returns whether a process that has these may stand for one that has `other`.
    bool equal(const Rights& other) const;

private:
    static constexpr std::array<const char*, 7> namespaces{
        "ns/user", "ns/net", "ns/ipc", "ns/uts", "ns/cgroup", "ns/pid_for_children", "ns/time_for_children"};

    // Compared by bytes: hence zeroed as a whole.
    struct Fixed {
        std::uint64_t spaces[namespaces.size()];
        std::uint64_t root_device; ///< Of "/", with the mount, which tells namespaces of mounts apart.
        std::uint64_t root_inode;
        std::uint64_t root_mount;
        std::uint64_t scheduling[8]; ///< struct sched_attr, without the nice value.
        long io_priority;
        long keyring;
        int session;
        int group;
        int personality;
        int secure_bits;
    };

    Rights();

    /// Returns whether it is a status, and that thread's. (In another namespace of processes it has
    /// another number there.)
    static bool is_of(const std::string& status, long thread);

    /// Returns the lines from that which begins with `first` up to one that begins with `next`;
    /// nothing if either is missing.
    static std::string_view lines(std::string_view status, std::string_view first, std::string_view next);
    static std::uint64_t number(std::string_view text, std::string_view name, int base);

    /// Reads a status; returns false if it is not as Linux writes it. Pieces are found by how they
    /// begin: line by line this took 9 us.
    bool read_status(std::string_view status);

    /// Asks for the status without /proc: seven times as many calls, and the filters of system
    /// calls are not counted.
    void ask_for_status();

    void read_fixed(int directory);

    static constexpr unsigned statx_mount = 0x1000; // STATX_MNT_ID, Linux 5.8; its place was spare before
    static std::uint64_t mount_of(const struct statx& status);

    std::string texts_;
    Fixed fixed_;
    bool unknown_ = false;
    bool can_change_namespaces_ = false;
};

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iterator>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE void RightsFiles::open() {
    const long caller = ::syscall(SYS_gettid);
    if (thread_ == caller && directory_.valid()) return;
    reopen(caller);
}

MULTIPROCESSING_INLINE void RightsFiles::reopen(long caller) {
    thread_ = caller;
    directory_ = Handle{::open("/proc/thread-self", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    for (std::size_t i = 0; i < files_.size(); ++i)
        files_[i] =
            Handle{directory_.valid() ? ::openat(directory_.native(), names[i], O_RDONLY | O_CLOEXEC) : -1};
}

MULTIPROCESSING_INLINE bool RightsFiles::read(Name name, std::string& text) const {
    const Handle& file = files_[name];
    if (!file.valid()) return false;
    char buffer[4096];
    for (off_t at = 0;;) {
        const ssize_t got = ::pread(file.native(), buffer, sizeof buffer, at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got == 0;
        text.append(buffer, static_cast<std::size_t>(got));
        at += got;
        // The kernel returns such a file line by line: a read as short as this was the last.
        if (static_cast<std::size_t>(got) < sizeof buffer / 2) return true;
    }
}

MULTIPROCESSING_INLINE Rights Rights::here(RightsFiles& files) {
    files.open();
    Rights now;
    std::string status;
    if (files.read(RightsFiles::status, status) && !is_of(status, files.thread())) {
        // The program has closed what was not its own, and others have the numbers.
        files.reopen(files.thread());
        status.clear();
        files.read(RightsFiles::status, status);
    }
    if (!is_of(status, files.thread()) || !now.read_status(status)) now.ask_for_status();
    now.read_fixed(files.directory());
    for (const auto file : {RightsFiles::group, RightsFiles::label, RightsFiles::out_of_memory}) {
        files.read(file, now.texts_);
        now.texts_.push_back('\n');
    }
    return now;
}

MULTIPROCESSING_INLINE bool Rights::equal(const Rights& other) const {
    return !unknown_ && !other.unknown_ && texts_ == other.texts_ &&
           std::memcmp(&fixed_, &other.fixed_, sizeof fixed_) == 0;
}

MULTIPROCESSING_INLINE Rights::Rights() { std::memset(&fixed_, 0, sizeof fixed_); }

MULTIPROCESSING_INLINE bool Rights::is_of(const std::string& status, long thread) {
    const std::size_t at = status.find("\nPid:\t");
    return at != std::string::npos && std::strtol(status.c_str() + at + 6, nullptr, 10) == thread;
}

MULTIPROCESSING_INLINE std::string_view Rights::lines(std::string_view status, std::string_view first,
                                                      std::string_view next) {
    const std::size_t begin = status.find(first);
    const std::size_t end = begin == status.npos ? status.npos : status.find(next, begin + 1);
    return end == status.npos ? std::string_view{} : status.substr(begin, end - begin);
}

MULTIPROCESSING_INLINE std::uint64_t Rights::number(std::string_view text, std::string_view name, int base) {
    const std::size_t at = text.find(name);
    return at == text.npos ? 0 : std::strtoull(text.data() + at + name.size(), nullptr, base);
}

MULTIPROCESSING_INLINE bool Rights::read_status(std::string_view status) {
    const std::string_view ids = lines(status, "\nUid:", "\nFDSize:");
    const std::string_view rights = lines(status, "\nCapInh:", "\nCpus_allowed:");
    if (ids.empty() || rights.empty()) return false;
    for (const std::string_view piece :
         {ids, lines(status, "\nGroups:", "\n"), lines(status, "\nSigIgn:", "\n"), rights})
        texts_ += piece;
    const bool can_add_filters = (number(rights, "\nCapPrm:", 16) >> CAP_SYS_ADMIN & 1) != 0;
    const bool is_root = ids.find("\t0\t") != ids.npos || ids.find("\t0\n") != ids.npos;
    // Root's rights can be put down and taken up again. A process that has neither can make a new
    // namespace of users alone.
    can_change_namespaces_ = can_add_filters || is_root;
    // Before Linux 5.9 filters are not counted.
    if (number(rights, "\nSeccomp:", 10) != 0 && rights.find("\nSeccomp_filters:") == rights.npos &&
        (can_add_filters || number(rights, "\nNoNewPrivs:", 10) != 0))
        unknown_ = true;
    return true;
}

MULTIPROCESSING_INLINE void Rights::ask_for_status() {
    const auto add = [&](long value) { texts_ += std::to_string(value) + ' '; };
    uid_t users[3] = {};
    gid_t groups[3] = {};
    ::getresuid(&users[0], &users[1], &users[2]);
    ::getresgid(&groups[0], &groups[1], &groups[2]);
    for (const uid_t user : users) add(static_cast<long>(user));
    for (const gid_t group : groups) add(static_cast<long>(group));
    constexpr auto only_asked = static_cast<uid_t>(-1);
    add(::setfsuid(only_asked));
    add(::setfsgid(only_asked));
    const int count = ::getgroups(0, nullptr);
    std::basic_string<gid_t> others(static_cast<std::size_t>(count > 0 ? count : 0), gid_t{});
    if (::getgroups(count, others.data()) >= 0) {
        for (const gid_t group : others) add(static_cast<long>(group));
    }
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct sets[2] = {};
    ::syscall(SYS_capget, &header, sets);
    for (const auto& half : sets) {
        add(half.effective);
        add(half.permitted);
        add(half.inheritable);
    }
    can_change_namespaces_ = (sets[0].permitted >> CAP_SYS_ADMIN & 1) != 0 ||
                             std::count(std::begin(users), std::end(users), uid_t{0}) != 0;
    for (unsigned long capability = 0; capability < 64; ++capability) {
        add(::prctl(PR_CAPBSET_READ, capability, 0, 0, 0));
        add(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0));
    }
    const int no_new = ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    const int filtered = ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0);
    add(no_new);
    add(filtered);
    if (filtered != 0 && (no_new != 0 || can_change_namespaces_)) unknown_ = true;
    for (int signal = 1; signal < 64; ++signal) {
        struct sigaction action;
        if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) add(signal);
    }
}

MULTIPROCESSING_INLINE void Rights::read_fixed(int directory) {
    for (std::size_t i = 0; i < (can_change_namespaces_ ? namespaces.size() : 1); ++i) {
        char text[64];
        const ssize_t size = directory < 0 ? -1 : ::readlinkat(directory, namespaces[i], text, sizeof text - 1);
        text[size > 0 ? size : 0] = '\0';
        const char* const inode = std::strchr(text, '['); // "net:[4026531833]"
        if (inode) {
            fixed_.spaces[i] = std::strtoull(inode + 1, nullptr, 10);
        } else if (size < 0 && errno != ENOENT && can_change_namespaces_) {
            unknown_ = true;
        }
        if (directory < 0 && can_change_namespaces_) unknown_ = true;
    }
    struct statx root;
    if (::statx(AT_FDCWD, "/", 0, STATX_INO | statx_mount, &root) == 0) {
        fixed_.root_device = std::uint64_t{root.stx_dev_major} << 32 | root.stx_dev_minor;
        fixed_.root_inode = root.stx_ino;
        fixed_.root_mount = mount_of(root);
    } else if (struct stat plain; ::stat("/", &plain) == 0) {
        fixed_.root_device = plain.st_dev;
        fixed_.root_inode = plain.st_ino;
    }
    if (::syscall(SYS_sched_getattr, 0, fixed_.scheduling, sizeof fixed_.scheduling, 0) == 0) {
        constexpr std::size_t offset = 16; // size, policy, flags of 8 bytes; then the nice value
        std::memset(reinterpret_cast<char*>(fixed_.scheduling) + offset, 0, sizeof(int));
    }
    fixed_.io_priority = ::syscall(SYS_ioprio_get, 1, 0);   // IOPRIO_WHO_PROCESS
    fixed_.keyring = ::syscall(SYS_keyctl, 0, -3, 0, 0, 0); // KEYCTL_GET_KEYRING_ID, of the session
    fixed_.session = ::getsid(0);
    fixed_.group = ::getpgrp();
    fixed_.personality = ::personality(0xffff'ffff);
    fixed_.secure_bits = ::prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
}

MULTIPROCESSING_INLINE std::uint64_t Rights::mount_of(const struct statx& status) {
    if (!(status.stx_mask & statx_mount)) return 0;
    std::uint64_t mount;
    constexpr std::size_t offset = 0x90;
    std::memcpy(&mount, reinterpret_cast<const char*>(&status) + offset, sizeof mount);
    return mount;
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
