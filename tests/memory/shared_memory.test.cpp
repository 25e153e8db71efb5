// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>
#include <support/shared_names.hpp>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/shareable_list.hpp>
#include <multiprocessing/shared_memory.hpp>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

#if !defined(_WIN32)
#include <csignal>
#include <unistd.h>
#endif

using namespace process;
using mp::shared_memory::ShareableList;
using mp::shared_memory::ShareableValue;
using mp::shared_memory::SharedMemory;
using support::fresh_name;
using support::Unlinked;

namespace {

void add_by_reference(SharedMemory& shm, std::int64_t value) { shm.as<std::int64_t>()[0] += value; }
void add_by_constant(const SharedMemory& shm, std::int64_t value) { shm.as<std::int64_t>()[0] += value; }
void add_by_value(SharedMemory shm, std::int64_t value) { shm.as<std::int64_t>()[0] += value; }
void add_by_name(const std::string& name, std::int64_t value) {
    add_by_value(SharedMemory({.name = name}), value);
}

void run(mp::Process process) {
    process.start();
    process.join();
    CHECK(process.exitcode() == 0);
}

struct Job {
    SharedMemory input;
    std::vector<ShareableList> lists;
    int factor;
};

std::int64_t sum(const Job& job) {
    const auto numbers = job.input.as<std::int64_t>();
    for (const ShareableList& list : job.lists) list.set(0, "seen");
    return job.factor * std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0});
}

[[maybe_unused]] SharedMemory make_in_worker(const std::string& name) {
    SharedMemory shm({.name = name, .create = true, .size = 100});
    shm.buf()[99] = std::byte{99};
    return shm;
}

[[maybe_unused]] ShareableList make_list_in_worker() { return {1, "two", nullptr}; }

std::size_t size_of(SharedMemory shm) { return shm.size(); }

} // namespace

TEST_CASE("a child writes into shared memory that it was given, however it takes it", "[shared_memory]") {
    const SharedMemory shm({.create = true, .size = 8});
    const Unlinked guard{shm};
    run(mp::Process(add_by_reference, shm, 1));
    run(mp::Process(add_by_constant, shm, 20));
    run(mp::Process(add_by_value, shm, 300));
    run(mp::Process(add_by_name, shm.name(), 4000));
    run(mp::Process([](auto& it, std::int64_t value) { add_by_reference(it, value); }, shm,
                    std::int64_t{50000}));
    CHECK(shm.as<std::int64_t>()[0] == 54321);
    // Those that had it are gone, the name is not.
    CHECK_NOTHROW(SharedMemory({.name = shm.name()}));
}

TEST_CASE("a child and its parent replace values of one list", "[shared_memory]") {
    const ShareableList list{1, "two", 3.5};
    const Unlinked guard{list.shm()};
    run(mp::Process(
        [](ShareableList& it) {
            if (it.get<int>(0) != 1 || it.get<std::string>(1) != "two")
                throw std::runtime_error("not what was sent");
            it.set(1, 2.5);
            it.set(2, "three");
        },
        list));
    CHECK(std::ranges::equal(list, std::vector<ShareableValue>{1, 2.5, "three"}));
}

TEST_CASE("tasks are given shared memory inside other values", "[shared_memory]") {
    const SharedMemory shm({.create = true, .size = 800});
    const Unlinked guard{shm};
    const ShareableList list{"free", 1};
    const Unlinked guard_of_list{list.shm()};
    std::ranges::fill(shm.as<std::int64_t>(), 2);
    mp::Pool pool(2);
    CHECK(pool.apply(sum, Job{shm, {list}, 3}) == 600);
    CHECK(list.get<std::string>(0) == "seen");
    CHECK(pool.map(size_of, std::vector{shm, shm, shm}) == std::vector<std::size_t>(3, 800));
}

#if !defined(_WIN32) // there it would go with the worker's own object, before it arrives
TEST_CASE("what a task made and returned is found where the result arrives", "[shared_memory]") {
    mp::Pool pool(1);
    const std::string name = fresh_name();
    const SharedMemory shm = pool.apply(make_in_worker, name);
    const Unlinked guard{shm};
    CHECK(shm.name() == name);
    CHECK(shm.size() == 100);
    CHECK(shm.buf()[99] == std::byte{99});
    const ShareableList list = pool.apply(make_list_in_worker);
    const Unlinked guard_of_list{list.shm()};
    CHECK(list.get<std::string>(1) == "two");
    pool.terminate(); // its maker is gone, and it is not
    CHECK(ShareableList({.name = list.shm().name()}).size() == 3);
}

TEST_CASE("shared memory that is gone when a task begins fails that task alone", "[shared_memory]") {
    mp::Pool pool(1);
    const SharedMemory gone({.create = true, .size = 10});
    gone.unlink();
    CHECK_THROWS_WITH(pool.apply(size_of, gone), ContainsSubstring("'" + gone.name() + "' does not exist"));
    const SharedMemory shm({.create = true, .size = 10});
    const Unlinked guard{shm};
    CHECK(pool.apply(size_of, shm) == 10);
}

TEST_CASE("memory whose user is killed keeps what was written into it", "[shared_memory]") {
    const SharedMemory shm({.create = true, .size = 8});
    const Unlinked guard{shm};
    mp::Process killed(
        [](SharedMemory& it) {
            it.as<std::int64_t>()[0] = 7;
            ::kill(::getpid(), SIGKILL);
        },
        shm);
    killed.start();
    killed.join();
    CHECK(killed.exitcode() == -SIGKILL);
    CHECK(SharedMemory({.name = shm.name()}).as<std::int64_t>()[0] == 7);
}
#endif
