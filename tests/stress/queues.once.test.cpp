// SPDX-License-Identifier: BSL-1.0
// Producers and consumers are killed at random instants.
#include <support/catch.hpp>
#include <support/eventually.hpp>
#include <support/killer.hpp>

#include <multiprocessing/process.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/sharedctypes.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

namespace {

constexpr int most_members = 1200;

/// What one member has come to.
struct Progress {
    std::atomic<std::uint64_t> put;   // by a producer: items that put() returned from
    std::atomic<std::uint64_t> taken; // by a consumer: items that get() returned
};

struct Counts {
    Progress members[most_members];
    std::atomic<std::uint64_t> torn;
    std::atomic<bool> stop;    // producers
    std::atomic<bool> no_more; // all producers have ended
};

using Room = mp::RawArray<char>;
Counts& counts_in(const Room& room) { return *reinterpret_cast<Counts*>(const_cast<char*>(room.data())); }

/// Number of an item, by whom, and content that tells if it is torn: of any length, some larger than a segment.
struct Item {
    std::uint32_t producer = 0;
    std::uint64_t number = 0;
    std::vector<std::uint64_t> content;

    template <class Archive>
    void serialize(Archive& ar) {
        ar(producer, number, content);
    }
};

std::size_t length_of(std::uint64_t number) {
    if (number % 997 == 0) return 100'000; // 800 KB: a segment of its own, and taken while it is put
    return number % 7 == 0 ? number % 400 : number % 3;
}

void produce(mp::Queue<Item> queue, const Room& room, std::uint32_t me) {
    Counts& counts = counts_in(room);
    for (std::uint64_t number = 0; !counts.stop; ++number) {
        Item item{me, number, std::vector<std::uint64_t>(length_of(number), number * 31 + me)};
        if (!queue.try_put(item)) {
            try {
                queue.put(item, 50ms);
            } catch (const mp::Full&) {
                --number;
                continue;
            }
        }
        counts.members[me].put.store(number + 1, std::memory_order_release);
    }
}

/// Takes items; what it took goes to whoever tallies, one by one, before the next is taken.
void consume(mp::Queue<Item> queue, mp::Queue<std::pair<std::uint32_t, std::uint64_t>> seen, const Room& room,
             std::uint32_t me) {
    Counts& counts = counts_in(room);
    while (!counts.no_more || !queue.empty()) {
        const auto item = [&]() -> std::optional<Item> {
            try {
                return queue.get(5ms);
            } catch (const mp::Empty&) { return std::nullopt; }
        }();
        if (!item) continue;
        if (item->content.size() != length_of(item->number) ||
            std::any_of(item->content.begin(), item->content.end(),
                        [&](std::uint64_t word) { return word != item->number * 31 + item->producer; })) {
            ++counts.torn;
        }
        seen.put({item->producer, item->number});
        counts.members[me].taken.fetch_add(1);
    }
}

/// Extents of the Space that are not this process's own.
std::uint64_t extents_of_others() {
    const auto& member = support::detail::tree();
    std::uint64_t extents = 0;
    for (std::uint64_t i = member.space.first_extent(); i < member.space.high_water(); ++i) {
        const auto owner = member.space.extent(i).owner.load();
        extents += owner != 0 && owner != member.self;
    }
    return extents;
}

void hammer(mp::Count maxsize, unsigned seed) {
    const mp::Queue<Item> queue{maxsize};
    const mp::Queue<std::pair<std::uint32_t, std::uint64_t>> seen;
    const Room room(sizeof(Counts) + 64);
    Counts& counts = counts_in(room);

    const std::uint64_t others_before = extents_of_others();
    support::Random random{seed};
    std::uint32_t members = 0;
    const auto start = [&](bool producer) {
        REQUIRE(members < most_members);
        mp::Process member = producer ? mp::Process(produce, queue, room, members)
                                      : mp::Process(consume, queue, seen, room, members);
        ++members;
        member.start();
        return member;
    };
    struct Place {
        mp::Process process;
        std::uint32_t name;
    };
    std::vector<Place> places;
    for (int i = 0; i < 8; ++i) {
        const std::uint32_t name = members;
        places.push_back({start(i < 4), name});
    }
    // Who tallies is not killed. What a consumer has put here before it died counts as delivered.
    std::vector<std::vector<bool>> delivered(most_members);
    std::uint64_t items = 0;
    std::uint64_t twice = 0;
    std::thread tally([&] {
        for (const auto& [producer, number] : seen) {
            auto& marks = delivered[producer];
            if (marks.size() <= number) marks.resize(number + 1000);
            twice += marks[number];
            marks[number] = true;
            ++items;
        }
    });
    const int wanted = support::kills(500);
    int dead_consumers = 0;
    for (int kills = 0; kills < wanted; ++kills) {
        if (support::platform::can_fork) {
            support::linger(random.below(3000));
        } else {
            std::this_thread::sleep_for(std::chrono::milliseconds{random.below(60)});
        }
        const std::size_t at = random.below(places.size());
        places[at].process.kill();
        places[at].process.join();
        dead_consumers += at >= 4;
        const std::uint32_t name = members;
        places[at].process = start(at < 4);
        places[at].name = name;
    }
    counts.stop = true;
    for (std::size_t at = 0; at < places.size(); ++at) {
        if (at == 4) counts.no_more = true; // else a last put might come after the last look at the queue
        places[at].process.join();          // nobody waits for a dead one: the watchdog would object
        CHECK(places[at].process.exitcode() == 0);
    }
    seen.shutdown();
    tally.join();

    std::uint64_t missing = 0;
    for (std::uint32_t member = 0; member < members; ++member) {
        const std::uint64_t put = counts.members[member].put;
        for (std::uint64_t number = 0; number < put; ++number)
            missing += number >= delivered[member].size() || !delivered[member][number];
    }
    INFO(items << " items, " << dead_consumers << " dead consumers, " << missing << " items lost");
    CHECK(items > 0);
    CHECK(twice == 0);
    CHECK(counts.torn == 0);
    CHECK(missing <= static_cast<std::uint64_t>(dead_consumers)); // what was in their hands
    CHECK(queue.empty());
    CHECK(seen.empty());
    // Of each queue a few segments are kept; what dead ones had in hand was found.
    CHECK(support::eventually([&] {
        mp::active_children();
        return extents_of_others() < others_before + 250;
    }));
}

} // namespace

TEST_CASE("producers and consumers are killed at any instant: nothing torn, nothing twice, nothing else lost",
          "[queues]") {
    const std::uint64_t before = extents_of_others();
    const bool often_full = GENERATE(false, true);
    hammer(often_full ? 20 : 0, often_full ? 41 : 42);
    // What a dead process had is given back when its whole subtree is seen to be gone, which the next look at the
    // children may be too early for.
    for (int i = 0; i < 1000 && extents_of_others() > before + 4; ++i) {
        mp::active_children();
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    CHECK(extents_of_others() <= before + 4); // the fork server's
}
