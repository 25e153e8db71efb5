// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/doorbell.hpp>
#include <multiprocessing/detail/platform/memory.hpp>
#include <multiprocessing/detail/platform/resources.hpp>

#include <boost/interprocess/mapped_region.hpp>

#include <algorithm>
#include <cstdint>

using namespace contracts;
namespace bip = boost::interprocess;

TEST_CASE("memory is zero, shared with a child, and keeps what was written", "[memory]") {
    constexpr std::uint64_t size = 1 << 20;
    platform::MemoryObject object{size};
    bip::mapped_region region{object, bip::read_write, 0, size};
    platform::exclude_from_dumps(region.get_address(), size);
    platform::commit(region.get_address(), size);
    auto* const words = static_cast<std::uint32_t*>(region.get_address());
    CHECK(std::all_of(words, words + size / 4, [](std::uint32_t word) { return word == 0; }));
    for (std::uint32_t i = 0; i < 1000; ++i) words[i] = i;

    platform::Doorbell bell;
    auto request = child_program({"increment_memory"});
    request.argument(request.pass(object.handle()));
    request.argument(std::to_string(size));
    request.argument(request.pass(bell.handle()));
    auto child = platform::spawn(request);
    CHECK(platform::wait_one(bell.handle().native(), patience())); // a bell is heard across processes
    CHECK(end_of(child).exitcode == 0);
    bool right = true;
    for (std::uint32_t i = 0; i < 1000; ++i) right = right && words[i] == i + 1;
    CHECK(right);
}

TEST_CASE("a large reservation costs nothing until it is touched", "[memory]") {
    std::uint64_t size = platform::reservation();
    CHECK(size >= std::uint64_t{1} << 30);
    platform::MemoryObject object{size};
    bip::mapped_region region;
    for (;; size /= 2) { // as the Space does it: `ulimit -v` may forbid the full size
        try {
            bip::mapped_region{object, bip::read_write, 0, size}.swap(region);
            break;
        } catch (const bip::interprocess_exception&) { REQUIRE(size > 1 << 20); }
    }
    platform::exclude_from_dumps(region.get_address(), size);
    auto* const last = static_cast<std::uint64_t*>(region.get_address()) + size / 8 - 1;
    platform::commit(last, 8);
    CHECK(*last == 0);
    *last = 1;
    CHECK(*last == 1);
}

TEST_CASE("discarded pages read as zero where the platform can discard", "[memory]") {
    constexpr std::uint64_t size = 1 << 20;
    platform::MemoryObject object{size};
    bip::mapped_region region{object, bip::read_write, 0, size};
    platform::commit(region.get_address(), size);
    auto* const bytes = static_cast<unsigned char*>(region.get_address());
    std::fill_n(bytes, size, static_cast<unsigned char>(1));
    const bool discarded = platform::discard(object, 65536, 65536);
    CHECK(bytes[65535] == 1);
    CHECK(bytes[65536] == (discarded ? 0 : 1));
    CHECK(bytes[131071] == (discarded ? 0 : 1));
    CHECK(bytes[131072] == 1);
}

TEST_CASE("there are processors and there is memory", "[resources]") {
    CHECK(platform::machine_processors() >= 1);
    CHECK(platform::allowed_processors() >= 1);
    CHECK(platform::allowed_processors() <= platform::machine_processors());
    const auto room = platform::memory_room();
    CHECK(room.machine > 1 << 20);
    CHECK(room.group <= room.machine);
}
