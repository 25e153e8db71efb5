// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>
#include <support/killer.hpp>

#include <multiprocessing/detail/pool/task_cell.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <vector>

using namespace multiprocessing::detail;
using support::Member;

namespace {

constexpr std::uint32_t slot_count = 256;
constexpr std::size_t result_words = 16;

struct Slot {
    TaskCell cell;
    std::uint64_t argument;
    std::uint64_t pauses; // per word of the result
    std::array<std::uint64_t, result_words> result;
    /// How often the task was run to its end by somebody who then found that it counted: argument << 8 | count, as one
    /// may come to count when the slot is another task's. And how often it was run at all, by attempt.
    std::atomic<std::uint64_t> committed;
    std::array<std::atomic<std::uint32_t>, 256> runs;
};

struct Table {
    std::atomic<std::uint64_t> two_at_once; // workers that found somebody else in a task that they had claimed
    std::array<Slot, slot_count> slots;
    TaskRing ring; // last: its tail end is never touched
};

std::uint64_t expected(std::uint64_t argument, std::size_t word) {
    return argument * 0x9E3779B97F4A7C15u + word;
}

void work_for_ever(Position position, unsigned) {
    const Incarnation self = tree().self;
    Table& table = tree().space.at<Table>(position);
    support::Spin wait;
    for (;;) {
        const std::uint64_t head = table.ring.head();
        const auto ticket = table.ring.peek(head);
        if (!ticket) {
            wait();
            continue;
        }
        Slot& slot = table.slots[ticket->slot];
        const bool mine = slot.cell.claim(ticket->published(), self);
        table.ring.pass(head);
        if (!mine) continue;
        if (slot.runs[ticket->attempt].fetch_add(1) != 0) ++table.two_at_once;
        for (std::size_t i = 0; i < result_words; ++i) {
            slot.result[i] = expected(slot.argument, i);
            for (std::uint64_t pauses = slot.pauses; pauses > 0; --pauses) platform::pause();
        }
        const std::uint64_t argument = slot.argument;
        if (!slot.cell.commit(ticket->published(), self)) continue;
        std::uint64_t count = slot.committed.load();
        while (count >> 8 == argument && !slot.committed.compare_exchange_weak(count, count + 1)) {}
    }
}

/// What the parent keeps of a task.
struct Submitted {
    std::uint32_t slot;
    TaskWord published;
};

} // namespace

TEST_CASE("tasks survive the death of any worker at any instant: none is lost, doubled or half written",
          "[task_table]") {
    TreeMember& root = tree();
    const Position position = root.heap.allocate(sizeof(Table));
    Table& table = root.space.at<Table>(position);
    std::memset(static_cast<void*>(&table), 0, offsetof(Table, ring));
    table.ring.reset();

    support::Random random{11};
    std::vector<Member> workers;
    const auto start = [&] { return Member::start<work_for_ever>(position); };
    for (int i = 0; i < 4; ++i) workers.push_back(start());

    std::vector<std::uint32_t> free_slots;
    for (std::uint32_t i = 0; i < slot_count; ++i) free_slots.push_back(i);
    std::deque<Submitted> outstanding;
    std::uint64_t submitted = 0;
    std::uint64_t wrong = 0;
    std::uint64_t doubled = 0;
    std::uint64_t running_when_killed = 0;
    std::uint64_t owners_of_two = 0;

    const auto publish = [&](std::uint32_t index, TaskWord word) {
        wrong += !table.ring.push({index, word.generation, word.attempt, false});
    };
    const auto submit = [&] {
        const std::uint32_t index = free_slots.back();
        free_slots.pop_back();
        Slot& slot = table.slots[index];
        slot.argument = submitted += 1 + random.below(3);
        slot.pauses = random.below(4) * 8; // some are slow
        slot.committed = slot.argument << 8;
        for (auto& runs : slot.runs) runs = 0;
        slot.result.fill(0);
        const TaskWord published = slot.cell.publish(slot.cell.load());
        outstanding.push_back({index, published});
        publish(index, published);
    };
    const auto collect = [&] {
        std::erase_if(outstanding, [&](const Submitted& task) {
            Slot& slot = table.slots[task.slot];
            if (slot.cell.load().state != TaskState::done) return false;
            for (std::size_t i = 0; i < result_words; ++i)
                wrong += slot.result[i] != expected(slot.argument, i);
            doubled += (slot.committed & 0xFF) > 1;
            slot.cell.recycle();
            free_slots.push_back(task.slot);
            return true;
        });
    };
    const auto bury = [&](Incarnation dead) {
        int owned = 0;
        for (Submitted& task : outstanding) {
            const TaskWord word = table.slots[task.slot].cell.load();
            if (word.owner != dead || word.state != TaskState::run) continue;
            ++owned;
            publish(task.slot, table.slots[task.slot].cell.publish_again(word).value());
        }
        running_when_killed += static_cast<std::uint64_t>(owned);
        owners_of_two += owned > 1;
    };

    const int kills = support::kills(5000);
    for (int i = 0; i < kills; ++i) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds{random.below(800)};
        do {
            while (!free_slots.empty() && outstanding.size() < 200) submit();
            collect();
        } while (std::chrono::steady_clock::now() < until);
        Member& victim = workers[random.below(workers.size())];
        victim.kill();
        bury(victim.name);
        victim = start();
    }
    for (support::Spin wait; !outstanding.empty(); wait())
        collect(); // every task comes to its end: the watchdog would object
    for (Member& worker : workers) worker.kill();
    INFO(submitted << " tasks, " << kills << " kills, " << running_when_killed << " of them during a task");
    CHECK(submitted > static_cast<std::uint64_t>(kills));
    CHECK(running_when_killed > 0);
    CHECK(wrong == 0);
    CHECK(doubled == 0);
    CHECK(table.two_at_once == 0);
    CHECK(owners_of_two == 0);
    root.heap.free(position);
}

TEST_CASE("a doomed task is the only one whose worker is killed", "[task_table]") {
    TreeMember& root = tree();
    const Position position = root.heap.allocate(sizeof(Table));
    Table& table = root.space.at<Table>(position);
    std::memset(static_cast<void*>(&table), 0, offsetof(Table, ring));
    table.ring.reset();
    support::Random random{12};
    Member worker = Member::start<work_for_ever>(position);

    // Tasks that end around the instant at which they are to be stopped.
    const int rounds = support::rounds(1500);
    const int most = support::kills(1500);
    int round = 0;
    int doomed = 0;
    int innocent = 0;
    for (; round < rounds && doomed < most; ++round) {
        Slot& slot = table.slots[0];
        slot.argument = 3;
        slot.pauses = random.below(8) ? 24 : 20'000; // some so slow that a busy machine stops them in time
        for (auto& runs : slot.runs) runs = 0;
        const TaskWord published = slot.cell.publish(slot.cell.load());
        REQUIRE(table.ring.push({0, published.generation, published.attempt, false}));
        for (support::Spin wait; slot.cell.load().state == TaskState::ready;) wait();
        for (unsigned pauses = random.below(400); pauses > 0; --pauses) platform::pause();
        const TaskWord now = slot.cell.load();
        if (now.state == TaskState::run && slot.cell.doom(now)) {
            ++doomed;
            worker.kill();
            if (slot.cell.load() != published.with(TaskState::doom, worker.name)) ++innocent;
            CHECK(slot.cell.lose(slot.cell.load()));
            worker = Member::start<work_for_ever>(position);
        } else {
            for (support::Spin wait; slot.cell.load().state != TaskState::done;) wait();
        }
        slot.cell.recycle();
    }
    worker.kill();
    INFO(doomed << " of " << round << " were doomed");
    CHECK(doomed > 0);
    CHECK(doomed < round); // both sides of the race were seen
    CHECK(innocent == 0);
    root.heap.free(position);
}
