// SPDX-License-Identifier: BSL-1.0
// Handles as members: of aggregates in every place, of arrays, containers, functors and actions.
#include <support/processes.hpp>

#include <multiprocessing/connection.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/shareable_list.hpp>
#include <multiprocessing/shared_memory.hpp>
#include <multiprocessing/shared_vector.hpp>
#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>

#include <array>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>

using namespace process;

namespace {

template <class H>
struct First {
    H handle;
    std::string name;
    int number;
};
template <class H>
struct Middle {
    std::string name;
    H handle;
    int number = 3;
};
template <class H>
struct Last {
    int number = 4;
    std::string name = "last";
    H handle;
};
template <class H>
struct Initialised {
    H handle{};
    std::string name = "initialised";
};
template <class H>
struct Nested {
    int number;
    First<H> first;
    Last<H> last;
};
template <class H>
struct Standard {
    std::vector<H> vector;
    std::optional<H> optional;
    std::variant<int, H> variant;
    std::pair<int, H> pair;
    std::tuple<H, int> tuple;
    std::map<std::string, First<H>> map;
    std::unique_ptr<H> unique;
    std::array<H, 2> array;
};
template <class H>
struct All {
    First<H> first;
    Middle<H> middle;
    Last<H> last;
    Initialised<H> initialised;
    Nested<H> nested;
    H arrays[2][2];
    First<H> structs[2];
    Standard<H> standard;
};

template <class H>
constexpr bool all_spawnable = mp::Spawnable<First<H>> && mp::Spawnable<Middle<H>> && mp::Spawnable<Last<H>> &&
                               mp::Spawnable<Initialised<H>> && mp::Spawnable<Nested<H>> &&
                               mp::Spawnable<Standard<H>> && mp::Spawnable<All<H>>;

template <class H>
All<H> filled(const std::function<H()>& make) {
    All<H> all{{make(), "first", 1},
               {"middle", make()},
               {4, "last", make()},
               {make()},
               {5, {make(), "nested", 1}, {6, "nested", make()}},
               {{make(), make()}, {make(), make()}},
               {{make(), "0", 0}, {make(), "1", 1}},
               {}};
    all.standard.vector.push_back(make());
    all.standard.optional.emplace(make());
    all.standard.variant.template emplace<1>(make());
    all.standard.pair.second = make();
    std::get<0>(all.standard.tuple) = make();
    all.standard.map.emplace("key", First<H>{make(), "value", 7});
    all.standard.unique = std::make_unique<H>(make());
    for (H& handle : all.standard.array) handle = make();
    return all;
}

template <class H, class Use>
void use_all(All<H>& all, Use use) {
    use(all.first.handle);
    use(all.middle.handle);
    use(all.last.handle);
    use(all.initialised.handle);
    use(all.nested.first.handle);
    use(all.nested.last.handle);
    for (auto& row : all.arrays) {
        for (H& handle : row) use(handle);
    }
    for (auto& one : all.structs) use(one.handle);
    use(all.standard.vector.at(0));
    use(*all.standard.optional);
    use(std::get<1>(all.standard.variant));
    use(all.standard.pair.second);
    use(std::get<0>(all.standard.tuple));
    use(all.standard.map.at("key").handle);
    use(*all.standard.unique);
    for (H& handle : all.standard.array) use(handle);
    const bool right = all.first.name == "first" && all.middle.number == 3 && all.last.name == "last" &&
                       all.initialised.name == "initialised" && all.nested.number == 5 &&
                       all.nested.last.number == 6 && all.structs[1].name == "1";
    if (!right) std::exit(5);
}

template <class H>
struct Functor {
    H handle;
    int number;
    void operator()(void (*use)(H&), int given) {
        use(handle);
        if (number != given) std::exit(6);
    }
};

/// Moves all shapes to a child, which uses each handle by `use`.
template <class H>
void pass(const std::function<H()>& make, void (*use)(H&)) {
    static_assert(all_spawnable<H>);
    mp::Process p([](All<H>& all, void (*given)(H&)) { use_all(all, given); }, filled(make), use);
    mp::Process q(Functor<H>{make(), 7}, use, 7);
    p.start();
    q.start();
    p.join();
    q.join();
    CHECK(p.exitcode() == 0);
    CHECK(q.exitcode() == 0);
}

struct Put {
    mp::Queue<int> queue;
    mp::Lock lock;
    int number;
    void operator()() const {
        std::scoped_lock guard{lock};
        queue.put(number);
    }
};
struct WaitFor {
    mp::Barrier inner;
    void operator()() const { inner.wait(); }
};

} // namespace

TEST_CASE("queues inside of anything reach a child", "[handles_inside]") {
    mp::Queue<int> queue;
    pass<mp::Queue<int>>([&] { return queue; }, [](mp::Queue<int>& q) { q.put(1); });
    CHECK(queue.qsize() == 22);
    mp::JoinableQueue<std::string> joinable;
    pass<mp::JoinableQueue<std::string>>([&] { return joinable; },
                                         [](mp::JoinableQueue<std::string>& q) { q.put("x"); });
    CHECK(joinable.qsize() == 22);
    mp::SimpleQueue<int> simple;
    pass<mp::SimpleQueue<int>>([&] { return simple; }, [](mp::SimpleQueue<int>& q) { q.put(1); });
    CHECK(simple.get() == 1);
}

TEST_CASE("locks and semaphores inside of anything reach a child", "[handles_inside]") {
    const auto take = [](auto& lock) { std::scoped_lock guard{lock}; };
    mp::Lock lock;
    pass<mp::Lock>([&] { return lock; }, take);
    pass<mp::RLock>([] { return mp::RLock(); }, take);
    pass<mp::Condition>([&] { return mp::Condition{lock}; }, take);
    mp::Semaphore semaphore{0};
    pass<mp::Semaphore>([&] { return semaphore; }, [](mp::Semaphore& s) { s.release(); });
    CHECK(semaphore.get_value() == 22);
    pass<mp::BoundedSemaphore>([] { return mp::BoundedSemaphore{1}; }, take);
}

TEST_CASE("events and barriers inside of anything reach a child", "[handles_inside]") {
    mp::Event event;
    pass<mp::Event>([&] { return event; }, [](mp::Event& e) { e.set(); });
    CHECK(event.is_set());
    pass<mp::Barrier>([] { return mp::Barrier{1}; }, [](mp::Barrier& b) { b.wait(); });
}

TEST_CASE("values and arrays inside of anything reach a child", "[handles_inside]") {
    mp::Value<int> value{0};
    pass<mp::Value<int>>([&] { return value; }, [](mp::Value<int>& v) { v += 1; });
    CHECK(value.value() == 22);
    mp::Array<int> array{0, 0, 0};
    pass<mp::Array<int>>([&] { return array; }, [](mp::Array<int>& a) { a.at(2) += 1; });
    CHECK(array[2] == 21 + 1);
    pass<mp::RawValue<int>>([] { return mp::RawValue<int>{3}; },
                            [](mp::RawValue<int>& v) {
                                if (v.value() != 3) std::exit(7);
                            });
    pass<mp::RawArray<int>>(
        [] {
            return mp::RawArray<int>{1, 2};
        },
        [](mp::RawArray<int>& a) {
            if (a.at(1) != 2) std::exit(7);
        });
    pass<mp::shared_vector<int>>(
        [] {
            return mp::shared_vector<int>{1, 2};
        },
        [](mp::shared_vector<int>& a) {
            if (a.at(1) != 2) std::exit(7);
        });
}

TEST_CASE("connections inside of anything are moved to a child", "[handles_inside]") {
    std::vector<mp::Connection> ends;
    pass<mp::Connection>(
        [&] {
            auto [here, there] = mp::Pipe();
            ends.push_back(std::move(here));
            return std::move(there);
        },
        [](mp::Connection& c) { c.send(5); });
    for (mp::Connection& end : ends) {
        CHECK(end.recv<int>() == 5);
        CHECK_THROWS_AS(end.recv<int>(), mp::EOFError); // nobody else kept the other end
    }
}

TEST_CASE("named memory inside of anything reaches a child", "[handles_inside]") {
    mp::shared_memory::SharedMemory memory({.create = true, .size = 1});
    pass<mp::shared_memory::SharedMemory>(
        [&] { return memory; }, [](mp::shared_memory::SharedMemory& m) { m.buf()[0] = std::byte{7}; });
    CHECK(memory.buf()[0] == std::byte{7});
    memory.unlink();
    mp::shared_memory::ShareableList list{1};
    pass<mp::shared_memory::ShareableList>([&] { return list; },
                                           [](mp::shared_memory::ShareableList& l) { l.set(0, 7); });
    CHECK(list.get<int>(0) == 7);
    list.shm().unlink();
}

TEST_CASE("the action of a Barrier holds handles", "[handles_inside]") {
    mp::Queue<int> queue;
    const mp::Barrier barrier{1, Put{queue, {}, 42}};
    barrier.wait();
    CHECK(queue.get(10s) == 42);
    mp::Process p(
        [](const First<mp::Barrier>& given) {
            given.handle.wait();
            mp::Process grandchild([](const mp::Barrier& b) { b.wait(); }, given.handle);
            grandchild.start();
            grandchild.join();
        },
        First<mp::Barrier>{barrier, "", 0});
    p.start();
    p.join();
    CHECK(queue.get(10s) == 42);
    CHECK(queue.get(10s) == 42);
    mp::Barrier outer{1, WaitFor{barrier}};
    mp::Process q([](const mp::Barrier& b) { b.wait(); }, outer);
    q.start();
    q.join();
    CHECK(queue.get(10s) == 42);
}

TEST_CASE("a Barrier and a Connection that were only declared refuse to be used", "[handles_inside]") {
    const mp::Barrier barrier;
    CHECK_THROWS_AS(barrier.wait(), std::logic_error);
    mp::Connection connection;
    CHECK(connection.closed());
    CHECK_THROWS_AS(connection.send(1), std::system_error);
}

TEST_CASE("handles that were moved away refuse to be used", "[handles_inside]") {
    mp::Queue<int> queue;
    const mp::Queue<int> moved = std::move(queue);
    CHECK_THROWS_AS(queue.put(1), std::logic_error);
    CHECK_THROWS_AS(queue.get(), std::logic_error);
    CHECK_NOTHROW(queue.close());
    moved.put(1);
    CHECK(moved.get() == 1);
    std::vector<mp::Lock> locks(1);
    mp::Process p([](const mp::Lock&) {}, std::move(locks.at(0)));
    CHECK_THROWS_AS(locks.at(0).acquire(), std::logic_error);
}
