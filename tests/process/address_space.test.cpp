// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>
#include <support/sanitizers.hpp>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/sharedctypes.hpp>

#include <cstdint>
#include <cstdlib>
#include <new>
#include <system_error>
#include <vector>

#if !defined(_WIN32)

#include <fstream>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

using namespace process;

namespace {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

/// What this process may map beyond what it has.
void allow_more(std::uint64_t bytes) {
    std::uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t limit = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) + bytes;
    const rlimit both{limit, limit};
    ::setrlimit(RLIMIT_AS, &both);
}

std::size_t allocate(std::size_t bytes) {
    const std::vector<char> memory(bytes, 'x');
    return memory.size();
}

std::uint64_t resident_shared_memory() {
    struct stat status {};
    ::fstat(mp::detail::tree().space.handle().native(), &status);
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

} // namespace

TEST_CASE("a worker that limits its address space may use what it allows", "[address_space]") {
    if (support::has_asan) return; // needs terabytes itself
    mp::Pool pool(1, allow_more, 256 * mebibyte);
    CHECK(pool.apply(allocate, std::size_t{8} << 20) == std::size_t{8} << 20);
    CHECK_THROWS_AS(pool.apply(allocate, std::size_t{2} << 30), std::bad_alloc);
    CHECK(pool.map(allocate, std::vector<std::size_t>(1000, 100)) == std::vector<std::size_t>(1000, 100));
}

TEST_CASE("a child that limits itself goes on with the objects that it has", "[address_space]") {
    if (support::has_asan) return;
    mp::Queue<int> go;
    mp::Queue<int> queue;
    mp::Value<int> value(0);
    mp::Process child(
        [](mp::Queue<int> start, mp::Queue<int> items, mp::Value<int> count) {
            items.put(start.get()); // used, so mapped
            allow_more(16 * mebibyte);
            start.get();
            for (int i = 1; i <= 1000; ++i) {
                count += 1;
                items.put(i);
            }
        },
        go, queue, value);
    go.put(0);
    child.start();
    REQUIRE(queue.get(60s) == 0);
    // More than the child may map, though it has nothing to do with it.
    mp::RawArray<char> large(512 * mebibyte);
    large[large.size() - 1] = 1;
    go.put(1);
    for (int i = 1; i <= 1000; ++i) REQUIRE(queue.get(60s) == i);
    child.join();
    CHECK(child.exitcode() == 0);
    CHECK(value.value() == 1000);
}

TEST_CASE("more than the limit allows is refused by an error that names it", "[address_space]") {
    if (support::has_asan) return;
    mp::Process child([] {
        allow_more(64 * mebibyte);
        try {
            mp::RawArray<char> array(256 * mebibyte);
            array[0] = 1;
        } catch (const std::system_error& error) {
            if (error.code() != std::errc::not_enough_memory) std::exit(2);
            if (std::string(error.what()).find("RLIMIT_AS") == std::string::npos) std::exit(3);
            mp::RawArray<char> small(1000);
            small[0] = 1;
            std::exit(0);
        }
        std::exit(4);
    });
    child.start();
    child.join();
    CHECK(child.exitcode() == 0);
}

TEST_CASE("shared memory reserves no address space", "[address_space]") {
    if (support::has_asan) return;
    mp::Value<int> value(1);
    value += 1;
    std::uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    CHECK(pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) < 4096 * mebibyte);
}

TEST_CASE("a program that locks all its memory takes no more shared memory than it uses", "[address_space]") {
    if (support::has_asan || ::geteuid() != 0) return; // may lock little
    mp::Process child([] {
        const std::uint64_t before = resident_shared_memory();
        if (::mlockall(MCL_FUTURE) != 0) std::exit(77);
        mp::Value<int> value(1);
        value += 1;
        mp::Queue<int> queue;
        queue.put(1);
        std::exit(resident_shared_memory() < before + 64 * mebibyte ? 0 : 1);
    });
    child.start();
    child.join();
    CHECK((child.exitcode() == 0 || child.exitcode() == 77));
}

TEST_CASE("nobody can cut off the memory of the tree", "[address_space]") {
    const int memory = mp::detail::tree().space.handle().native();
    CHECK(::ftruncate(memory, 0) != 0);
    CHECK(::ftruncate(memory, static_cast<off_t>(std::uint64_t{1} << 40)) != 0);
}

#endif
