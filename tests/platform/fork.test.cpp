// SPDX-License-Identifier: BSL-1.0
#include <platform/forked.hpp>
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/fork.hpp>
#include <multiprocessing/detail/platform/lifeline.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <span>
#include <thread>

using namespace contracts;

#if !defined(_WIN32)

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

TEST_CASE("a forked child closes our handles, but not those it is to keep, nor the program's", "[fork]") {
    auto pipe = platform::make_pipe();
    auto kept = platform::make_pipe();
    platform::HandleTraits::keep_in_forked_child(kept.writer.native());
    const int foreign = ::open("/dev/null", O_RDONLY);
    const auto is_open = [](int descriptor) { return ::fcntl(descriptor, F_GETFD) != -1; };
    CHECK(exit_code_of_fork([&] {
              const bool right = !is_open(pipe.reader.native()) && !is_open(pipe.writer.native()) &&
                                 !is_open(kept.reader.native()) && is_open(kept.writer.native()) &&
                                 is_open(foreign);
              return right ? 0 : 1;
          }) == 0);
    ::close(foreign);
}

TEST_CASE("an inherited handle object does not close a descriptor that has its number now", "[fork]") {
    auto pipe = platform::make_pipe();
    const int number = pipe.reader.native();
    CHECK(exit_code_of_fork([&] {
              platform::Handle fresh{::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, number)};
              if (fresh.native() != number) return 2;
              pipe.reader.close(); // the object of the parent, copied by the fork
              return ::fcntl(number, F_GETFD) == -1 ? 1 : 0;
          }) == 0);
}

TEST_CASE("a fork beside threads that use handles finds the list of handles whole", "[fork]") {
    std::atomic<bool> stop{false};
    std::thread busy([&] {
        while (!stop) platform::make_pipe();
    });
    for (int i = 0; i < 200; ++i)
        CHECK(exit_code_of_fork([] { return platform::make_pipe().reader.valid() ? 0 : 1; }) == 0);
    stop = true;
    busy.join();
}

TEST_CASE("a lifeline's write end is closed in a forked copy of the parent", "[fork]") {
    platform::Lifeline lifeline;
    auto strand = lifeline.strand().child;
    auto out = platform::make_pipe();
    platform::HandleTraits::keep_in_forked_child(out.writer.native());
    const int copy = platform::fork_process();
    if (copy == 0) {
        platform::write_all(out.writer, std::as_bytes(std::span("up", 2)));
        for (;;) ::pause();
    }
    platform::Child copy_of_parent{copy};
    CHECK(read_text(out.reader, 2) == "up");
    CHECK_FALSE(platform::is_gone(strand));
    lifeline = platform::Lifeline{};
    CHECK(platform::is_gone(strand)); // though the copy lives
    copy_of_parent.kill();
    end_of(copy_of_parent);
}

TEST_CASE("a sibling is the child of the parent, and its robust mutex reports its death", "[fork]") {
    // The server: a child that makes a sibling of itself and tells its pid.
    auto out = platform::make_pipe();
    platform::HandleTraits::keep_in_forked_child(out.writer.native());
    const int server_pid = platform::fork_process();
    if (server_pid == 0) {
        int place = 0;
        const auto sibling = platform::fork_sibling(place);
        if (sibling && *sibling != 0 && place != *sibling) platform::exit_now(78);
        if (!sibling) platform::exit_now(77);
        if (*sibling == 0) platform::exit_now(::getppid() == 1 ? 1 : 42);
        platform::write_all(out.writer, std::as_bytes(std::span(&*sibling, 1)));
        platform::exit_now(0);
    }
    platform::Child server{server_pid};
    const int code = end_of(server).exitcode.value();
    if (code == 77) {
        WARN("the kernel refuses to make siblings");
        return;
    }
    CHECK(code == 0);
    int pid = 0;
    REQUIRE(platform::read_all(out.reader, std::as_writable_bytes(std::span(&pid, 1))));
    platform::Child sibling{pid};
    CHECK(end_of(sibling).exitcode == 42);
}

TEST_CASE("a child that somebody else waited for has ended, with a code that nobody knows", "[fork]") {
    const int pid = platform::fork_process();
    if (pid == 0) platform::exit_now(3);
    platform::Child child{pid};
    ::waitpid(pid, nullptr, 0);
    const auto ending = child.poll();
    REQUIRE(ending);
    CHECK_FALSE(ending->exitcode);
}

TEST_CASE("foreign threads are counted without the caller and our own", "[fork]") {
    CHECK(platform::foreign_threads(0) == 0);
    std::mutex mutex;
    std::condition_variable changed;
    bool stop = false;
    std::thread other([&] {
        std::unique_lock lock{mutex};
        changed.wait(lock, [&] { return stop; });
    });
    CHECK(platform::foreign_threads(0) == 1);
    CHECK(platform::foreign_threads(1) == 0);
    {
        std::lock_guard lock{mutex};
        stop = true;
    }
    changed.notify_all();
    other.join();
}

#else

TEST_CASE("a platform that cannot fork says so", "[fork]") { CHECK_FALSE(platform::can_fork); }

#endif
