// SPDX-License-Identifier: BSL-1.0
#include <platform/forked.hpp>
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/janitor.hpp>
#include <multiprocessing/detail/platform/named_memory.hpp>

#include <boost/interprocess/mapped_region.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace contracts;
namespace bip = boost::interprocess;

#if !defined(_WIN32)

#include <csignal>
#include <cstring>
#include <unistd.h>

namespace {

std::string name_for(const char* what) {
    return platform::named_memory_prefix + std::string(what) + std::to_string(platform::current_pid());
}

platform::MemoryObject made(const std::string& name) {
    return platform::make_named_memory(name, 100, [](const platform::MemoryObject&) {});
}

bool exists(const std::string& name) {
    try {
        platform::open_named_memory(name);
        return true;
    } catch (const std::system_error&) { return false; }
}

} // namespace

TEST_CASE("an identity tells memories apart, also two of one name", "[janitor]") {
    const std::string name = name_for("identity");
    const auto first = made(name);
    const std::uint64_t identity = platform::identity_of(first);
    CHECK(identity != 0);
    CHECK(platform::identity_of(platform::open_named_memory(name)) == identity);
    CHECK_FALSE(platform::is_of_process(identity));
    platform::unlink_named_memory(name);
    const auto second = made(name);
    CHECK(platform::identity_of(second) != identity);
    platform::unlink_named_memory(name);
}

TEST_CASE("memory loses its name when no process has it mapped", "[janitor]") {
    const std::string name = name_for("unused");
    const std::string other = name_for("other");
    std::uint64_t identity = 0;
    bip::mapped_region region;
    {
        const auto object = made(name);
        made(other);
        identity = platform::identity_of(object);
        bip::mapped_region{object, bip::read_write}.swap(region);
    }
    std::thread janitor([&] { platform::unlink_when_unused({identity}); });
    std::this_thread::sleep_for(50ms); // it looks meanwhile
    CHECK(exists(name));
    bip::mapped_region{}.swap(region);
    janitor.join();
    CHECK_FALSE(exists(name));
    CHECK(exists(other)); // nobody asked for it to go
    platform::unlink_named_memory(other);
}

TEST_CASE("memory that replaced another one of its name keeps it", "[janitor]") {
    const std::string name = name_for("replaced");
    std::uint64_t identity = 0;
    const auto first = made(name); // lives on, so that its number is not used again
    identity = platform::identity_of(first);
    platform::unlink_named_memory(name);
    made(name);
    platform::unlink_when_unused({identity});
    CHECK(exists(name));
    platform::unlink_named_memory(name);
}

TEST_CASE("a child has ended when it was killed, not before", "[janitor]") {
    const int pid = platform::fork_process();
    if (pid == 0) {
        for (;;) ::pause();
    }
    CHECK_FALSE(platform::child_has_ended(pid));
    ::kill(pid, SIGKILL);
    bool ended = false;
    for (const Deadline end = patience(); !ended && !end.passed();) {
        ended = platform::child_has_ended(pid);
        if (!ended) std::this_thread::sleep_for(1ms);
    }
    CHECK(ended);
}

TEST_CASE("a reading end reads what is written into the pipe", "[janitor]") {
    auto pipe = platform::make_pipe();
    pipe.reader.close();
    const platform::Handle reader = platform::reading_end(pipe.writer);
    platform::write_all(pipe.writer, std::as_bytes(std::span("x", 1)));
    CHECK(read_text(reader, 1) == "x");
}

TEST_CASE("a process that leaves its family has no group, streams or directory", "[janitor]") {
    CHECK(exit_code_of_fork([] {
              platform::leave_family();
              char folder[100] = "";
              char byte;
              if (::getsid(0) != ::getpid() || ::getpgrp() != ::getpid()) return 1;
              if (!::getcwd(folder, sizeof folder) || std::strcmp(folder, "/") != 0) return 2;
              if (::read(STDIN_FILENO, &byte, 1) != 0) return 3;
              return ::isatty(STDOUT_FILENO) == 0 && ::isatty(STDERR_FILENO) == 0 ? 0 : 4;
          }) == 0);
}

#else

TEST_CASE("named memory that goes with its processes needs no janitor", "[janitor]") {
    CHECK_FALSE(platform::names_outlive_processes);
    const platform::MemoryObject object{4096};
    CHECK(platform::identity_of(object) == 0);
    CHECK_FALSE(platform::is_of_process(1));
    platform::unlink_when_unused({1, 2}); // returns at once
}

#endif
