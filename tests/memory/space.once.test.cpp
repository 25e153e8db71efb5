// SPDX-License-Identifier: BSL-1.0
#include <support/allocations.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/space/heap.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>
#include <multiprocessing/detail/space/space.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <system_error>
#include <thread>
#include <vector>

#if !defined(_WIN32)
#include <sys/stat.h>
#endif

using namespace multiprocessing::detail;

namespace {

/// A Space with two processes' heaps, both in this process: what differs between processes is only who owns what.
struct Two {
    Space space{std::uint64_t{1} << 30};
    Incarnation first_name = space.new_incarnation(0);
    Incarnation second_name = space.new_incarnation(first_name);
    Heap first{space, first_name};
    Heap second{space, second_name};

    /// How many extents bear the name.
    std::uint64_t owned_by(Incarnation name) const {
        std::uint64_t count = 0;
        for (auto i = space.first_extent(); i < space.high_water(); ++i) count += space.extent(i).owner == name;
        return count;
    }
    std::byte* bytes(Position block) { return &space.at<std::byte>(block); }
};

} // namespace

TEST_CASE("names of processes are never 0 and never used twice", "[space]") {
    Two two;
    std::set<Incarnation> names;
    for (int i = 0; i < 1000; ++i) names.insert(two.space.new_incarnation(two.first_name));
    CHECK(names.size() == 1000);
    CHECK(names.count(0) == 0);
}

TEST_CASE("a second mapping of the Space sees the same at the same positions", "[space]") {
    Two two;
    const Position block = two.first.allocate(100);
    std::strcpy(reinterpret_cast<char*>(two.bytes(block)), "here");
    Space other{two.space.handle().duplicate()};
    CHECK(other.bytes() == two.space.bytes());
    CHECK(std::strcmp(&other.at<char>(block), "here") == 0);
    CHECK(other.position_of(&other.at<char>(block)) == block);
    CHECK(other.holds(block, 100));
    CHECK_FALSE(other.holds(other.bytes(), 1));
    CHECK_FALSE(other.holds(block, ~std::uint64_t{0}));
}

TEST_CASE("all that was ever handed out can be read, at any instant", "[space]") {
    Two two;
    std::atomic<bool> full{false};
    // Whoever takes an extent may be killed before its next step, and others look into it then.
    std::thread source([&] {
        for (int i = 0; i < 3000; ++i) two.space.allocate_extents(3, two.first_name);
        full = true;
    });
    std::uint64_t read = 0;
    for (bool last_look = false; !last_look;) {
        last_look = full;
        const std::uint64_t last = two.space.high_water() - 1;
        if (last < two.space.first_extent()) continue;
        const auto* const at =
            reinterpret_cast<const volatile char*>(&two.space.at<char>(last * Space::extent_bytes));
        if (*at == 0) ++read;
    }
    source.join();
    CHECK(read > 0);
}

TEST_CASE("memory that is no Space is refused", "[space]") {
    platform::MemoryObject object{65536};
    {
        boost::interprocess::mapped_region region{object, boost::interprocess::read_write, 0, 65536};
        platform::commit(region.get_address(), 65536);
    }
    CHECK_THROWS_AS(Space(object.handle().duplicate()), multiprocessing::ProcessError);
}

TEST_CASE("runs of extents are taken whole, given back, and taken again", "[space]") {
    Two two;
    const auto a = two.space.allocate_extents(10, two.first_name);
    const auto b = two.space.allocate_extents(5, two.second_name);
    REQUIRE(a);
    REQUIRE(b);
    CHECK(two.owned_by(two.first_name) == 10);
    CHECK(two.owned_by(two.second_name) == 5);
    two.space.free_extents(*a, 10);
    CHECK(two.owned_by(two.first_name) == 0);
    CHECK(two.space.allocate_extents(11, two.first_name) > b); // does not fit where the ten were
    CHECK(two.space.allocate_extents(10, two.first_name) == a);
    CHECK_FALSE(two.space.allocate_extents(two.space.bytes() / Space::extent_bytes, two.first_name));
}

TEST_CASE("extents that were given back are taken before the Space grows", "[space]") {
    Two two;
    const auto a = two.space.allocate_extents(4, two.first_name);
    REQUIRE(two.space.allocate_extents(4, two.first_name));
    two.space.free_extents(*a, 4);
    const auto mark = two.space.high_water();
    CHECK(two.space.allocate_extents(4, two.first_name) == a);
    CHECK(two.space.high_water() == mark);
}

TEST_CASE("blocks of every size are aligned, apart, and keep what is in them", "[heap]") {
    Two two;
    std::mt19937 random{1};
    std::map<Position, std::pair<std::size_t, unsigned char>> blocks;
    const auto check_and_free = [&](auto it) {
        const auto* const begin = two.bytes(it->first);
        const auto [size, mark] = it->second;
        const bool whole =
            std::all_of(begin, begin + size, [&, mark = mark](std::byte b) { return b == std::byte{mark}; });
        CHECK(whole);
        two.first.free(it->first);
        return blocks.erase(it);
    };
    for (int i = 0; i < 3000; ++i) {
        const std::size_t size = i % 10 ? random() % 5000 : random() % 400'000;
        const auto mark = static_cast<unsigned char>(random());
        const Position block = two.first.allocate(size);
        REQUIRE(block % 64 == 0);
        REQUIRE(two.space.holds(block, size));
        std::memset(two.bytes(block), mark, size);
        REQUIRE(blocks.emplace(block, std::pair{size, mark}).second);
        if (blocks.size() > 100)
            check_and_free(std::next(blocks.begin(), static_cast<long>(random() % blocks.size())));
    }
    while (!blocks.empty()) check_and_free(blocks.begin());
    CHECK(two.first.live() == 0);
}

TEST_CASE("a freed block is used again, warm", "[heap]") {
    Two two;
    for (const std::uint64_t size : {1ull, 64ull, 1000ull, 32'512ull, 32'513ull, 65'536ull, 10'000'000ull}) {
        const Position block = two.first.allocate(size);
        two.first.free(block);
        CHECK(two.first.allocate(size) == block);
        two.first.free(block);
    }
}

TEST_CASE("zeroed blocks are zero on recycled memory, too", "[heap]") {
    Two two;
    for (const std::uint64_t size : {100ull, 100'000ull}) {
        const Position block = two.first.allocate(size);
        std::memset(two.bytes(block), 0xFF, size);
        two.first.free(block);
        const Position again = two.first.allocate_zeroed(size);
        REQUIRE(again == block);
        CHECK(std::all_of(two.bytes(again), two.bytes(again) + size,
                          [](std::byte b) { return b == std::byte{0}; }));
    }
}

#if !defined(_WIN32)
TEST_CASE("a large zeroed block takes memory only where it is touched", "[heap]") {
    Two two;
    const auto resident = [&] {
        struct stat status {};
        ::fstat(two.space.handle().native(), &status);
        return static_cast<std::uint64_t>(status.st_blocks) * 512;
    };
    constexpr std::uint64_t size = std::uint64_t{64} << 20;
    const std::uint64_t before = resident();
    const Position block = two.first.allocate_zeroed(size);
    CHECK(resident() < before + (size >> 4));
    std::memset(two.bytes(block), 0xFF, size);
    CHECK(resident() >= before + size);
    two.first.free(block);
    CHECK(resident() >= before + size); // warm
    const Position again = two.first.allocate_zeroed(size);
    REQUIRE(again == block);
    CHECK(resident() < before + (size >> 4));
    CHECK(
        std::all_of(two.bytes(again), two.bytes(again) + size, [](std::byte b) { return b == std::byte{0}; }));
    two.first.free(again);
}

TEST_CASE("what was in use at no moment of the last second goes back to the system", "[heap]") {
    Two two;
    std::vector<Position> blocks;
    for (int i = 0; i < 200; ++i) blocks.push_back(two.first.allocate(std::uint64_t{1} << 20));
    for (const Position block : blocks) two.first.free(block);
    CHECK(two.first.warm() >= std::uint64_t{200} << 20); // it may be needed again at once
    std::this_thread::sleep_for(std::chrono::milliseconds{1010});
    SECTION("seen at the next allocation") { two.first.free(two.first.allocate(1)); }
    SECTION("seen by a supervisor") { two.first.trim_unused(); }
    CHECK(two.first.warm() <= std::uint64_t{64} << 20);
}
#endif

TEST_CASE("blocks are freed where there is no private memory left", "[heap]") {
    Two two;
    std::vector<Position> blocks;
    for (int i = 0; i < 3000; ++i)
        blocks.push_back(two.first.allocate(static_cast<std::uint64_t>(i % 10 ? 100 + i : 100'000 + 100 * i)));
    {
        const support::NoMemory none;
        for (const Position block : blocks) two.first.free(block);
    }
    CHECK(two.first.live() == 0);
}

TEST_CASE("an allocation that finds no private memory takes no extent", "[heap]") {
    Two two;
    for (const std::uint64_t size : {100u, 100'000u}) {
        for (std::size_t allowed = 0; allowed < 4; ++allowed) {
            const auto before = two.owned_by(two.first_name);
            try {
                const support::NoMemory none{allowed};
                two.first.free(two.first.allocate(size));
            } catch (const std::bad_alloc&) { CHECK(two.owned_by(two.first_name) == before); }
            two.first.trim();
        }
    }
    CHECK(two.first.live() == 0);
}

TEST_CASE("what one process begins to use is mapped by the others when they come upon it", "[space]") {
    Two two;
    Space other{two.space.handle().duplicate()};
    for (const std::uint64_t size : {8u, 5u << 20, 300u << 20}) {
        const Position block = two.first.allocate(size);
        two.space.at<std::uint64_t>(block + size - 8) = size;
        const auto* const begin = &other.at<std::byte>(block);
        CHECK(*reinterpret_cast<const std::uint64_t*>(begin + size - 8) == size);
        CHECK(other.position_of(begin) == block);
        CHECK(other.holds(begin));
    }
}

TEST_CASE("taking extents costs the same however many are in use", "[space]") {
    Two two;
    // Half of them in use, as islands: a search from the beginning would look at all of them for each.
    std::vector<std::uint64_t> taken;
    for (int i = 0; i < 4000; ++i)
        taken.push_back(*two.space.allocate_extents(2, i % 2 ? two.first_name : two.second_name));
    for (std::size_t i = 0; i < taken.size(); i += 2) two.space.free_extents(taken[i], 2);
    const auto time_of = [&](auto work) {
        const auto begin = std::chrono::steady_clock::now();
        work();
        return std::chrono::steady_clock::now() - begin;
    };
    const auto time_of_few = [&] {
        return time_of([&] {
            Two small;
            for (int i = 0; i < 2000; ++i) small.space.allocate_extents(3, small.first_name);
        });
    };
    const auto time_of_many = [&] {
        return time_of([&] {
            for (int i = 0; i < 2000; ++i) two.space.allocate_extents(3, two.first_name);
        });
    };
    // 40 times and more when each take searches all. A busy machine lengthens some rounds, never all
    // of them: the quickest of many is compared with the slowest of few.
    auto few = time_of_few();
    auto many = time_of_many();
    for (int round = 0; round < 4 && many >= 20 * few; ++round) {
        few = std::max(few, time_of_few());
        many = std::min(many, time_of_many());
    }
    CHECK(many < 20 * few);
}

TEST_CASE("what is kept warm is bounded by what was in use, and is given back", "[heap]") {
    Two two;
    std::vector<Position> blocks;
    for (int i = 0; i < 64; ++i) blocks.push_back(two.first.allocate(1 << 20));
    const auto most = two.owned_by(two.first_name);
    for (int round = 0; round < 20; ++round) {
        for (const Position block : blocks) two.first.free(block);
        for (Position& block : blocks) block = two.first.allocate(1 << 20);
    }
    CHECK(two.owned_by(two.first_name) == most);
    for (const Position block : blocks) two.first.free(block);
    CHECK(two.first.live() == 0);
    CHECK(two.first.warm() == 64 << 20);
    two.first.trim();
    CHECK(two.first.warm() == 0);
    CHECK(two.owned_by(two.first_name) == 0);
}

TEST_CASE("a block that another process gives back is used again", "[heap]") {
    Two two;
    for (const std::uint64_t size : {200ull, 200'000ull}) {
        const Position block = two.first.allocate(size);
        two.second.free(block);
        CHECK(two.first.allocate(size) == block);
        two.first.free(block);
    }
    CHECK(two.first.live() == 0);
}

TEST_CASE("memory does not grow when one process allocates and another frees", "[heap]") {
    Two two;
    std::uint64_t mark = 0;
    for (int round = 0; round < 200; ++round) {
        std::vector<Position> blocks;
        for (int i = 0; i < 100; ++i) blocks.push_back(two.first.allocate(i % 5 ? 300 : 300'000));
        for (const Position block : blocks) two.second.free(block);
        if (round == 3) mark = two.space.high_water();
    }
    CHECK(two.space.high_water() == mark);
}

TEST_CASE("a process's memory is freed after its death, but for what it handed over", "[heap]") {
    Two two;
    const Position small = two.second.allocate(100);
    const Position small_lost = two.second.allocate(100);
    const Position large = two.second.allocate(300'000);
    two.second.allocate(400'000); // lost
    const Position other_class = two.second.allocate(5000);
    std::memset(two.bytes(small), 1, 100);
    std::memset(two.bytes(large), 2, 300'000);
    two.second.hand_over(small);
    two.second.hand_over(large);
    (void)other_class;

    two.first.adopt(two.second_name);
    CHECK(two.owned_by(two.second_name) == 0);
    CHECK(two.first.live() >= 300'100);
    CHECK(two.first.live() < 400'000);
    CHECK(std::all_of(two.bytes(small), two.bytes(small) + 100, [](std::byte b) { return b == std::byte{1}; }));
    CHECK(std::all_of(two.bytes(large), two.bytes(large) + 300'000,
                      [](std::byte b) { return b == std::byte{2}; }));
    CHECK(two.first.allocate(100) != small); // the rest of the slab is in use again, that block is not
    const std::set<Position> fresh{two.first.allocate(100), two.first.allocate(100)};
    CHECK(fresh.count(small) == 0);
    CHECK(small_lost / Space::extent_bytes == small / Space::extent_bytes);
    two.first.free(small);
    two.first.free(large);
}

TEST_CASE("a handed-over block may be given back before or after its owner's death is dealt with", "[heap]") {
    Two two;
    Heap third{two.space, two.space.new_incarnation(two.first_name)};
    const Position before = two.second.allocate(100'000);
    const Position before_small = two.second.allocate(100);
    const Position after = two.second.allocate(100'000);
    const Position after_small = two.second.allocate(100);
    for (const Position block : {before, before_small, after, after_small}) two.second.hand_over(block);
    third.free(before);
    third.free(before_small);
    two.first.adopt(two.second_name);
    third.free(after);
    third.free(after_small);
    two.first.trim();
    CHECK(two.first.live() == 0);
    CHECK(two.owned_by(two.second_name) == 0);
}

TEST_CASE("with a dead process the memory of its descendants is freed, and nobody else's", "[heap]") {
    Two two;
    const Incarnation grandchild = two.space.new_incarnation(two.second_name);
    const Incarnation great_grandchild = two.space.new_incarnation(grandchild);
    const Incarnation sibling = two.space.new_incarnation(two.first_name);
    Heap below{two.space, grandchild};
    Heap far_below{two.space, great_grandchild};
    Heap beside{two.space, sibling};
    below.hand_over(below.allocate(300'000)); // to the dead one, which will not read it
    far_below.allocate(100);
    beside.allocate(100);
    two.first.allocate(100);
    CHECK(two.space.descends_from(great_grandchild, two.second_name));
    CHECK_FALSE(two.space.descends_from(sibling, two.second_name));
    CHECK_FALSE(two.space.descends_from(two.second_name, two.second_name));
    two.first.adopt(two.second_name);
    CHECK(two.owned_by(grandchild) == 0);
    CHECK(two.owned_by(great_grandchild) == 0);
    CHECK(two.owned_by(sibling) == 1);
    CHECK(two.owned_by(two.first_name) == 1);
}

TEST_CASE("a process that never took memory has not touched the Space", "[heap]") {
    Two two;
    std::atomic<std::uint32_t> touched{0};
    Heap heap{two.space, two.space.new_incarnation(two.first_name), &touched};
    CHECK(touched == 0);
    heap.allocate(1);
    CHECK(touched == 1);
}

TEST_CASE("what a dead process left half made is freed as well", "[heap]") {
    Two two;
    // Killed between taking extents and saying what they are for.
    const auto bare = two.space.allocate_extents(7, two.second_name);
    REQUIRE(bare);
    // Killed while giving back a run: its first extents are free already.
    const auto half = two.space.allocate_extents(5, two.second_name);
    two.space.free_extents(*half, 2);
    // Its shape is nonsense: longer than what it owns.
    const auto wild = two.space.allocate_extents(2, two.second_name);
    two.space.extent(*wild).shape = 1000;
    two.space.extent(*wild).state = 2;
    const auto wilder = two.space.allocate_extents(1, two.second_name);
    two.space.extent(*wilder).shape = 0x8000'00FF;
    two.first.adopt(two.second_name);
    CHECK(two.owned_by(two.second_name) == 0);
    CHECK(two.first.live() == 0);
}

TEST_CASE("more memory than there is, is refused with the figures, at once", "[heap]") {
    Two two;
    CHECK_THROWS_AS(two.first.allocate(std::uint64_t{2} << 30), std::system_error); // more than was reserved
    CHECK_THROWS_AS(two.first.allocate(~std::uint64_t{0}), std::system_error);
    CHECK_THROWS_AS(two.first.allocate(std::uint64_t{1} << 60), std::system_error);
    Space large;
    Heap heap{large, large.new_incarnation(0)};
    const auto room = platform::memory_room();
    if (large.bytes() > 2 * room.machine) {
        try {
            heap.allocate(room.machine + room.machine / 2);
            FAIL("nothing was thrown");
        } catch (const std::system_error& error) {
            CHECK(error.code() == std::errc::not_enough_memory);
            CHECK_THAT(error.what(), ContainsSubstring("available on this machine"));
            CHECK_THAT(error.what(), ContainsSubstring("control group"));
        }
    }
    CHECK_NOTHROW(two.first.free(two.first.allocate(100)));
}

TEST_CASE("a heap serves several threads", "[heap]") {
    Two two;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 2000; ++i) {
                const Position block = two.first.allocate(static_cast<std::uint64_t>(i % 3000));
                std::memset(two.bytes(block), t, static_cast<std::size_t>(i % 3000));
                (i % 2 ? two.first : two.second).free(block);
            }
        });
    }
    for (auto& thread : threads) thread.join();
    two.first.trim();
    CHECK(two.first.live() == 0);
}

TEST_CASE("a process is the root of its tree, once", "[tree]") {
    CHECK(&tree() == &tree());
    CHECK(tree().self != 0);
}
