#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_attributes.hpp  POSIX twin: environ, stat of ".", /proc/thread-self, getrlimit,
/// sched_getaffinity.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/posix/rights.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

namespace multiprocessing::inline v1::detail::platform {

class Capabilities {
public:
    static Capabilities of_caller() noexcept;

    void impose() const;

private:
    __user_cap_data_struct halves_[2] = {};
    std::uint32_t known_ = 0; // whether the system says
};

class Surroundings {
public:
    static Surroundings here();

    bool can_be_taken_on(const Surroundings& since) const;

    std::vector<std::byte> changes(const Surroundings& since) const;

    Handle directory(const Surroundings& since) const;

private:
    friend void apply_surroundings(std::span<const std::byte> bytes, const Handle& directory);

    // Of fixed size and compared by bytes: hence zeroed as a whole.
    struct Rest {
        std::array<rlimit, RLIM_NLIMITS> limits;
        cpu_set_t affinity;
        long timer_slack;
        mode_t umask;
        int nice;
        int dumpable;
    };

    Surroundings();

    static mode_t current_umask();

    /// Returns the umask, which cannot be asked without being set. It is set to the strictest: a
    /// file that another thread or a signal handler makes just then is less open than wanted, never
    /// more.
    static mode_t asked_umask() noexcept;

    std::string environment_; // "A=1\0B=2\0"
    dev_t device_ = 0;
    ino_t inode_ = 0;
    Rest rest_;
};

class HandleLimit {
public:
    static HandleLimit raise() noexcept;
    void restore() const noexcept;

private:
    rlimit before_{};
    bool raised_ = false;
};

MULTIPROCESSING_INLINE void set_variable(const std::string& name, const char* value);

MULTIPROCESSING_INLINE void apply_surroundings(std::span<const std::byte> bytes, const Handle& directory);

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <cstdlib>
#include <cstring>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE Capabilities Capabilities::of_caller() noexcept {
    Capabilities now;
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    now.known_ = ::syscall(SYS_capget, &header, now.halves_) == 0 ? 1 : 0;
    return now;
}

MULTIPROCESSING_INLINE void Capabilities::impose() const {
    Capabilities own = of_caller();
    if (known_ == 0 || own.known_ == 0) return;
    bool differs = false;
    for (std::size_t i = 0; i < 2; ++i) {
        for (const auto set : {&__user_cap_data_struct::effective, &__user_cap_data_struct::permitted,
                               &__user_cap_data_struct::inheritable}) {
            const std::uint32_t kept = own.halves_[i].*set & halves_[i].*set;
            differs = differs || kept != own.halves_[i].*set;
            own.halves_[i].*set = kept;
        }
    }
    if (!differs) return;
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    if (::syscall(SYS_capset, &header, own.halves_) != 0)
        throw_last_error("giving up the capabilities that the parent does not have");
}

MULTIPROCESSING_INLINE Surroundings Surroundings::here() {
    Surroundings now;
    for (char** entry = environ; entry && *entry; ++entry) {
        now.environment_.append(*entry);
        now.environment_.push_back('\0');
    }
    struct stat directory;
    // By way of /proc no permission to search the directory itself is needed.
    if (::stat(".", &directory) == 0 || ::stat("/proc/self/cwd", &directory) == 0) {
        now.device_ = directory.st_dev;
        now.inode_ = directory.st_ino;
    }
    now.rest_.umask = current_umask();
    now.rest_.nice = ::getpriority(PRIO_PROCESS, 0);
    now.rest_.dumpable = ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
    now.rest_.timer_slack = ::prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    for (int i = 0; i < RLIM_NLIMITS; ++i)
        ::getrlimit(static_cast<__rlimit_resource_t>(i), &now.rest_.limits[static_cast<std::size_t>(i)]);
    ::sched_getaffinity(0, sizeof now.rest_.affinity, &now.rest_.affinity);
    return now;
}

MULTIPROCESSING_INLINE bool Surroundings::can_be_taken_on(const Surroundings& since) const {
    if (rest_.nice < since.rest_.nice) return false;
    for (std::size_t i = 0; i < rest_.limits.size(); ++i) {
        if (rest_.limits[i].rlim_max > since.rest_.limits[i].rlim_max) return false;
    }
    return true;
}

MULTIPROCESSING_INLINE std::vector<std::byte> Surroundings::changes(const Surroundings& since) const {
    const bool same_environment = environment_ == since.environment_;
    // Padding that differs costs a superfluous message.
    // NOLINTNEXTLINE(bugprone-suspicious-memory-comparison)
    if (same_environment && std::memcmp(&rest_, &since.rest_, sizeof rest_) == 0) return {};
    std::vector<std::byte> bytes(sizeof rest_);
    std::memcpy(bytes.data(), &rest_, sizeof rest_);
    if (!same_environment) {
        // A byte ahead of it tells an environment that is empty from one that has not changed.
        bytes.push_back(std::byte{1});
        const auto* text = reinterpret_cast<const std::byte*>(environment_.data());
        bytes.insert(bytes.end(), text, text + environment_.size());
    }
    return bytes;
}

MULTIPROCESSING_INLINE Handle Surroundings::directory(const Surroundings& since) const {
    if (device_ == since.device_ && inode_ == since.inode_) return {};
    Handle directory{::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!directory.valid()) directory = Handle{::open("/proc/self/cwd", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!directory.valid()) throw_last_error("opening the working directory");
    return directory;
}

MULTIPROCESSING_INLINE Surroundings::Surroundings() {
    std::memset(static_cast<void*>(&rest_), 0, sizeof rest_);
}

MULTIPROCESSING_INLINE mode_t Surroundings::current_umask() {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32)
    if (__libc_single_threaded) return asked_umask();
#endif
    // Another thread must not see it changed; this takes 6 us.
    char text[512]; // it stands near the beginning
    const int status = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    const ssize_t size = status < 0 ? -1 : ::read(status, text, sizeof text - 1);
    if (status >= 0) ::close(status);
    text[size > 0 ? size : 0] = '\0';
    const char* const line = std::strstr(text, "\nUmask:");
    return line ? static_cast<mode_t>(std::strtoul(line + 7, nullptr, 8)) : asked_umask();
}

MULTIPROCESSING_INLINE mode_t Surroundings::asked_umask() noexcept {
    const mode_t mask = ::umask(S_IRWXG | S_IRWXO);
    ::umask(mask);
    return mask;
}

MULTIPROCESSING_INLINE HandleLimit HandleLimit::raise() noexcept {
    HandleLimit before;
    if (::getrlimit(RLIMIT_NOFILE, &before.before_) != 0) return before;
    rlimit most = before.before_;
    most.rlim_cur = most.rlim_max;
    before.raised_ = ::setrlimit(RLIMIT_NOFILE, &most) == 0;
    return before;
}

MULTIPROCESSING_INLINE void HandleLimit::restore() const noexcept {
    if (raised_) ::setrlimit(RLIMIT_NOFILE, &before_);
}

MULTIPROCESSING_INLINE void set_variable(const std::string& name, const char* value) {
    if ((value ? ::setenv(name.c_str(), value, 1) : ::unsetenv(name.c_str())) != 0)
        throw_last_error("setting the variable " + name);
}

MULTIPROCESSING_INLINE void apply_surroundings(std::span<const std::byte> bytes, const Handle& directory) {
    if (directory.valid() && ::fchdir(directory.native()) != 0)
        throw_last_error("taking the parent's working directory");
    Surroundings::Rest rest;
    if (bytes.size() < sizeof rest) return;
    std::memcpy(static_cast<void*>(&rest), bytes.data(), sizeof rest);
    bytes = bytes.subspan(sizeof rest);
    ::umask(rest.umask);
    for (int i = 0; i < RLIM_NLIMITS; ++i) {
        const auto resource = static_cast<__rlimit_resource_t>(i);
        const rlimit& wanted = rest.limits[static_cast<std::size_t>(i)];
        rlimit now;
        if (::getrlimit(resource, &now) == 0 && now.rlim_cur == wanted.rlim_cur &&
            now.rlim_max == wanted.rlim_max)
            continue;
        if (::setrlimit(resource, &wanted) != 0)
            throw_last_error("taking the parent's resource limit " + std::to_string(i));
    }
    if (::getpriority(PRIO_PROCESS, 0) < rest.nice && ::setpriority(PRIO_PROCESS, 0, rest.nice) != 0)
        throw_last_error("taking the parent's nice value");
    if (rest.dumpable == 0) ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (rest.timer_slack > 0) ::prctl(PR_SET_TIMERSLACK, rest.timer_slack, 0, 0, 0);
    if (::sched_setaffinity(0, sizeof rest.affinity, &rest.affinity) != 0)
        throw_last_error("taking the parent's affinity");
    if (bytes.empty()) return;
    bytes = bytes.subspan(1);
    ::clearenv();
    if (bytes.empty()) return;
    // One block for all entries: the environment keeps it for good, and an entry that is replaced
    // later leaks nothing.
    char* entry = new char[bytes.size()];
    std::memcpy(entry, bytes.data(), bytes.size());
    for (std::size_t left = bytes.size(); left > 0;) {
        const std::size_t size = ::strnlen(entry, left);
        if (size == left) break;
        ::putenv(entry);
        entry += size + 1;
        left -= size + 1;
    }
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
