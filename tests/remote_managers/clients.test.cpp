// SPDX-License-Identifier: BSL-1.0
#include <remote_managers/support.hpp>

#include <multiprocessing/remote_exceptions.hpp>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace process;

namespace {

class Meeting {
public:
    using multiprocessing_concurrent = void;

    /// Returns whether another call came meanwhile.
    bool meet() {
        ++here_;
        return soon([&] { return here_.load() == 2; });
    }

private:
    std::atomic<int> here_{0};
};

class Asker {
public:
    bool is_locked(const mp::managers::ValueProxy<int>& value) const { return value.get_lock().locked(); }
};

} // namespace

TEST_CASE("a client makes and calls objects by name", "[remote_managers]") {
    for (const Address& address : addresses()) {
        auto server = started_server({.address = address});
        auto client = connected_to(server.address());
        auto counter = client.create<Counter>("counter", 5);
        CHECK(counter.call<&Counter::add>(2) == 7);
        CHECK(counter.call<&Counter::value>() == 7);
        CHECK(client.create<Counter>("counter").call<&Counter::value>() == 0);
        CHECK(counter.call<&Counter::join>(std::vector<std::string>{"a", "b"}, 2) == "abab");
    }
}

TEST_CASE("an exception of a remote object arrives as itself with its cause", "[remote_managers]") {
    auto server = started_server();
    auto client = connected_to(server.address());
    auto counter = client.create<Counter>("counter");
    try {
        counter.call<&Counter::fail>("no such thing");
        FAIL();
    } catch (const std::out_of_range& error) {
        CHECK(std::string(error.what()) == "no such thing");
        REQUIRE(mp::remote_cause(error) != nullptr);
        CHECK(mp::remote_cause(error)->pid == server.pid());
    }
    CHECK(counter.call<&Counter::value>() == 0);
}

TEST_CASE("messages of many sizes go to a remote server and back", "[remote_managers]") {
    for (const Address& address : addresses()) {
        auto server = started_server({.address = address});
        auto client = connected_to(server.address());
        auto counter = client.create<Counter>("counter");
        for (const int count : {0, 1, 10, 4000, 4100, 300'000, 5'000'000}) {
            const auto numbers = counter.call<&Counter::numbers>(count);
            REQUIRE(numbers.size() == static_cast<std::size_t>(count));
            CHECK(counter.call<&Counter::length_of>(numbers) == numbers.size());
        }
    }
}

TEST_CASE("registered objects are one for all clients, near and remote", "[remote_managers]") {
    auto server = started_server();
    auto client = connected_to(server.address());
    auto other = connected_to(server.address());
    CHECK(client.object<Counter>("total").call<&Counter::add>(1) == 101);
    CHECK(other.object<Counter>("total").call<&Counter::add>(1) == 102);
    CHECK(server.object<Counter>("total").call<&Counter::add>(1) == 103);
    auto mine = server.create<Counter>("counter", 3);
    CHECK(mine.call<&Counter::value>() == 3);
    auto far = client.object<mp::Queue<std::string>>("jobs");
    auto near = server.object<mp::Queue<std::string>>("jobs");
    near.put("from near");
    CHECK(far.get() == "from near");
    std::thread giver([&] { far.put("from far"); });
    CHECK(near.get() == "from far");
    giver.join();
    CHECK_THROWS_AS(far.get(20ms), mp::Empty);
    CHECK(far.try_get() == std::nullopt);
}

TEST_CASE("containers and locks give their typed proxies", "[remote_managers]") {
    auto server = started_server({.address = Address{"127.0.0.1", 0}});
    auto client = connected_to(server.address());
    auto map = client.object<std::map<std::string, int>>("map");
    map["a"] = 1;
    map["a"] += 2;
    CHECK(map["a"] == 3);
    CHECK(map.copy() == std::map<std::string, int>{{"a", 3}});
    CHECK_THROWS_AS(map.at("b"), std::out_of_range);
    CHECK_THROWS_AS(map["b"] += 1, std::out_of_range);
    auto vector = client.object<std::vector<int>>("vector");
    vector.extend(std::vector<int>{3, 1, 2});
    vector.sort();
    CHECK(vector.copy() == std::vector<int>{1, 2, 3});
    CHECK(vector.slice(1, 3) == std::vector<int>{2, 3});
    auto set = client.object<std::set<std::string>>("set");
    set.add("x");
    CHECK(set.contains("x"));
    auto event = client.object<mp::Event>("event");
    CHECK_FALSE(event.wait(10ms));
    event.set();
    CHECK(event.wait());
    auto lock = client.object<mp::Lock>("lock");
    auto other = connected_to(server.address()).object<mp::Lock>("lock");
    {
        std::scoped_lock guard{lock};
        CHECK_FALSE(other.acquire(10ms));
    }
    CHECK(other.acquire(10ms));
    other.release();
    auto rlock = client.object<mp::RLock>("rlock");
    CHECK(rlock.acquire());
    CHECK(rlock.acquire());
    rlock.release();
    rlock.release();
    CHECK_FALSE(rlock.locked());
}

TEST_CASE("conditions, arrays and what is printed are the same for remote clients", "[remote_managers]") {
    const auto declare = [](BaseManager& manager) {
        manager.register_object<mp::Condition>("condition");
        manager.register_object<mp::Array<int>>("array", 3);
        manager.register_object<std::map<std::string, int>>("map");
    };
    BaseManager server({.authkey = key});
    declare(server);
    server.start();
    BaseManager client({.address = server.address(), .authkey = key});
    declare(client);
    client.connect();
    auto far = client.object<mp::Condition>("condition");
    auto near = server.object<mp::Condition>("condition");
    CHECK_THROWS_AS(far.notify(), std::logic_error);
    std::atomic<bool> waits{false};
    std::thread waiting([&] {
        std::scoped_lock guard{far};
        waits = true;
        CHECK(far.wait(30s));
    });
    CHECK(soon([&] { return waits.load(); }));
    {
        std::scoped_lock guard{near}; // had when the other waits
        near.notify_all();
    }
    waiting.join();
    CHECK_THAT(far.str(), ContainsSubstring("Condition(<unlocked"));
    auto array = client.object<mp::Array<int>>("array");
    array[1] = 5;
    array[1] += 1;
    CHECK(array.copy() == std::vector<int>{0, 6, 0});
    auto map = client.object<std::map<std::string, int>>("map");
    map["a"] = 1;
    CHECK(map.str() == "{'a': 1}");
    CHECK_THAT(map.repr(), ContainsSubstring("DictProxy"));
}

TEST_CASE("a class that locks for itself is called at once by remote clients", "[remote_managers]") {
    const auto declare = [](BaseManager& manager) {
        manager.register_object<Meeting, &Meeting::meet>("meeting");
    };
    BaseManager server({.authkey = key});
    declare(server);
    server.start();
    BaseManager client({.address = server.address(), .authkey = key});
    declare(client);
    client.connect();
    auto far = client.object<Meeting>("meeting");
    bool other = false;
    std::thread first([&] { other = far.call<&Meeting::meet>(); });
    CHECK(server.object<Meeting>("meeting").call<&Meeting::meet>());
    first.join();
    CHECK(other);
}

TEST_CASE("a value in a server of this process has a lock", "[remote_managers]") {
    BaseManager manager({.authkey = key});
    const auto declare = [](BaseManager& one) {
        one.register_object<mp::Value<int>>("value", 1);
        one.register_object<Asker, &Asker::is_locked>("asker");
    };
    declare(manager);
    auto server = manager.get_server();
    std::thread serving([&] { server.serve_forever(); });
    {
        BaseManager client({.address = server.address(), .authkey = key});
        declare(client);
        client.connect();
        auto value = client.object<mp::Value<int>>("value");
        CHECK_FALSE(client.object<Asker>("asker").call<&Asker::is_locked>(value));
    }
    server.shutdown();
    serving.join();
}

TEST_CASE("all methods of a type without a list are for clients of the same image", "[remote_managers]") {
    auto server = started_server();
    auto client = connected_to(server.address());
    auto object = client.create<Open>("open", std::string("some text"));
    CHECK(object.call<&Open::text>() == "some text");
    const auto size = [](std::string& text) { return static_cast<int>(text.size()); };
    CHECK(object.call<&Open::apply<decltype(size)>>(size) == 9);
}

TEST_CASE("what is not registered is refused with its name", "[remote_managers]") {
    struct Named {
        explicit Named(std::string) {}
        int value() const { return 0; }
    };
    auto server = started_server();
    BaseManager client({.address = server.address(), .authkey = key});
    client.register_type<Named, &Named::value, mp::managers::constructor<std::string>>("counter");
    client.register_type<Counter, &Counter::secret, &Counter::value>("total");
    client.register_type<Counter, &Counter::value>("other");
    client.connect();
    CHECK_THROWS_WITH(client.create<Named>("counter", std::string("text")),
                      ContainsSubstring("a constructor of 'counter' takes") && ContainsSubstring("string"));
    CHECK_THROWS_WITH(client.create<Counter>("other"), ContainsSubstring("nothing is registered as 'other'"));
    CHECK_THROWS_AS(client.create<Counter>("third"), std::logic_error);
    CHECK_THROWS_WITH(client.object<Counter>("counter"), ContainsSubstring("no object is registered"));
    CHECK_THROWS_AS(client.create<Counter>(5), std::logic_error);
    auto counter = client.object<Counter>("total");
    CHECK_THROWS_WITH(counter.call<&Counter::secret>(), ContainsSubstring("total.secret is not among"));
    CHECK_THROWS_AS(counter.call<&Counter::add>(1), std::logic_error); // the client's own list lacks it
    CHECK(counter.call<&Counter::value>() == 100);
}

TEST_CASE("another signature is refused with both", "[remote_managers]") {
    struct Old {
        int add(long long amount) { return static_cast<int>(amount); }
    };
    auto server = started_server();
    BaseManager client({.address = server.address(), .authkey = key});
    client.register_type<Old, &Old::add>("counter");
    client.connect();
    auto old = client.create<Old>("counter");
    CHECK_THROWS_WITH(old.call<&Old::add>(1),
                      ContainsSubstring("counter.add takes (int) -> int in the manager's "
                                        "server, and (long long int) -> int here") ||
                          ContainsSubstring("(long long) -> int here"));
}

TEST_CASE("overloads are registered by their signature", "[remote_managers]") {
    struct Twice {
        int of(int number) { return 2 * number; }
        std::string of(std::string text) const { return text + text; }
    };
    constexpr auto of_number = mp::managers::overload<int(int)>(&Twice::of);
    constexpr auto of_text = mp::managers::overload<std::string(std::string) const>(&Twice::of);
    BaseManager server({.authkey = key});
    server.register_type<Twice, of_number, of_text>("twice");
    server.start();
    BaseManager client({.address = server.address(), .authkey = key});
    client.register_type<Twice, of_number, of_text>("twice");
    client.connect();
    auto twice = client.create<Twice>("twice");
    CHECK(twice.call<of_number>(4) == 8);
    CHECK(twice.call<of_text>("ab") == "abab");
}

TEST_CASE("a proxy among the arguments must be of the type that is taken", "[remote_managers]") {
    using Queues = std::map<int, mp::managers::QueueProxy<int>>;
    BaseManager server({.authkey = key});
    const auto declare = [](BaseManager& manager) {
        manager.register_object<Queues>("queues");
        manager.register_object<mp::Queue<int>>("one");
        manager.register_object<std::vector<int>>("list");
    };
    declare(server);
    server.start();
    BaseManager client({.address = server.address(), .authkey = key});
    declare(client);
    client.connect();
    auto queues = client.object<Queues>("queues");
    auto one = client.object<mp::Queue<int>>("one");
    queues.set(1, one);
    one.put(5);
    auto same = queues.at(1);
    CHECK(same.get() == 5);
    CHECK(same == one);
    // The server knows what an id refers to, whatever the client takes it for.
    BaseManager liar({.address = server.address(), .authkey = key});
    liar.register_object<Queues>("queues");
    liar.register_object<mp::Queue<int>>("list");
    liar.connect();
    CHECK_THROWS_AS(liar.object<Queues>("queues").set(2, liar.object<mp::Queue<int>>("list")),
                    mp::SerializationError);
    CHECK_THROWS_AS(liar.object<mp::Queue<int>>("list").put(1), std::logic_error);
    CHECK(queues.size() == 1);
}

TEST_CASE("registration comes before the start and names are unique", "[remote_managers]") {
    auto server = started_server();
    CHECK_THROWS_AS(server.register_type<Counter>("late"), std::logic_error);
    CHECK_THROWS_AS(server.connect(), mp::ProcessError);
    BaseManager client({.address = server.address(), .authkey = key});
    client.register_type<Counter>("counter");
    CHECK_THROWS_AS(client.register_type<Counter>("counter"), std::invalid_argument);
    client.connect();
    CHECK_THROWS_AS(client.register_type<Counter>("late"), std::logic_error);
    CHECK_THROWS_AS(client.start(), mp::ProcessError);
    CHECK_THROWS_AS(client.shutdown(), std::logic_error);
    CHECK_THROWS_AS(BaseManager({.address = Address{"127.0.0.1", 0}}).start(), std::logic_error);
    CHECK_THROWS_AS(BaseManager().connect(), std::invalid_argument);
    BaseManager tls({.certificate = "no_such_file.pem", .key = "no_such_key.pem"});
#if defined(_WIN32)
    CHECK_THROWS_WITH(tls.register_type<Counter>("counter"), ContainsSubstring("no TLS"));
#else
    CHECK_THROWS_WITH(tls.register_type<Counter>("counter"), ContainsSubstring("no_such_file.pem"));
#endif
}

TEST_CASE("an object whose constructor throws fails the start", "[remote_managers]") {
    struct Bad {
        explicit Bad(int number) { throw std::domain_error("number " + std::to_string(number)); }
        int value() const { return 0; }
    };
    BaseManager server({.authkey = key});
    server.register_object<Bad, &Bad::value>("bad", 3);
    CHECK_THROWS_AS(server.start(), std::domain_error);
    BaseManager taken({.address = Address{"192.0.2.1", 1}, .authkey = key}); // an address of nobody's
    taken.register_type<Counter>("counter");
    CHECK_THROWS_AS(taken.start(), std::system_error);
}

TEST_CASE("processes and threads call one object remotely", "[remote_managers]") {
    auto server = started_server({.address = Address{"127.0.0.1", 0}});
    const auto work = [](Address address) {
        auto client = connected_to(address);
        auto total = client.object<Counter>("total");
        auto map = client.object<std::map<std::string, int>>("map");
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([&] {
                for (int k = 0; k < 50; ++k) {
                    total.call<&Counter::add>(1);
                    map["visits"] += 1;
                }
            });
        }
        for (auto& thread : threads) thread.join();
    };
    server.object<std::map<std::string, int>>("map")["visits"] = 0;
    std::vector<mp::Process> workers;
    for (int i = 0; i < 3; ++i) workers.emplace_back(work, server.address());
    for (auto& worker : workers) worker.start();
    for (auto& worker : workers) worker.join();
    for (auto& worker : workers) CHECK(worker.exitcode() == 0);
    CHECK(server.object<Counter>("total").call<&Counter::value>() == 550);
    CHECK(server.object<std::map<std::string, int>>("map")["visits"] == 450);
}

TEST_CASE("a server in this very process serves until its shutdown", "[remote_managers]") {
    for (int round = 0; round < 2; ++round) {
        BaseManager manager({.address = Address{"127.0.0.1", 0}, .authkey = key});
        register_all(manager);
        auto server = manager.get_server();
        CHECK(server.address() == manager.address());
        std::thread serving([&] { server.serve_forever(); });
        {
            auto client = connected_to(server.address());
            auto counter = client.create<Counter>("counter", 1);
            CHECK(counter.call<&Counter::add>(1) == 2);
            auto queue = client.object<mp::Queue<std::string>>("jobs");
            CHECK_THROWS_AS(queue.get(20ms), mp::Empty);
            std::atomic<bool> told{false};
            std::thread waiting([&] {
                try {
                    queue.get();
                } catch (const mp::ProcessError&) { told = true; }
            });
            std::this_thread::sleep_for(50ms);
            server.shutdown();
            serving.join();
            waiting.join();
            CHECK(told);
            CHECK_THROWS_AS(counter.call<&Counter::value>(), mp::ProcessError);
        }
        CHECK_THROWS_AS(server.serve_forever(), mp::ProcessError);
        CHECK_THROWS_AS(connected_to(server.address()), std::system_error);
    }
}

TEST_CASE("a server that never served leaves nothing", "[remote_managers]") {
    BaseManager manager({.authkey = key});
    register_all(manager);
    auto server = manager.get_server();
    CHECK_FALSE(server.address() == Address{});
}
