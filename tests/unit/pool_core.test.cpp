// SPDX-License-Identifier: BSL-1.0
// The parent's side of a pool without workers: what its table says at instants that a running pool passes in no time.
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/wait.hpp>
#include <multiprocessing/detail/pool/attention_block.hpp>
#include <multiprocessing/detail/pool/itemized_work.hpp>
#include <multiprocessing/detail/pool/map_input.hpp>
#include <multiprocessing/detail/pool/result.hpp>
#include <multiprocessing/detail/pool/table.hpp>
#include <multiprocessing/detail/pool/task_work.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace multiprocessing::detail;
namespace mp = multiprocessing;

namespace {

std::shared_ptr<TaskWork> enter_task(PoolTable& core) {
    return core.enter([](TaskSlot& slot) { return std::make_shared<TaskWork>(slot); });
}

std::shared_ptr<ChunkedMapWork> enter_map(PoolTable& core, std::uint64_t items, std::uint64_t chunksize) {
    MapPlan plan;
    const std::vector<int> input(static_cast<std::size_t>(items), 1);
    plan.add_plain(std::span<const int>(input));
    plan.make_room(items * sizeof(int));
    auto work = core.enter([&](TaskSlot&) { return std::make_shared<ChunkedMapWork>(core.view(), items); });
    plan.fill(*work, cut(items, chunksize, 1, 0), 1, core.kept_leases()->holder);
    core.view().slot(work->slot).arguments = plan.job();
    return work;
}

TaskCell& cell_of(PoolTable& core, const Work& work) { return core.view().slot(work.slot).cell; }

/// What a worker of that name does to the task, as far as the claim.
TaskWord claim(PoolTable& core, const Work& work, Incarnation worker) {
    TaskCell& cell = cell_of(core, work);
    const TaskWord published = cell.load();
    REQUIRE(cell.claim(published, worker));
    return published;
}

} // namespace

TEST_CASE("an announcement of one kind matches no slot of the other", "[pool_core]") {
    PoolTable core(1);
    const auto map = enter_map(core, 4, 2);
    core.announce(*map, 1);
    const TaskWord head = cell_of(core, *map).load();
    const TaskTicket as_task{map->slot, head.generation, head.attempt, false};
    const TaskTicket as_map{map->slot, head.generation, head.attempt, true};
    CHECK_FALSE(cell_of(core, *map).claim(as_task.published(), 7));
    CHECK(cell_of(core, *map).load() == as_map.published());
    const auto task = enter_task(core);
    core.announce(*task, 0);
    const TaskWord word = cell_of(core, *task).load();
    CHECK(word != TaskTicket{task->slot, word.generation, word.attempt, true}.published());
    CHECK(word == TaskTicket{task->slot, word.generation, word.attempt, false}.published());
}

TEST_CASE("a task or chunk that is lost throws even without a reason", "[pool_core]") {
    PoolTable core(1);
    const auto task = enter_task(core);
    core.announce(*task, 0);
    CHECK(cell_of(core, *task).lose(cell_of(core, *task).load()));
    CHECK_THROWS_AS(task->read([](Reader&) { return 0; }), mp::ProcessError);
    const auto map = enter_map(core, 4, 2);
    core.announce(*map, 1);
    for (std::uint64_t i = 0; i < 2; ++i) {
        TaskCell& cell = map->chunk(i).cell;
        const TaskWord published = cell.load();
        REQUIRE(cell.claim(published, 7));
        if (i == 0) {
            REQUIRE(cell.commit(published, 7));
        } else {
            REQUIRE(cell.lose(cell.load()));
        }
    }
    CHECK(map->ended());
    CHECK_THROWS_WITH(map->read([](Reader&, std::uint64_t) {}), ContainsSubstring("not recorded"));
}

TEST_CASE("a worker is doomed at the item and the claim that were seen, and at no other", "[pool_core]") {
    PoolTable core(1);
    MapPlan plan;
    const std::vector<int> input(4, 1);
    plan.add_plain(std::span<const int>(input));
    plan.make_room(4 * sizeof(int));
    const auto attention = std::make_shared<AttentionBlock>();
    plan.attention = attention->position();
    const auto map = core.enter(
        [&](TaskSlot&) { return std::make_shared<ItemizedMapWork>(core.view(), 4, attention, TaskPolicy{}); });
    plan.fill(*map, {4}, 1, core.kept_leases()->holder);
    core.view().slot(map->slot).arguments = plan.job();
    core.announce(*map, 1);
    ItemizedChunk& chunk = map->chunk(0);
    const TaskWord published = chunk.cell.load();
    REQUIRE(chunk.cell.claim(published, 7));
    chunk.progress.store(ItemizedChunk::at(1, true));
    const WorkPoint seen{map->slot, map->generation, chunk.cell.load(), 1, chunk.progress.load(), {}};
    const auto is_asked = [&] {
        return chunk.ask.load() != 0 && attention->attention().wanted.load() == ItemizedAttention::asked;
    };
    const auto is_left_alone = [&] {
        return chunk.ask.load() == 0 && attention->attention().wanted.load() == 0;
    };

    chunk.progress.store(ItemizedChunk::at(2, true)); // it has gone on
    CHECK_FALSE(map->doom(seen, EndReason::time_limit, 0));
    CHECK(is_left_alone());
    chunk.progress.store(ItemizedChunk::at(2, false)); // it is between two items
    CHECK_FALSE(map->doom(seen, EndReason::time_limit, 0));
    CHECK(is_left_alone());
    chunk.progress.store(ItemizedChunk::at(1, true));
    WorkPoint of_another = seen;
    of_another.word = published.with(TaskState::run, 8); // which had the chunk before
    CHECK_FALSE(map->doom(of_another, EndReason::time_limit, 0));
    CHECK(is_left_alone());
    CHECK(map->doom(seen, EndReason::time_limit, 0));
    CHECK(is_asked()); // so that it begins no other item before it is killed
    core.give_up(std::make_exception_ptr(mp::CancelledError("over")), false);
}

TEST_CASE("what a map had not done is given up, and keeps no other reason from being told", "[pool_core]") {
    PoolTable core(1);
    const auto whole = enter_map(core, 4, 4);
    core.announce(*whole, 1);
    TaskCell& cell = whole->chunk(0).cell;
    const TaskWord published = cell.load();
    REQUIRE(cell.claim(published, 7));
    REQUIRE(cell.commit(published, 7));
    const auto none = enter_map(core, 4, 2);
    core.announce(*none, 1);
    core.give_up(std::make_exception_ptr(mp::CancelledError("first")), false);
    core.give_up(std::make_exception_ptr(mp::CancelledError("second")), false);
    CHECK_FALSE(whole->first_error());
    CHECK_THROWS_WITH(none->read([](Reader&, std::uint64_t) {}), "first");
    CHECK_THROWS_AS(enter_task(core), std::invalid_argument);
}

TEST_CASE("a task that another thread has read counts as ended", "[pool_core]") {
    PoolTable core(1);
    const auto task = enter_task(core);
    core.announce(*task, 0);
    CHECK_FALSE(task->ended());
    const TaskWord published = claim(core, *task, 7);
    CHECK_FALSE(task->ended());
    core.view().slot(task->slot).result = {0, 0};
    core.view().slot(task->slot).outcome = OutcomeKind::value;
    REQUIRE(cell_of(core, *task).commit(published, 7));
    CHECK(task->ended());
    task->read([](Reader&) { return 0; });
    core.release(task);
    CHECK(task->ended()); // its slot is free
    const auto next = enter_task(core);
    core.announce(*next, 0);
    CHECK(next->slot == task->slot);
    CHECK(task->ended()); // and another's
    CHECK_FALSE(next->ended());
}

TEST_CASE("the slot of a dropped task is free once its worker has said that it ended", "[pool_core]") {
    PoolTable core(1);
    std::vector<std::shared_ptr<TaskWork>> tasks;
    for (std::uint32_t i = 0; i < SlotSegment::count; ++i) {
        tasks.push_back(enter_task(core));
        core.announce(*tasks.back(), 0);
        core.release(tasks.back()); // dropped at once
    }
    CHECK(core.has_unfinished());
    const auto end = [&](const TaskWork& task) {
        const TaskWord published = claim(core, task, 7);
        core.view().slot(task.slot).result = {0, 0};
        core.view().slot(task.slot).outcome = OutcomeKind::value;
        REQUIRE(cell_of(core, task).commit(published, 7));
        core.view().tell_if_wanted(task.slot);
    };
    end(*tasks[5]);
    end(*tasks[700]);
    CHECK(core.tick()); // the others go on
    const auto next = enter_task(core);
    CHECK((next->slot == tasks[5]->slot || next->slot == tasks[700]->slot));
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        if (i != 5 && i != 700) end(*tasks[i]);
    }
    core.leave(*next);
    CHECK(core.tick());
    CHECK_FALSE(core.tick());
    CHECK_FALSE(core.has_unfinished());
}

TEST_CASE("how often the supervisor looks is what the work that has not ended needs", "[pool_core]") {
    PoolTable core(1);
    const auto with = [&](void (*set)(TaskPolicy&)) {
        auto task = enter_task(core);
        set(task->policy);
        core.bell().silence();
        core.announce(*task, 0);
        return task;
    };
    const auto rang = [&] {
        return platform::wait_one(core.bell().handle().native(), Deadline::after(std::chrono::seconds{0}));
    };
    const auto end = [&](const TaskWork& task) {
        const TaskWord published = claim(core, task, 7);
        core.view().slot(task.slot).result = {0, 0};
        core.view().slot(task.slot).outcome = OutcomeKind::value;
        REQUIRE(cell_of(core, task).commit(published, 7));
    };
    const auto memory = [](TaskPolicy& policy) { policy.memory_limit = 1; };
    const auto time = [](TaskPolicy& policy) { policy.time_limit = std::chrono::seconds{1}; };
    CHECK(core.looks_needed() == Looks::none);
    const auto first = with(memory);
    CHECK(rang());
    CHECK(core.looks_needed() == Looks::slow);
    const auto second = with(time);
    CHECK(rang()); // who looks slowly is to come at once
    CHECK(core.looks_needed() == Looks::quick);
    for (int i = 0; i < 1000; ++i) { // behind some that go on, many
        const auto other = with(time);
        CHECK_FALSE(rang());
        end(*other);
        core.release(other);
    }
    end(*second);
    CHECK(core.looks_needed() == Looks::slow);
    end(*first);
    CHECK(core.looks_needed() == Looks::none);
    const auto last = with([](TaskPolicy& policy) { policy.fail_fast = true; });
    CHECK(rang());
    CHECK(core.looks_needed() == Looks::quick);
    end(*last);
}

TEST_CASE("leases of what workers kept last as long as anything of them", "[pool_core]") {
    const std::size_t before = leases().count();
    auto core = std::make_unique<PoolTable>(1);
    leases().grant(SharedObject::make_unused(std::make_unique<SharedObject>("thing", 64)),
                   core->kept_leases()->holder);
    std::shared_ptr<const void> of_a_grandchild = core->kept_leases();
    core.reset();
    CHECK(leases().count() == before + 1);
    of_a_grandchild.reset();
    CHECK(leases().count() == before);
}

TEST_CASE("tickets wait in order for room, and room that was reserved is there", "[pool_core]") {
    Backlog backlog;
    std::uint32_t pushed = 0;
    std::uint32_t popped = 0;
    for (int round = 0; round < 200; ++round) {
        backlog.reserve(7);
        for (int i = 0; i < 7; ++i) backlog.push({pushed++, 0, 0, false});
        for (int i = 0; i < round % 11 && !backlog.empty(); ++i) {
            CHECK(backlog.front().slot == popped++);
            backlog.pop();
        }
    }
    for (; !backlog.empty(); backlog.pop()) CHECK(backlog.front().slot == popped++);
    CHECK(popped == pushed);
}

TEST_CASE("a thread knows how many mutexes of the library it holds", "[mutex]") {
    Mutex mutex;
    CHECK(held_mutexes() == 0);
    {
        std::lock_guard lock{mutex};
        CHECK(held_mutexes() == (checked_build ? 1 : 0));
        std::thread([] { CHECK(held_mutexes() == 0); }).join();
    }
    RecursiveMutex recursive;
    {
        std::unique_lock first{recursive};
        std::unique_lock second{recursive};
        CHECK(held_mutexes() == (checked_build ? 2 : 0));
        remake_in_child(recursive);
        CHECK(held_mutexes() == 0);
        first.release();
        second.release();
    }
    require_no_mutex();
}

TEST_CASE("a deferred log is written in order when its scope has ended", "[log]") {
    static std::vector<std::string> lines;
    lines.clear();
    mp::get_logger().add_sink([](mp::LogLevel, std::string_view line) { lines.emplace_back(line); });
    Mutex mutex;
    {
        const DeferredLog outer;
        std::lock_guard lock{mutex};
        mp::get_logger().log(mp::LogLevel::error, "one");
        {
            const DeferredLog inner;
            mp::get_logger().log(mp::LogLevel::error, "two");
        }
        mp::get_logger().log(mp::LogLevel::error, "three");
        CHECK(lines.empty());
    }
    CHECK(lines == std::vector<std::string>{"one", "two", "three"});
    mp::get_logger().log(mp::LogLevel::error, "four");
    CHECK(lines.size() == 4);
}
