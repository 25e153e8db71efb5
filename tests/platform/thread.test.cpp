// SPDX-License-Identifier: BSL-1.0
#include <platform/forked.hpp>
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/thread.hpp>

#include <span>
#include <thread>

using namespace contracts;
using platform::ThreadName;

TEST_CASE("a thread has one name, which no other has", "[thread]") {
    const ThreadName own = platform::name_of_this_thread();
    CHECK(own != 0);
    CHECK((own & platform::spare_bit_of_thread_name) == 0);
    CHECK(platform::name_of_this_thread() == own);
    ThreadName other = 0;
    bool stays = false;
    std::thread{[&] {
        other = platform::name_of_this_thread();
        stays = platform::name_of_this_thread() == other;
    }}.join();
    CHECK(stays);
    CHECK(other != own);
    CHECK(platform::is_complete(own));
}

TEST_CASE("a thread lives until it has ended", "[thread]") {
    CHECK(platform::lives(platform::name_of_this_thread()));
    ThreadName name = 0;
    bool lived = false;
    bool was_ours = false;
    std::thread{[&] {
        name = platform::name_of_this_thread();
        lived = platform::lives(name);
        was_ours = platform::is_of_this_process(name);
    }}.join();
    CHECK(lived);
    CHECK(was_ours);
    bool lives = true; // the system may take a moment more than join()
    for (const Deadline end = patience(); lives && !end.passed();) lives = platform::lives(name);
    CHECK_FALSE(lives);
}

TEST_CASE("the first thread of a process is its main thread alone", "[thread]") {
    platform::name_of_this_thread(); // Windows: the first that used a lock
    CHECK(platform::is_main_thread());
    bool other = true;
    std::thread{[&] { other = platform::is_main_thread(); }}.join();
    CHECK_FALSE(other);
}

TEST_CASE("an id space is not apart from itself, nor from an unknown one", "[thread]") {
    const platform::IdSpace space = platform::id_space();
    CHECK(platform::id_space() == space);
    CHECK_FALSE(platform::are_apart(space, space));
    CHECK_FALSE(platform::are_apart(space, 0));
    CHECK_FALSE(platform::are_apart(0, space));
    CHECK(platform::begin_id_space().space != 0);
}

#if !defined(_WIN32)

TEST_CASE("a thread of a killed process is dead, reaped or not", "[thread]") {
    auto out = platform::make_pipe();
    platform::HandleTraits::keep_in_forked_child(out.writer.native());
    const int pid = platform::fork_process();
    if (pid == 0) {
        const ThreadName name = platform::name_of_this_thread();
        platform::write_all(out.writer, std::as_bytes(std::span(&name, 1)));
        for (;;) std::this_thread::sleep_for(1s);
    }
    platform::Child child{pid};
    ThreadName name = 0;
    REQUIRE(platform::read_all(out.reader, std::as_writable_bytes(std::span(&name, 1))));
    CHECK(name != platform::name_of_this_thread());
    CHECK(platform::lives(name));
    CHECK_FALSE(platform::is_of_this_process(name));
    child.kill();
    platform::wait_one(child.sentinel().native(), patience());
    CHECK_FALSE(platform::lives(name)); // a zombie
    end_of(child);
    CHECK_FALSE(platform::lives(name));
}

TEST_CASE("a forked copy counts by the ids of its parent", "[thread]") {
    const platform::IdSpace space = platform::id_space();
    const bool shares = platform::children_share_ids();
    CHECK(exit_code_of_fork([&] {
              if (shares) platform::keep_id_space();
              return !shares || platform::id_space() == space ? 0 : 1;
          }) == 0);
}

#endif
