// SPDX-License-Identifier: BSL-1.0
// What proxies are, beyond what each of them does.
#include <managers/support.hpp>

#include <atomic>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <iterator>
#include <map>
#include <mutex>
#include <ranges>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace process;
namespace managers = mp::managers;

namespace {

// What Python's collections.abc asks of a type, for handles: all members are const.
template <class C>
concept Sized = requires(const C& c) {
    { c.size() } -> std::convertible_to<std::size_t>;
    { c.empty() } -> std::same_as<bool>;
};
template <class C>
concept Iterable = requires(const C& c) {
    { c.begin() } -> std::input_iterator;
    { c.begin() == c.end() } -> std::convertible_to<bool>;
};
template <class C>
concept MutableMapping = Sized<C> && Iterable<C> &&
                         requires(const C& c, const typename C::key_type& k, const typename C::mapped_type& v) {
                             { c.at(k) } -> std::same_as<typename C::mapped_type>;
                             { c[k] } -> std::convertible_to<typename C::mapped_type>;
                             c[k] = v;
                             { c.get(k) } -> std::same_as<std::optional<typename C::mapped_type>>;
                             { c.get(k, v) } -> std::same_as<typename C::mapped_type>;
                             { c.contains(k) } -> std::same_as<bool>;
                             { c.erase(k) } -> std::same_as<bool>;
                             { c.keys() } -> std::ranges::input_range;
                             { c.values() } -> std::ranges::input_range;
                             { c.items() } -> std::ranges::input_range;
                             { c.pop(k) } -> std::same_as<typename C::mapped_type>;
                             { c.pop(k, v) } -> std::same_as<typename C::mapped_type>;
                             {
                                 c.popitem()
                             } -> std::same_as<std::pair<typename C::key_type, typename C::mapped_type>>;
                             { c.setdefault(k, v) } -> std::same_as<typename C::mapped_type>;
                             c.update(c.copy());
                             c.clear();
                         };
template <class C>
concept MutableSequence = Sized<C> && Iterable<C> && requires(const C& c, const typename C::value_type& v) {
    { c.at(-1) } -> std::same_as<typename C::value_type>;
    { c[0] } -> std::convertible_to<typename C::value_type>;
    c[0] = v;
    c.erase(0);
    c.insert(0, v);
    c.append(v);
    c.extend(c.copy());
    c += c.copy();
    c.remove(v);
    c.reverse();
    { c.pop() } -> std::same_as<typename C::value_type>;
    { c.pop(0) } -> std::same_as<typename C::value_type>;
    { c.index(v) } -> std::same_as<std::size_t>;
    { c.count(v) } -> std::same_as<std::size_t>;
    { c.contains(v) } -> std::same_as<bool>;
    { c.reversed() } -> std::ranges::input_range;
    c.clear();
};
template <class C>
concept MutableSet = Sized<C> && Iterable<C> && requires(const C& c, const typename C::value_type& v) {
    { c.contains(v) } -> std::same_as<bool>;
    c.add(v);
    c.discard(v);
    c.remove(v);
    { c.pop() } -> std::same_as<typename C::value_type>;
    { c.isdisjoint(c.copy()) } -> std::same_as<bool>;
    c |= c.copy();
    c &= c.copy();
    c -= c.copy();
    c ^= c.copy();
    { c | c.copy() } -> std::same_as<typename C::Local>;
    { c& c.copy() } -> std::same_as<typename C::Local>;
    { c - c.copy() } -> std::same_as<typename C::Local>;
    { c ^ c.copy() } -> std::same_as<typename C::Local>;
    c.clear();
};
template <class L>
concept TimedLockable = requires(const L& lock) {
    lock.lock();
    lock.unlock();
    { lock.try_lock() } -> std::same_as<bool>;
    { lock.try_lock_for(1ms) } -> std::same_as<bool>;
};

static_assert(MutableMapping<managers::DictProxy<std::string, int>>);
static_assert(MutableMapping<managers::DictProxy<int, std::vector<double>>>);
static_assert(MutableSequence<managers::ListProxy<int>>);
static_assert(MutableSequence<managers::ListProxy<std::string>>);
static_assert(MutableSet<managers::SetProxy<int>>);
static_assert(TimedLockable<managers::LockProxy> && TimedLockable<managers::RLockProxy>);
static_assert(TimedLockable<managers::SemaphoreProxy> && TimedLockable<managers::BoundedSemaphoreProxy>);
static_assert(TimedLockable<managers::ConditionProxy>);
static_assert(TimedLockable<managers::ValueProxy<int>> && TimedLockable<managers::ArrayProxy<int>>);

/// Locks for itself: one call waits for another.
class Gate {
public:
    using multiprocessing_concurrent = void;

    bool wait() {
        std::unique_lock lock(mutex_);
        ++waiting_;
        return open_.wait_for(lock, 30s, [&] { return is_open_; });
    }
    int waiting() {
        const std::lock_guard lock(mutex_);
        return waiting_;
    }
    void open() {
        const std::lock_guard lock(mutex_);
        is_open_ = true;
        open_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable open_;
    bool is_open_ = false;
    int waiting_ = 0;
};

/// Does not: calls that come together would be lost.
struct Engine {
    int power = 0;
    int boost(int by) {
        const int before = power;
        std::this_thread::sleep_for(500us);
        return power = before + by;
    }
    int get() const { return power; }
};
class Car {
public:
    Engine& engine() { return engine_; }
    Engine& spare(std::size_t number) { return spares_.at(number); }
    int power() const { return engine_.get(); }
    int boost(int by) { return engine_.boost(by); }

    int add(int a) { return a + 1; }
    double add(double a) { return a + 0.5; }
    int add(int a, int b) const { return a + b; }

    Engine open_to_all;

private:
    Engine engine_;
    std::vector<Engine> spares_{2};
};

template <class T>
std::string text(const T& object) {
    std::ostringstream stream;
    stream << object;
    return stream.str();
}

} // namespace

TEST_CASE("calls of a class that locks for itself run at once", "[managers]") {
    auto manager = mp::Manager();
    auto gate = manager.create<Gate>();
    auto clients = started_clients(
        2, [](managers::Proxy<Gate> g) { std::exit(g.call<&Gate::wait>() ? 0 : 1); }, gate);
    std::thread here([&] { CHECK(gate.call<&Gate::wait>()); });
    CHECK(soon([&] { return gate.call<&Gate::waiting>() == 3; }));
    gate.call<&Gate::open>();
    here.join();
    for (auto& client : clients) {
        client.join();
        CHECK(client.exitcode() == 0);
    }
}

TEST_CASE("a method is named among others of its name", "[managers]") {
    using managers::overload;
    auto manager = mp::Manager();
    auto car = manager.create<Car>();
    CHECK(car.call<overload<int(int)>(&Car::add)>(1) == 2);
    CHECK(car.call<overload<double(double)>(&Car::add)>(1) == 1.5);
    CHECK(car.call<overload<int(int, int) const>(&Car::add)>(1, 2) == 3);
}

TEST_CASE("a member of a managed object is used by a proxy of its own", "[managers]") {
    auto manager = mp::Manager();
    managers::Proxy<Engine> engine;
    managers::Proxy<Engine> other;
    {
        auto car = manager.create<Car>();
        engine = car.member<&Car::engine>();
        other = car.member<&Car::open_to_all>();
        CHECK(engine.call<&Engine::boost>(5) == 5);
        CHECK(car.call<&Car::power>() == 5);
        CHECK(other.call<&Engine::get>() == 0);
        CHECK_THROWS_AS(car.member<&Car::spare>(0), std::invalid_argument); // no member: it moves
        CHECK_THROWS_AS(car.member<&Car::spare>(7), std::out_of_range);
        auto clients = started_clients(
            2,
            [](managers::Proxy<Engine> e, managers::Proxy<Car> c) {
                for (int i = 0; i < 20; ++i) {
                    e.call<&Engine::boost>(1); // one at a time with the calls of the whole
                    c.call<&Car::boost>(1);
                }
            },
            engine, car);
        for (auto& client : clients) client.join();
        CHECK(car.call<&Car::power>() == 85);
    }
    CHECK(engine.call<&Engine::boost>(1) == 86); // the whole lives as long as its part is used
    CHECK(manager.number_of_objects() == 3);
    engine = {};
    other = {};
    CHECK(soon([&] { return manager.number_of_objects() == 0; }));
}

TEST_CASE("conditions share a managed lock", "[managers]") {
    auto manager = mp::Manager();
    auto lock = manager.Lock();
    auto not_empty = manager.Condition(lock);
    auto not_full = manager.Condition(lock);
    auto items = manager.list<int>();
    mp::Process consumer(
        [](managers::LockProxy l, managers::ConditionProxy some, managers::ConditionProxy room,
           managers::ListProxy<int> list) {
            for (int i = 0; i < 20; ++i) {
                const std::scoped_lock guard{l};
                if (!some.wait_for([&] { return !list.empty(); }, 60s)) std::exit(1);
                if (list.pop(0) != i) std::exit(2);
                room.notify();
            }
        },
        lock, not_empty, not_full, items);
    consumer.start();
    for (int i = 0; i < 20; ++i) {
        const std::scoped_lock guard{not_full}; // the same lock
        REQUIRE(not_full.wait_for([&] { return items.size() < 2; }, 60s));
        CHECK(lock.locked());
        items.append(i);
        not_empty.notify();
    }
    consumer.join();
    CHECK(consumer.exitcode() == 0);
    CHECK_FALSE(lock.locked());
    CHECK_THROWS_AS(not_empty.notify(), std::logic_error);
    {
        const std::scoped_lock guard{lock};
        CHECK_FALSE(not_empty.wait(5ms));
    }
    auto rlock = manager.RLock();
    auto again = manager.Condition(rlock);
    const std::scoped_lock outer{rlock};
    const std::scoped_lock inner{again};
    CHECK_FALSE(again.wait(5ms));
    std::thread([&] { CHECK_FALSE(rlock.acquire(false)); }).join(); // held twice again
    auto others = mp::Manager();
    CHECK_THROWS_AS(others.Condition(lock), std::invalid_argument);
}

TEST_CASE("a condition of a lock survives a killed holder", "[managers]") {
    auto manager = mp::Manager();
    auto lock = manager.Lock();
    auto condition = manager.Condition(lock);
    auto ready = manager.Event();
    mp::Process holder(
        [](managers::ConditionProxy c, managers::EventProxy e) {
            c.acquire();
            e.set();
            std::this_thread::sleep_for(60s);
        },
        condition, ready);
    holder.start();
    REQUIRE(ready.wait(30s));
    std::thread killer([&] {
        std::this_thread::sleep_for(10ms);
        holder.kill();
    });
    CHECK(condition.acquire(30s));
    CHECK(lock.recovered());
    killer.join();
    holder.join();
    lock.release();
}

TEST_CASE("the lock of a managed value makes several calls one step", "[managers]") {
    auto manager = mp::Manager();
    auto value = manager.Value<int>(0);
    auto array = manager.Array<int>({0, 0});
    auto clients = started_clients(
        3,
        [](managers::ValueProxy<int> v, managers::ArrayProxy<int> a) {
            for (int i = 0; i < 20; ++i) {
                {
                    const std::scoped_lock guard{v.get_lock()};
                    v.set(v.get() + 1);
                }
                const std::scoped_lock guard{a};
                a.set(1, a.at(1) + 1);
            }
        },
        value, array);
    for (auto& client : clients) client.join();
    CHECK(value.get() == 60);
    CHECK(array[1] == 60);
    const auto same = value;
    CHECK(value.get_lock() == same.get_lock());
    CHECK_FALSE(value.get_lock().locked());
}

TEST_CASE("proxies have the texts of Python's", "[managers]") {
    auto manager = mp::Manager();
    auto d = manager.dict<std::string, int>({{"b", 2}, {"a", 1}});
    auto l = manager.list<double>({1.5, 2});
    auto ns = manager.Namespace();
    ns.set("y", "it's");
    ns.set("x", 10);
    CHECK(text(d) == "{'b': 2, 'a': 1}");
    CHECK(text(l) == "[1.5, 2.0]");
    CHECK(text(manager.set<bool>({true})) == "{True}");
    CHECK(text(manager.set<int>()) == "set()");
    CHECK(text(ns) == "Namespace(x=10, y=\"it's\")");
    CHECK(text(manager.Value<int>(5)) == "Value('i', 5)");
    CHECK(text(manager.Array<double>({1, 2})) == "array('d', [1.0, 2.0])");
    auto all = manager.dict<int, managers::ListProxy<double>>({{1, l}});
    CHECK(text(all) == "{1: " + l.repr() + "}");
    CHECK(l.repr().find("<ListProxy object, typeid 'list' at 0x") == 0);
    CHECK(mp::to_string(d).find("<DictProxy object, typeid 'dict' at 0x") == 0);
    auto lock = manager.Lock();
    CHECK(text(lock).find("<unlocked _thread.lock object at 0x") == 0);
    lock.acquire();
    CHECK(text(lock).find("<locked _thread.lock object at 0x") == 0);
    CHECK(text(manager.Condition(lock)).find("<Condition(<locked _thread.lock object>, 0) at 0x") == 0);
    CHECK(text(manager.RLock()).find("<unlocked _thread.RLock object owner=0 count=0 at 0x") == 0);
    CHECK(text(manager.Semaphore(2)).find(": value=2>") != std::string::npos);
    CHECK(text(manager.Event()).find(": unset>") != std::string::npos);
    CHECK(text(manager.Barrier(3)).find(": waiters=0/3>") != std::string::npos);
    CHECK(text(manager.Queue<int>()).find("<queue.Queue object at 0x") == 0);
    CHECK(text(manager.create<Car>()).find("Car object at 0x") != std::string::npos);
    CHECK(managers::DictProxy<int, int>().repr() == "<DictProxy object of nothing>");
    auto mixed = manager.list<std::pair<int, std::optional<std::string>>>({{1, "a"}, {2, std::nullopt}});
    CHECK(text(mixed) == "[(1, 'a'), (2, None)]");
}

TEST_CASE("dicts and lists go backwards and keys make a dict", "[managers]") {
    auto manager = mp::Manager();
    auto d = manager.dict<std::string, int>({{"b", 2}, {"a", 1}});
    CHECK(d.reversed() == std::vector<std::string>{"a", "b"});
    CHECK(d.fromkeys({"x", "y"}, 7) == std::map<std::string, int>{{"x", 7}, {"y", 7}});
    CHECK(d.fromkeys(std::vector<std::string>{"x"}) == std::map<std::string, int>{{"x", 0}});
    CHECK(d.size() == 2);
    CHECK(manager.list<int>({1, 2, 3}).reversed() == std::vector<int>{3, 2, 1});
}
