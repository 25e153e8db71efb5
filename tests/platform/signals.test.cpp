// SPDX-License-Identifier: BSL-1.0
#include <platform/forked.hpp>
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/signals.hpp>

#include <csignal>
#include <thread>

using namespace contracts;

TEST_CASE("signals have the names that people know", "[signals]") {
    CHECK(platform::signal_name(2) == "SIGINT");
    CHECK(platform::signal_name(15) == "SIGTERM");
    CHECK_THAT(platform::signal_name(54321), ContainsSubstring("54321"));
}

TEST_CASE("a process that ignores interrupts survives one, and says so", "[signals]") {
    const bool before = platform::ignore_interrupt(true);
    CHECK(platform::ignore_interrupt(true));
    std::raise(SIGINT);
    CHECK(platform::ignore_interrupt(before));
    CHECK(platform::ignore_interrupt(before) == before);
}

#if !defined(_WIN32)

#include <cerrno>
#include <pthread.h>
#include <unistd.h>

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

TEST_CASE("a mask of the caller is applied as it was", "[signals]") {
    const auto blocks = [](int signal) {
        sigset_t mask;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        return ::sigismember(&mask, signal) == 1;
    };
    const auto before = platform::SignalMask::of_caller();
    sigset_t one;
    ::sigemptyset(&one);
    ::sigaddset(&one, SIGUSR1);
    ::pthread_sigmask(SIG_BLOCK, &one, nullptr);
    const auto with_one = platform::SignalMask::of_caller();
    before.apply();
    CHECK_FALSE(blocks(SIGUSR1));
    with_one.apply();
    CHECK(blocks(SIGUSR1));
    before.apply();
}

TEST_CASE("a guarded write to a closed pipe is an error, not a signal", "[signals]") {
    CHECK(exit_code_of_fork([] {
              ::signal(SIGPIPE, SIG_DFL);
              auto pipe = platform::make_pipe();
              pipe.reader.close();
              {
                  const platform::BrokenPipeSignalHeld guard;
                  if (::write(pipe.writer.native(), "x", 1) != -1) return 1;
                  if (errno != EPIPE) return 2;
              }
              sigset_t pending;
              ::sigpending(&pending);
              return ::sigismember(&pending, SIGPIPE) == 1 ? 3 : 0;
          }) == 0);
}

#endif
