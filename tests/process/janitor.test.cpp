// SPDX-License-Identifier: BSL-1.0
#include <support/eventually.hpp>
#include <support/few_files.hpp>
#include <support/processes.hpp>
#include <support/program.hpp>
#include <support/shared_names.hpp>

#include <multiprocessing/detail/platform/executable.hpp>
#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/janitor.hpp>
#include <multiprocessing/detail/platform/named_memory.hpp>
#include <multiprocessing/shared_memory.hpp>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

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

bool goes(const std::string& name) {
    return support::eventually([&] { return !exists(name); });
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

TEST_CASE("a janitor that was killed is started again for the next name", "[shared_memory]") {
    const std::string own = fresh_name();
    const std::string of_child = fresh_name();
    output_of("named_memory", {"killed", "loses its janitor", own, of_child, "killed"});
    CHECK(goes(own));
    CHECK(goes(of_child));
}

TEST_CASE("a file of the same inode number elsewhere keeps no name", "[shared_memory]") {
    // As a janitor sees it, who looks at all that is mapped.
    const std::uint64_t here = mp::detail::platform::identity_of_file(0, 26, 4711);
    CHECK(here != mp::detail::platform::identity_of_file(0, 1, 4711));
    CHECK(here != mp::detail::platform::identity_of_file(0, 26, 4712));
    const SharedMemory shm({.name = fresh_name(), .create = true, .size = 1});
    const auto mapped = mp::detail::platform::mapped_files();
    REQUIRE(mapped);
    const auto found = mp::detail::platform::open_named_memory(shm.name());
    CHECK(std::find(mapped->begin(), mapped->end(), mp::detail::platform::identity_of(found)) != mapped->end());
    shm.unlink();
}

TEST_CASE("memory that cannot be seen counts as mapped", "[shared_memory]") {
    mp::Process p([] {
        const SharedMemory shm({.create = true, .size = 1});
        const mp::shared_memory::SharedMemory other = shm;
        {
            const support::FewFiles none{0};
            if (mp::detail::platform::mapped_files()) mp::detail::platform::exit_now(1);
        }
        {
            const support::FewFiles one{1}; // /proc can be opened, and no maps
            if (mp::detail::platform::mapped_files()) mp::detail::platform::exit_now(2);
        }
        shm.unlink();
    });
    p.start();
    p.join();
    CHECK(p.exitcode() == 0);
}

TEST_CASE("a name is noted before it exists", "[shared_memory]") {
    const std::string name = fresh_name();
    bool existed = true;
    const auto object =
        mp::detail::platform::make_named_memory(name, 4096, [&](const auto&) { existed = exists(name); });
    CHECK_FALSE(existed);
    CHECK(exists(name));
    CHECK_THROWS_AS(mp::detail::platform::make_named_memory(name, std::uint64_t{1} << 50, [](const auto&) {}),
                    std::system_error);
    mp::detail::platform::unlink_named_memory(name);
}

TEST_CASE("the folder of a killed Listener goes, and nothing that a link names", "[shared_memory]") {
    namespace fs = std::filesystem;
    namespace platform = mp::detail::platform;
    const fs::path parent = platform::directory_of_temporary_files();
    const std::string number = std::to_string(::getpid());
    const fs::path folder = parent / ("pymp-folder" + number);
    const fs::path link = parent / ("pymp-link" + number);
    const fs::path precious = parent / ("precious" + number);
    fs::create_directory(folder);
    fs::create_directory(precious);
    fs::create_directory_symlink(precious, link);
    std::ofstream(precious / "sock-1") << "kept";
    std::ofstream(folder / "sock-file") << "no socket";
    platform::remove_socket_directories(
        {platform::identity_of_directory(link.string()), platform::identity_of_directory(folder.string())});
    CHECK(fs::exists(link));
    CHECK(fs::exists(precious / "sock-1"));
    CHECK(fs::exists(folder / "sock-file"));
    fs::remove(folder / "sock-file");
    platform::remove_socket_directories({platform::identity_of_directory(folder.string())});
    CHECK_FALSE(fs::exists(folder));
    fs::remove(link);
    fs::remove_all(precious);
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
