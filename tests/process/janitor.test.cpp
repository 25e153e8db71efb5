// SPDX-License-Identifier: BSL-1.0
#include <process/support.hpp>
#include <support/program.hpp>
#include <support/shared_names.hpp>

#include <multiprocessing/shared_memory.hpp>

#include <algorithm>
#include <csignal>

using namespace process;
using mp::shared_memory::SharedMemory;
using support::fresh_name;
using support::output_of;

#if !defined(_WIN32) // there a name goes with the last process that has it

namespace {

bool exists(const std::string& name) {
    try {
        const SharedMemory shm({.name = name});
        return true;
    } catch (const std::system_error&) { return false; }
}

/// Waits for it, a minute at most.
bool goes(const std::string& name) {
    for (int i = 0; i < 6000 && exists(name); ++i) std::this_thread::sleep_for(10ms);
    return !exists(name);
}

void take_away(const std::string& name) { SharedMemory({.name = name}).unlink(); }

} // namespace

TEST_CASE("names whose makers were killed go with the last process of the tree", "[shared_memory]") {
    const std::string own = fresh_name();
    const std::string of_child = fresh_name();
    const std::string of_killed = fresh_name();
    const std::string ending = GENERATE("killed", "aborts", "_exit");
    INFO(ending);
    output_of("named_memory", {ending, "leaves", own, of_child, "returns", of_killed, "killed"});
    CHECK(goes(own));
    CHECK(goes(of_killed));
    // Its maker ended by itself, and left it for others.
    CHECK(exists(of_child));
    take_away(of_child);
}

TEST_CASE("names whose makers ended by themselves stay", "[shared_memory]") {
    const std::string own = fresh_name();
    const std::string of_child = fresh_name();
    const std::string of_exiting = fresh_name();
    const std::string of_killed = fresh_name();
    const auto output = output_of("named_memory", {"returns", "leaves", own, of_child, "returns", of_exiting,
                                                   "exits", of_killed, "killed"});
    CHECK(output.exitcode == 0);
    CHECK(output.err.empty());
    CHECK(goes(of_killed)); // so the janitor has been there
    for (const std::string& name : {own, of_child, of_exiting}) {
        CHECK(exists(name));
        take_away(name);
    }
}

TEST_CASE("a name of the dead stays as long as a stranger has the memory", "[shared_memory]") {
    const std::string own = fresh_name();
    const std::string of_killed = fresh_name();
    std::thread program([&] { output_of("named_memory", {"killed", "waits", own, of_killed, "killed"}); });
    while (!exists(own) || !exists(of_killed)) std::this_thread::sleep_for(1ms);
    {
        const SharedMemory stranger({.name = own});
        stranger.as<int>()[0] = 1; // now it kills itself
        program.join();
        CHECK(goes(of_killed));
        CHECK(exists(own));
    }
    CHECK(goes(own));
}

TEST_CASE("a new memory of a dead one's name is left alone", "[shared_memory]") {
    const std::string own = fresh_name();
    const std::string of_killed = fresh_name();
    output_of("named_memory", {"killed", "unlinks", own, of_killed, "killed"});
    const SharedMemory shm({.name = own, .create = true, .size = 1});
    CHECK(goes(of_killed));
    CHECK(exists(own));
    shm.unlink();
}

TEST_CASE("names of killed children stay while their tree lives", "[shared_memory]") {
    const std::string name = fresh_name();
    mp::Process p(
        [](const std::string& it) {
            const SharedMemory shm({.name = it, .create = true, .size = 1});
            ::raise(SIGKILL);
        },
        name);
    p.start();
    p.join();
    CHECK(p.exitcode() == -SIGKILL);
    CHECK(exists(name));
    take_away(name);
}

#endif
