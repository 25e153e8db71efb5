// SPDX-License-Identifier: BSL-1.0
#include <process/copy.hpp>
#include <support/filter.hpp>
#include <support/processes.hpp>
#include <support/sanitizers.hpp>

#include <multiprocessing/pool.hpp>

#if !defined(_WIN32)
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <map>

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

using namespace process;

namespace {

std::uint64_t lines_of_status(const std::string& wanted) {
    std::uint64_t hash = 0;
    std::FILE* const status = std::fopen("/proc/thread-self/status", "re");
    if (!status) return 0;
    char line[4096];
    while (std::fgets(line, sizeof line, status)) {
        if (std::string_view(line).substr(0, wanted.size()) == wanted)
            hash ^= std::hash<std::string_view>{}(line);
    }
    std::fclose(status);
    return hash;
}

std::uint64_t inode_of(const char* path) {
    struct stat status {};
    return ::stat(path, &status) == 0 ? status.st_ino : 0;
}

/// What a process is, as far as `what` goes.
std::uint64_t state_of(const std::string& what) {
    if (what == "nice") return static_cast<std::uint64_t>(::getpriority(PRIO_PROCESS, 0));
    if (what == "session") return static_cast<std::uint64_t>(::getsid(0));
    if (what == "group") return static_cast<std::uint64_t>(::getpgrp());
    if (what == "policy") return static_cast<std::uint64_t>(::sched_getscheduler(0));
    if (what == "network") return inode_of("/proc/thread-self/ns/net");
    if (what == "effective user") return ::geteuid();
    if (what == "ignored") {
        struct sigaction action {};
        ::sigaction(SIGPIPE, nullptr, &action);
        return action.sa_handler == SIG_IGN;
    }
    return lines_of_status(what);
}

bool change(const std::string& what) {
    if (what == "nice") return ::setpriority(PRIO_PROCESS, 0, 7) == 0;
    if (what == "session") return ::setsid() > 0;
    if (what == "group") return ::setpgid(0, 0) == 0;
    if (what == "policy") {
        const sched_param none{};
        return ::sched_setscheduler(0, SCHED_BATCH, &none) == 0;
    }
    if (what == "network") return ::unshare(CLONE_NEWNET) == 0;
    if (what == "ignored") return std::signal(SIGPIPE, SIG_IGN) != SIG_ERR;
    if (what == "NoNewPrivs:") return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    if (what == "Seccomp") return support::refuse_call(SYS_ptrace, EPERM);
    if (what == "CapPrm:" || what == "CapEff:") { // which a program that root starts has again
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        __user_cap_data_struct halves[2] = {};
        if (::syscall(SYS_capget, &header, halves) != 0) return false;
        for (auto& half : halves) {
            half.effective = 0;
            if (what == "CapPrm:") half.permitted = 0;
        }
        return ::syscall(SYS_capset, &header, halves) == 0;
    }
    if (what == "effective user") return ::setegid(54321) == 0 && ::seteuid(54321) == 0;
    if (what == "CapBnd:") return ::prctl(PR_CAPBSET_DROP, 22, 0, 0, 0) == 0;
    if (what == "Groups:") {
        const gid_t groups[]{1, 2, 3};
        return ::setgroups(3, groups) == 0;
    }
    if (what == "Gid:") return ::setgid(54321) == 0;
    return ::setgid(54321) == 0 && ::setuid(54321) == 0;
}

void compare(std::string what, std::uint64_t expected) { std::exit(state_of(what) == expected ? 0 : 1); }

int code_of(mp::Process p) {
    p.start();
    p.join();
    return p.exitcode().value_or(99);
}

int plus(int x) { return x + 1; }

} // namespace

TEST_CASE("a child has the rights that its parent has at its start", "[rights]") {
    for (const char* what :
         {"nice", "session", "group", "policy", "network", "ignored", "NoNewPrivs:", "Seccomp",
          "CapBnd:", "CapPrm:", "CapEff:", "Groups:", "Gid:", "Uid:", "effective user"}) {
        if (support::has_asan && (std::string(what) == "Seccomp" || std::string(what) == "effective user"))
            continue; // LeakSanitizer looks at its process as a debugger does
        CAPTURE(what);
        const auto starts_before_and_after = [&] {
            // A leader of its group cannot begin a session.
            if (code_of(mp::Process(compare, std::string(what), state_of(what))) != 0) return 1;
            if (!change(what)) return 50; // this user may not
            if (code_of(mp::Process(compare, std::string(what), state_of(what))) != 0) return 2;
            if (std::string(what) == "Seccomp") { // a second filter
                support::refuse_call(SYS_acct, EPERM);
                return code_of(mp::Process(compare, std::string(what), state_of(what)));
            }
            return 0;
        };
        // In a group of its own: the end of a process that has left its group, and a child in it, ends
        // the group's stopped members, if the group is an orphan. Other tests may be among them.
        const int code = in_copy([&] {
            ::setpgid(0, 0);
            return in_copy(starts_before_and_after);
        });
        if (code != 50) CHECK(code == 0);
    }
}

TEST_CASE("a pool goes on after its program has given up its ids", "[rights]") {
    if (::geteuid() != 0) return;
    CHECK(in_copy([] {
              mp::Pool pool({.processes = 1, .maxtasksperchild = 1});
              if (pool.apply(plus, 1) != 2) return 1;
              if (::setgid(54321) != 0 || ::setuid(54321) != 0) return 2;
              for (int i = 0; i < 3; ++i) {
                  if (pool.apply(plus, i) != i + 1) return 3;
              }
              return 0;
          }) == 0);
}

TEST_CASE("a process starts in a working directory that its user may no longer search", "[rights]") {
    if (::geteuid() != 0) return;
    CHECK(in_copy([] {
              char directory[] = "/tmp/mp_test_XXXXXX";
              if (!::mkdtemp(directory) || ::chdir(directory) != 0) return 1;
              ::rmdir(directory);
              if (code_of(mp::Process([] {})) != 0) return 2;
              if (::setgid(54321) != 0 || ::setuid(54321) != 0) return 3;
              return code_of(mp::Process([] {})) == 0 ? 0 : 4;
          }) == 0);
}

TEST_CASE("a child of fork starts in a root directory without devices", "[rights]") {
    if (::geteuid() != 0 || mp::get_start_method() != mp::StartMethod::fork || support::has_asan) return;
    CHECK(in_copy([] {
              char directory[] = "/tmp/mp_test_XXXXXX";
              if (!::mkdtemp(directory) || ::chroot(directory) != 0 || ::chdir("/") != 0) return 1;
              return code_of(mp::Process([] { std::exit(std::getchar() == EOF ? 0 : 2); }));
          }) == 0);
}

TEST_CASE("without pidfds processes and pools work, and ends are seen", "[rights]") {
    for (const int call : {SYS_pidfd_open, SYS_pidfd_send_signal, SYS_waitid}) {
        for (const unsigned answer : {unsigned{EPERM}, unsigned{ENOSYS}}) {
            CAPTURE(call, answer);
            CHECK(in_copy([&] {
                      if (!support::refuse_call(call, answer)) return 0; // no such thing here
                      if (code_of(mp::Process([] { std::exit(3); })) != 3) return 1;
                      mp::Process p([] {
                          mp::Process grandchild({.daemon = true}, [] { std::this_thread::sleep_for(1h); });
                          grandchild.start();
                          std::this_thread::sleep_for(1h);
                      });
                      p.start();
                      if (p.join(20ms) || !p.is_alive()) return 2;
                      p.kill();
                      if (!p.join(30s) || p.exitcode() != -SIGKILL) return 3;
                      mp::Pool pool(2);
                      if (pool.map(plus, std::vector<int>{1, 2, 3}).back() != 4) return 4;
                      return 0;
                  }) == 0);
        }
    }
}

TEST_CASE("a process starts after the main thread has ended", "[rights]") {
    if (mp::get_start_method() == mp::StartMethod::fork)
        return; // forks in another thread: nothing is asked of /proc
    const int copy = ::fork();
    if (copy == 0) {
        if (code_of(mp::Process([] {})) != 0) ::_exit(1);
        std::thread([] {
            std::this_thread::sleep_for(50ms); // the main thread has gone
            int code = 5;
            try {
                code = code_of(mp::Process([] {}));
            } catch (const std::exception& error) { std::fprintf(stderr, "%s\n", error.what()); }
            mp::detail::end_children();
            ::_exit(code);
        }).detach();
        ::syscall(SYS_exit, 0);
    }
    int status = 0;
    ::waitpid(copy, &status, 0);
    CHECK(status == 0);
}

#endif
