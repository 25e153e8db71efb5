#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process.hpp  POSIX twin: posix_spawn and pidfds. No SIGCHLD handler, no waitpid(-1).

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/posix/watched_child.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <cxxabi.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" {
[[gnu::weak]] int __lsan_do_recoverable_leak_check(void); // there only with LeakSanitizer
// In programs that count coverage or profiles. (Not __gcov_dump: that lies in a part of libgcov
// which nothing pulls in.)
[[gnu::weak]] void __gcov_exit(void);
[[gnu::weak]] int __llvm_profile_write_file(void);
}

namespace multiprocessing::inline v1::detail::platform {

class Child {
public:
    Child() noexcept = default;

    /// Watches a process that was forked just now. If it cannot be watched it is killed, and that
    /// is thrown.
    explicit Child(int pid);

    int pid() const noexcept { return pid_; }
    const Handle& sentinel() const noexcept { return watched_ ? watched_->sentinel() : sentinel_; }

    std::optional<Ending> poll();

    void interrupt() { send(SIGINT); }
    void terminate() { send(SIGTERM); }
    void kill() { send(SIGKILL); }

    void discard() noexcept;

    std::optional<std::chrono::microseconds> cpu_time() const noexcept;

private:
    static constexpr int no_waiting = 1; // WNOHANG

    void watch();

    std::optional<Ending> poll_by_pid();

    /// Asks the pidfd whether the child has ended, which it knows even if the program waits for all
    /// children, SIGCHLD is ignored, or every call is refused.
    std::optional<Ending> poll_by_sentinel();

    void send(int signal);

    int pid_ = 0;
    Handle sentinel_;
    std::shared_ptr<WatchedChild> watched_; // in place of a pidfd
    std::optional<Ending> ending_;
};

class SpawnRequest {
public:
    explicit SpawnRequest(std::filesystem::path image) : image_(std::move(image)) {}

    void argument(const std::string& text) { arguments_.push_back(text); }
    std::string pass(const Handle& handle);
    void signal_mask(const SignalMask& mask) { mask_ = mask; }
    void variable(const std::string& name, const char* value);

private:
    friend Child spawn(const SpawnRequest& request);
    static constexpr int first_passed = 3; // after the standard streams

    std::filesystem::path image_;
    std::vector<std::string> arguments_;
    std::vector<int> passed_;
    SignalMask mask_ = SignalMask::of_caller();
    std::vector<std::string> environment_; // "NAME=value"
    bool own_environment_ = false;         // else the caller's
};

/// The actions and attributes of a posix_spawn, freed at the end of their scope.
struct SpawnActions {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;

    SpawnActions();
    SpawnActions(const SpawnActions&) = delete;
    SpawnActions& operator=(const SpawnActions&) = delete;
    ~SpawnActions();
};

MULTIPROCESSING_INLINE Child spawn(const SpawnRequest& request);

MULTIPROCESSING_INLINE Handle adopt_handle(std::string_view word);

MULTIPROCESSING_INLINE bool report_before_exit(bool leaks) noexcept;

inline bool is_thread_exit() noexcept { return abi::__cxa_current_exception_type() == nullptr; }

/// The dynamic linker binds a function at its first call. What only forked children call it would
/// have to look up in each of them, at the price of a dozen pages; a pointer is bound when the
/// program is loaded.
namespace bound_early {
inline void (*const volatile exit)(int) = &::_exit;
#if defined(__GLIBC__)
inline int (*const volatile on_exit)(void (*)(int, void*), void*) = &::on_exit;
#endif
} // namespace bound_early

[[noreturn]] MULTIPROCESSING_INLINE void exit_now(int code) noexcept;

MULTIPROCESSING_INLINE bool exit_interception([[maybe_unused]] void (*call)(int)) noexcept;

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/executable.hpp> // for program_to_spawn
#include <multiprocessing/detail/platform/wait.hpp>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <system_error>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE Child::Child(int pid) : pid_(pid) {
    try {
        watch();
    } catch (...) {
        discard();
        throw;
    }
}

MULTIPROCESSING_INLINE std::optional<Ending> Child::poll() {
    if (ending_ || pid_ == 0) return ending_;
    if (watched_) return ending_ = watched_->ending();
    siginfo_t info{};
    rusage used{};
    constexpr int by_pidfd = 3; // P_PIDFD
    constexpr int ended = 4;    // WEXITED
    // The system call itself, as waitid() of the C library gives no resource usage.
    while (::syscall(SYS_waitid, by_pidfd, sentinel_.native(), &info, ended | no_waiting, &used) < 0) {
        if (errno == EINTR) continue;
        // Refused by a filter, or not known to this kernel for pidfds.
        if (errno != ECHILD) return poll_by_pid();
        return poll_by_sentinel();
    }
    if (info.si_pid == 0) return std::nullopt;
    ending_ =
        ending_of(info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status & 0x7f, used);
    return ending_;
}

MULTIPROCESSING_INLINE void Child::discard() noexcept {
    if (pid_ == 0 || ending_) return;
    // Still ours, and nobody has waited for it, so the number is its own.
    if (watched_) {
        watched_->send(SIGKILL); // its thread waits for it
    } else {
        // One that may not be ended is not waited for: it has other rights than this process,
        // by now.
        const int how = ::kill(pid_, SIGKILL) == 0 ? 0 : no_waiting;
        while (::syscall(SYS_wait4, pid_, nullptr, how, nullptr) < 0 && errno == EINTR) {}
    }
    ending_ = Ending{};
}

MULTIPROCESSING_INLINE std::optional<std::chrono::microseconds> Child::cpu_time() const noexcept {
    clockid_t clock;
    timespec used{};
    if (pid_ == 0 || ::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &used) != 0)
        return std::nullopt;
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::seconds{used.tv_sec} +
                                                                 std::chrono::nanoseconds{used.tv_nsec});
}

MULTIPROCESSING_INLINE void Child::watch() {
    static constinit std::atomic<bool> no_pidfds{false}; // neither a kernel nor a filter changes its mind
    int sentinel = -1;
    errno = ENOSYS;
    if (!no_pidfds.load(std::memory_order_relaxed))
        sentinel = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)); // close-on-exec by itself
    if (sentinel < 0 && errno == ESRCH) {
        // It has ended, and nobody knows how: SIGCHLD is ignored, or the program waits for all
        // children.
        ending_ = Ending{};
        sentinel = ::eventfd(1, EFD_CLOEXEC); // ready forever
    }
    if (sentinel >= 0) {
        sentinel_ = Handle{sentinel};
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || ending_) {
        throw_last_error("watching process " + std::to_string(pid_) + " (it was ended): pidfd_open");
    } else {
        no_pidfds.store(true, std::memory_order_relaxed);
        watched_ = WatchedChild::of(pid_);
    }
}

MULTIPROCESSING_INLINE std::optional<Ending> Child::poll_by_pid() {
    int status = 0;
    rusage used{};
    long got;
    while ((got = ::syscall(SYS_wait4, pid_, &status, no_waiting, &used)) < 0 && errno == EINTR) {}
    if (got == 0) return std::nullopt;
    if (got != pid_) return poll_by_sentinel();
    ending_ = ending_of(status, used);
    return ending_;
}

MULTIPROCESSING_INLINE std::optional<Ending> Child::poll_by_sentinel() {
    if (wait_one(sentinel_.native(), Deadline::after(std::chrono::seconds{0}))) ending_ = Ending{};
    return ending_;
}

MULTIPROCESSING_INLINE void Child::send(int signal) {
    if (ending_ || pid_ == 0) return;
    if (watched_) {
        if (watched_->send(signal) || errno == ESRCH || watched_->ending()) return;
    } else {
        // By pidfd: the number may belong to another process by now.
        if (::syscall(SYS_pidfd_send_signal, sentinel_.native(), signal, nullptr, 0) == 0 || errno == ESRCH)
            return;
        // Is the signal refused, or the call, by a filter? As long as it runs the number is its
        // own.
        if (wait_one(sentinel_.native(), Deadline::after(std::chrono::seconds{0}))) return;
        if (::kill(pid_, signal) == 0 || errno == ESRCH) return;
    }
    throw_last_error("sending " + signal_name(signal) + " to process " + std::to_string(pid_));
}

MULTIPROCESSING_INLINE std::string SpawnRequest::pass(const Handle& handle) {
    passed_.push_back(handle.native());
    return std::to_string(first_passed + static_cast<int>(passed_.size()) - 1);
}

MULTIPROCESSING_INLINE void SpawnRequest::variable(const std::string& name, const char* value) {
    if (!std::exchange(own_environment_, true)) {
        for (char** entry = environ; entry && *entry; ++entry) environment_.emplace_back(*entry);
    }
    std::erase_if(environment_, [&](const std::string& entry) {
        return entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name);
    });
    if (value) environment_.push_back(name + "=" + value);
}

MULTIPROCESSING_INLINE SpawnActions::SpawnActions() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
}

MULTIPROCESSING_INLINE SpawnActions::~SpawnActions() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
}

MULTIPROCESSING_INLINE Child spawn(const SpawnRequest& request) {
    const int past_passed = SpawnRequest::first_passed + static_cast<int>(request.passed_.size());
    SpawnActions how;
    ::posix_spawn_file_actions_addopen(&how.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    std::vector<Handle> moved; // sources whose number is the target of another
    int target = SpawnRequest::first_passed;
    for (int source : request.passed_) {
        if (source < past_passed) {
            const int copy = ::fcntl(source, F_DUPFD_CLOEXEC, past_passed);
            if (copy < 0) throw_last_error("duplicating a descriptor for " + request.image_.string());
            moved.push_back(Handle{copy}); // not emplace_back: it would be lost without memory
            source = copy;
        }
        ::posix_spawn_file_actions_adddup2(&how.actions, source, target++);
    }
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
    ::posix_spawn_file_actions_addclosefrom_np(&how.actions, past_passed);
#endif // elsewhere the program's own descriptors without close-on-exec reach the child
    ::posix_spawnattr_setsigmask(&how.attributes, &request.mask_.native());
    ::posix_spawnattr_setflags(&how.attributes, POSIX_SPAWN_SETSIGMASK);

    std::string program = request.image_.string();
    std::string image = program;
    std::vector<char*> arguments;
    if (!linker_start().words.empty() && program == linker_start().program) { // as this one was started
        image = "/proc/self/exe";
        for (const std::string& word : linker_start().words)
            arguments.push_back(const_cast<char*>(word.c_str()));
    }
    arguments.push_back(program.data());
    for (const std::string& argument : request.arguments_)
        arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);

    std::vector<char*> variables;
    for (const std::string& entry : request.environment_) variables.push_back(const_cast<char*>(entry.c_str()));
    variables.push_back(nullptr);

    pid_t pid = 0;
    // glibc reports a failed exec as the error of this very call: no pipe for it is needed.
    const int error = ::posix_spawn(&pid, image.c_str(), &how.actions, &how.attributes, arguments.data(),
                                    request.own_environment_ ? variables.data() : environ);
    if (error != 0) {
        const char* const limits =
            error == EAGAIN ? " (limits: `ulimit -u`, pids.max of the control group)" : "";
        throw_error({error, std::generic_category()}, "starting " + program + limits);
    }
    return Child{pid};
}

MULTIPROCESSING_INLINE Handle adopt_handle(std::string_view word) {
    const std::string number(word);
    char* end = nullptr;
    const long parsed = std::strtol(number.c_str(), &end, 10);
    const int descriptor = parsed == static_cast<int>(parsed) ? static_cast<int>(parsed) : -1;
    if (number.empty() || *end || ::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0) {
        throw std::system_error(std::make_error_code(std::errc::bad_file_descriptor),
                                "multiprocessing: '" + number + "' is no inherited descriptor");
    }
    return Handle{descriptor};
}

MULTIPROCESSING_INLINE bool report_before_exit(bool leaks) noexcept {
    if (::__gcov_exit) ::__gcov_exit();
    if (::__llvm_profile_write_file) ::__llvm_profile_write_file();
    return leaks && ::__lsan_do_recoverable_leak_check && ::__lsan_do_recoverable_leak_check() != 0;
}

MULTIPROCESSING_INLINE void exit_now(int code) noexcept {
    bound_early::exit(code);
    __builtin_unreachable();
}

MULTIPROCESSING_INLINE bool exit_interception([[maybe_unused]] void (*call)(int)) noexcept {
#if defined(__GLIBC__)
    return bound_early::on_exit([](int code, void* target) { reinterpret_cast<void (*)(int)>(target)(code); },
                                reinterpret_cast<void*>(call)) == 0;
#else
    return false;
#endif
}

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
