// SPDX-License-Identifier: BSL-1.0
// By which name a lock knows its holder, when the system says little or another namespace says something else.
#include <support/few_files.hpp>
#include <support/processes.hpp>
#include <support/sanitizers.hpp>

#include <multiprocessing/queues.hpp>
#include <multiprocessing/synchronize.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <thread>

#if !defined(_WIN32)
#include <csignal>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace process;

namespace {

namespace platform = mp::detail::platform;

/// What a process cannot ask the system for, from here on.
enum class Blind { no_descriptors, no_proc };

void blind(Blind how, std::optional<support::FewFiles>& files) {
    if (how == Blind::no_descriptors) {
        files.emplace(0);
    } else if (::chdir("/tmp") != 0 || ::chroot("/tmp") != 0) { // where there is no /proc
        platform::exit_now(3);
    }
}

bool is_root() { return ::geteuid() == 0; }

/// Holds the lock, by a name that was asked for while the system said nothing; then dies, or lets go.
void hold_blindly(mp::Lock lock, Tally tally, Blind how, bool dies) {
    std::optional<support::FewFiles> files;
    blind(how, files);
    std::thread([&] {
        lock.acquire();
        files.reset(); // the shortage is over, the name stays
        tally.add(0, 1);
        tally.wait_for(1, 1);
        if (dies) platform::exit_now(0);
        lock.release();
        lock.acquire(); // named anew, if that is possible now
        lock.release();
    }).join();
}

/// The rest of what a copy does that raw system calls made: of it no handler has heard.
template <class Work>
int in_raw_copy(int flags, Work work) {
    const long pid = ::syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (pid == 0) ::_exit(work());
    if (pid < 0) return -1;
    siginfo_t info{};
    while (::syscall(SYS_waitid, 1 /* P_PID */, pid, &info, 4 /* WEXITED */, nullptr) < 0) {}
    return info.si_status;
}

} // namespace

TEST_CASE("a holder that was named when the system said nothing keeps its lock", "[synchronize]") {
    const Blind how = GENERATE(Blind::no_descriptors, Blind::no_proc);
    // It takes chroot(); and without /proc LeakSanitizer ends a process with an error of its own.
    if (how == Blind::no_proc && (!is_root() || support::has_asan)) return;
    const bool asker_is_blind = GENERATE(false, true);
    const bool dies = GENERATE(false, true);
    const ExpectedLog log{"without releasing it"};
    const mp::Lock lock;
    Tally tally;
    mp::Process holder(hold_blindly, lock, tally, how, dies);
    holder.start();
    tally.wait_for(0, 1);
    {
        std::optional<support::FewFiles> files;
        if (asker_is_blind) files.emplace(0);
        CHECK_FALSE(lock.acquire(300ms));
    }
    tally.add(1, 1);
    holder.join();
    CHECK(holder.exitcode() == 0);
    CHECK(lock.acquire(60s)); // that it has ended is known
    CHECK(lock.recovered() == dies);
    lock.release();
}

TEST_CASE("a holder that lives keeps its lock from one that can ask nothing", "[synchronize]") {
    const ExpectedLog log{"without releasing it"};
    const mp::Lock lock;
    Tally tally;
    mp::Process holder(
        [](mp::Lock held, Tally t) {
            held.acquire();
            t.add(0, 1);
            t.wait_for(1, 1);
            platform::exit_now(0);
        },
        lock, tally);
    holder.start();
    tally.wait_for(0, 1);
    {
        const support::FewFiles none{0};
        bool got = true;
        std::thread([&] { got = lock.acquire(300ms); }).join(); // the asker's own name is not complete
        CHECK_FALSE(got);
    }
    tally.add(1, 1);
    holder.join();
    {
        const support::FewFiles none{0};
        CHECK(lock.acquire(60s)); // without a descriptor it is known, too: there is no such thread
    }
    CHECK(lock.recovered());
    lock.release();
}

TEST_CASE("a thread has its whole name as soon as it holds nothing and the system says it", "[synchronize]") {
    const mp::RLock first;
    const mp::RLock second;
    std::thread([&] {
        std::optional<support::FewFiles> none{0};
        first.acquire();
        CHECK_FALSE(platform::is_complete(mp::detail::this_thread()));
        none.reset();
        second.acquire();
        first.acquire(); // still its own
        first.release();
        first.release();
        CHECK_FALSE(platform::is_complete(mp::detail::this_thread()));
        second.release();
        for (int i = 0; i < 3; ++i) {
            first.acquire();
            first.release();
        }
        CHECK(platform::is_complete(mp::detail::this_thread()));
    }).join();
    CHECK(second.try_lock());
    second.release();
}

TEST_CASE("a copy that a raw clone made does not hold what its parent does", "[synchronize]") {
    const mp::Lock lock;
    const mp::RLock again;
    lock.acquire();
    again.acquire();
    const int status = in_raw_copy(0, [&] {
        if (lock.try_lock() || again.try_lock()) return 1;
        try {
            lock.release();
            return 2;
        } catch (const std::logic_error&) { return 0; }
    });
    CHECK(status == 0);
    again.release();
    lock.release();
}

TEST_CASE("a lock whose holder died in a pid namespace of its own goes on", "[synchronize]") {
    const ExpectedLog log{"without releasing it"};
    const mp::Lock lock;
    Tally tally;
    mp::Process holder(
        [](mp::Lock held, Tally t) {
            const int status = in_raw_copy(CLONE_NEWPID, [&] {
                held.acquire();
                t.add(0, 1);
                t.wait_for(1, 1);
                return 0; // and dies with it
            });
            if (status != 0) t.add(0, 2); // it takes rights that this user has not
        },
        lock, tally);
    holder.start();
    tally.wait_for(0, 1);
    if (tally.get(0) == 1) {
        CHECK_FALSE(lock.acquire(300ms));
        tally.add(1, 1);
        CHECK(lock.acquire(60s));
        CHECK(lock.recovered());
        lock.release();
    }
    holder.join();
}

TEST_CASE("where threads of the tree cannot be told apart a lock is refused", "[synchronize]") {
    const int flags = GENERATE(CLONE_NEWPID | CLONE_NEWNS, 0x80 /* CLONE_NEWTIME */);
    const mp::Lock lock;
    const mp::Queue<int> queue;
    lock.acquire();
    Tally tally;
    mp::Process sandbox(
        [](mp::Lock held, mp::Queue<int> items, int how) {
            const bool time = how == 0x80;
            if (time && ::unshare(how) != 0) return; // only the next process is in it
            in_raw_copy(time ? 0 : how,
                        [&] {
                            if (!time && (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
                                          ::mount("proc", "/proc", "proc", 0, nullptr) != 0))
                                return 0;
                            int refused = 0;
                            try {
                                held.try_lock();
                            } catch (const std::logic_error&) { ++refused; }
                            try {
                                items.put(1);
                            } catch (const std::logic_error&) { ++refused; }
                            if (refused != 2) platform::exit_now(refused + 1);
                            return 0;
                        }) == 0
                ? platform::exit_now(0)
                : platform::exit_now(1);
        },
        lock, queue, flags);
    sandbox.start();
    sandbox.join();
    CHECK(sandbox.exitcode() == 0);
    lock.release();
    CHECK(queue.empty());
}
#endif
