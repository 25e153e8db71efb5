// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>
#include <support/killer.hpp>

#include <multiprocessing/detail/space/process_tree.hpp>

#include <atomic>
#include <cstdint>
#include <set>
#include <vector>

using namespace multiprocessing::detail;
using support::Member;

namespace {

constexpr std::size_t places = 64;

/// What the processes share: places where blocks lie, of anybody's making, and a verdict.
struct Shared {
    std::atomic<Position> place[places];
    std::atomic<std::uint64_t> exchanges;
    std::atomic<std::uint32_t> damaged;
};

/// A block's content proves that nobody else wrote to it: its own position, its size, and a pattern of both.
void fill(Space& space, Position block, std::uint64_t words) {
    auto* const at = &space.at<std::uint64_t>(block);
    at[0] = block;
    at[1] = words;
    for (std::uint64_t i = 2; i < words; ++i) at[i] = block * 31 + words * 17 + i;
}

bool is_whole(Space& space, Position block) {
    const auto* const at = &space.at<std::uint64_t>(block);
    if (at[0] != block || at[1] < 2 || at[1] > 100'000) return false;
    for (std::uint64_t i = 2; i < at[1]; ++i) {
        if (at[i] != block * 31 + at[1] * 17 + i) return false;
    }
    return true;
}

/// Puts blocks of random sizes into random places, and checks and frees what lay there.
void exchange_for_ever(Position position, unsigned seed) {
    support::Random random{seed};
    TreeMember& self = tree();
    Shared& shared = self.space.at<Shared>(position);
    for (;;) {
        const std::uint64_t words = random.below(8) ? 2 + random.below(100) : 2 + random.below(30'000);
        const Position block = self.heap.allocate(words * 8);
        fill(self.space, block, words);
        self.heap.hand_over(block);
        const Position old = shared.place[random.below(places)].exchange(block);
        if (!old) continue;
        if (!is_whole(self.space, old)) ++shared.damaged;
        self.heap.free(old);
        shared.exchanges.fetch_add(1, std::memory_order_relaxed);
    }
}

} // namespace

TEST_CASE("any process allocates, any other frees, and owners are killed: nothing overlaps or stays",
          "[heap]") {
    TreeMember& root = tree();
    const Position position = root.heap.allocate_zeroed(sizeof(Shared));
    Shared& shared = root.space.at<Shared>(position);
    support::Random random{7};
    std::vector<Member> members;
    const auto start = [&] { return Member::start<exchange_for_ever>(position, random()); };
    for (int i = 0; i < 3; ++i) members.push_back(start());

    const int kills = support::kills(1500);
    for (int i = 0; i < kills; ++i) {
        support::linger(random.below(1500));
        Member& victim = members[random.below(members.size())];
        victim.kill();
        root.heap.adopt(victim.name);
        victim = start();
    }
    for (Member& member : members) {
        member.kill();
        root.heap.adopt(member.name);
    }
    INFO(shared.exchanges << " exchanges, " << kills << " kills");
    CHECK(shared.exchanges > static_cast<std::uint64_t>(kills));
    CHECK(shared.damaged == 0);

    // Every extent is the root's by now, and what lies in the places is whole.
    std::set<Incarnation> owners;
    for (auto i = root.space.first_extent(); i < root.space.high_water(); ++i)
        owners.insert(root.space.extent(i).owner);
    owners.erase(0);
    CHECK(owners == std::set<Incarnation>{root.self});
    for (auto& place : shared.place) {
        if (!place) continue;
        CHECK(is_whole(root.space, place));
        root.heap.free(place);
    }
    root.heap.free(position);
    root.heap.trim();
    // Each kill may lose the two blocks that were in the victim's hands: this test hands over without a record.
    CHECK(root.heap.live() <= static_cast<std::uint64_t>(kills) * 2 * 30'000 * 8);
}
