// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/channel.hpp>
#include <multiprocessing/detail/platform/fork.hpp>
#include <multiprocessing/detail/platform/lifeline.hpp>
#include <multiprocessing/detail/platform/process_attributes.hpp>
#include <multiprocessing/detail/platform/signals.hpp>
#include <multiprocessing/detail/platform/standard_streams.hpp>

#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <thread>

using namespace contracts;

#if !defined(_WIN32)

#include <csignal>
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

/// Runs `work` in a forked child and returns its exit code.
template <class Work>
int exit_code_of_fork(Work work) {
    platform::flush_standard_streams();
    const int pid = platform::fork_process();
    if (pid == 0) platform::exit_now(work());
    platform::Child child{pid};
    return end_of(child).exitcode.value();
}

} // namespace

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

TEST_CASE("messages arrive whole, with their handles", "[channel]") {
    auto [here, there] = platform::make_channel();
    auto pipe = platform::make_pipe();
    const platform::NativeHandle handles[]{pipe.writer.native(), pipe.reader.native()};
    const std::string first(60'000, 'a');
    platform::send(here, std::as_bytes(std::span(first)), handles, Deadline{});
    platform::send(here, std::as_bytes(std::span("second", 6)), {}, Deadline{});
    pipe.writer.close();

    auto message = platform::receive(there, Deadline{});
    REQUIRE(message);
    CHECK(message->bytes.size() == first.size());
    REQUIRE(message->handles.size() == 2);
    platform::write_all(message->handles[0], std::as_bytes(std::span("x", 1)));
    CHECK(read_text(pipe.reader, 1) == "x");
    message = platform::receive(there, Deadline{});
    REQUIRE(message);
    CHECK(message->bytes.size() == 6);
    CHECK(message->handles.empty());
    here.close();
    CHECK_FALSE(platform::receive(there, Deadline{}));
    CHECK_THROWS_AS(platform::send(there, std::as_bytes(std::span("x", 1)), {}, Deadline{}), std::system_error);
}

TEST_CASE("surroundings travel: environment, folder, umask, limits, affinity", "[surroundings]") {
    const auto before = platform::Surroundings::here();
    CHECK(before.changes(before).empty());
    CHECK_FALSE(before.folder(before).valid());

    // Changed in a child, so that this program keeps its own; a grandchild of the old kind takes them on.
    CHECK(exit_code_of_fork([&] {
              ::setenv("MP_TEST_SURROUNDINGS", "changed", 1);
              if (::chdir("/usr") != 0) return 10;
              ::umask(0123);
              rlimit limit{};
              ::getrlimit(RLIMIT_NOFILE, &limit);
              limit.rlim_cur = 100;
              ::setrlimit(RLIMIT_NOFILE, &limit);
              cpu_set_t last;
              CPU_ZERO(&last);
              CPU_SET(static_cast<unsigned>(::sched_getcpu()), &last);
              ::sched_setaffinity(0, sizeof last, &last);
              const auto now = platform::Surroundings::here();
              const auto bytes = now.changes(before);
              const auto folder = now.folder(before);
              if (bytes.empty() || !folder.valid()) return 11;

              // Back to what it was, as a server made earlier would be.
              platform::apply_surroundings(before.changes(now),
                                           platform::Handle{::open("/", O_PATH | O_DIRECTORY)});
              if (std::getenv("MP_TEST_SURROUNDINGS")) return 12;
              platform::apply_surroundings(bytes, folder);
              char path[100];
              cpu_set_t affinity;
              ::sched_getaffinity(0, sizeof affinity, &affinity);
              ::getrlimit(RLIMIT_NOFILE, &limit);
              if (std::strcmp(std::getenv("MP_TEST_SURROUNDINGS"), "changed") != 0) return 13;
              if (std::strcmp(::getcwd(path, sizeof path), "/usr") != 0) return 14;
              if (::umask(0) != 0123) return 15;
              if (limit.rlim_cur != 100) return 16;
              if (!CPU_EQUAL(&affinity, &last)) return 17;
              return 0;
          }) == 0);
}

TEST_CASE("threads that start behind the guard block every signal, the caller does not", "[signals]") {
    const auto blocks_interrupt = [] {
        sigset_t mask;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        return ::sigismember(&mask, SIGINT) == 1;
    };
    bool inner = false;
    {
        const platform::AllSignalsBlocked guard;
        std::thread{[&] { inner = blocks_interrupt(); }}.join();
    }
    CHECK(inner);
    CHECK_FALSE(blocks_interrupt());
}

TEST_CASE("flushing skips a stream that another thread holds", "[streams]") {
    CHECK(exit_code_of_fork([] {
              std::thread holder([] { ::flockfile(stdout); });
              holder.join(); // it ended holding the lock
              platform::flush_standard_streams();
              return 0;
          }) == 0);
}

TEST_CASE("a flush brings out what was written, once", "[streams]") {
    auto out = platform::make_pipe();
    platform::HandleTraits::keep_in_forked_child(out.writer.native());
    CHECK(exit_code_of_fork([&] {
              ::dup2(out.writer.native(), STDOUT_FILENO);
              std::printf("printed ");
              platform::flush_standard_streams();
              platform::flush_standard_streams();
              return 0;
          }) == 0);
    out.writer.close();
    CHECK(read_to_end(out.reader) == "printed ");
}

TEST_CASE("the null device replaces standard input and what was read ahead", "[streams]") {
    auto in = platform::make_pipe();
    platform::HandleTraits::keep_in_forked_child(in.reader.native());
    platform::write_all(in.writer, std::as_bytes(std::span("ab", 2)));
    CHECK(exit_code_of_fork([&] {
              ::dup2(in.reader.native(), STDIN_FILENO);
              if (std::getchar() != 'a') return 1;
              platform::take_null_input();
              return std::getchar() == EOF ? 0 : 2;
          }) == 0);
    CHECK(exit_code_of_fork([] {
              ::close(STDIN_FILENO);
              platform::take_null_input();
              char byte;
              return ::read(STDIN_FILENO, &byte, 1) == 0 ? 0 : 1;
          }) == 0);
}

#else

TEST_CASE("a platform that cannot fork says so", "[fork]") { CHECK_FALSE(platform::can_fork); }

#endif
