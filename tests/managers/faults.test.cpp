// SPDX-License-Identifier: BSL-1.0
// What a manager and its clients do when others are slow, stopped, many, or gone.
#include <managers/support.hpp>

#include <support/killer.hpp>
#include <support/sanitizers.hpp>

#include <multiprocessing/detail/managers/client.hpp>
#include <multiprocessing/detail/managers/local_target.hpp>
#include <multiprocessing/detail/managers/server.hpp>
#include <multiprocessing/detail/managers/server_channel.hpp>
#include <multiprocessing/detail/platform/fork.hpp>
#include <multiprocessing/detail/platform/wait.hpp>
#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace process;
namespace managers = mp::managers;
namespace detail = mp::detail;

namespace {

using Dict = managers::DictProxy<int, int>;

/// What a proxy would bring to a process, and what a process would take from there.
class Way : public detail::HandleSink, public detail::HandleSource {
public:
    void add(std::shared_ptr<detail::SharedObject> object) override { objects_.push_back(std::move(object)); }
    std::shared_ptr<detail::SharedObject> next_known() override { return objects_.at(taken_++); }
    detail::LeaseEntry next() override { throw std::logic_error("nothing came"); }

private:
    std::vector<std::shared_ptr<detail::SharedObject>> objects_;
    std::size_t taken_ = 0;
};

template <class Proxy>
detail::ManagerLink link_of(const Proxy& proxy) {
    Way way;
    proxy.export_to(way);
    return detail::ManagerLink::import_from(way);
}

int channels_in_use(const detail::ManagerBody& body) {
    return static_cast<int>(std::count_if(std::begin(body.channels), std::end(body.channels),
                                          [](const auto& channel) { return channel.owner.load() != 0; }));
}

/// While it lives, those of the first `most` channels of a manager that were free are in use.
class AllInUse {
public:
    explicit AllInUse(detail::ManagerBody& body, std::uint32_t most = detail::ManagerBody::channel_count)
        : body_(body) {
        for (std::uint32_t i = 0; i < most; ++i) {
            detail::platform::ThreadName nobody = 0;
            if (body.channels[i].owner.compare_exchange_strong(nobody, detail::this_thread()))
                taken_.push_back(i);
        }
    }
    AllInUse(const AllInUse&) = delete;
    AllInUse& operator=(const AllInUse&) = delete;
    ~AllInUse() {
        for (const std::uint32_t i : taken_) body_.channels[i].owner = 0;
    }

private:
    detail::ManagerBody& body_;
    std::vector<std::uint32_t> taken_;
};

std::atomic<int> served{0}; // of each server its own

/// Is slow, and counts how often it was called.
class Slow {
public:
    int work() {
        std::this_thread::sleep_for(2ms);
        return ++served;
    }
    int fork_and_ask() {
        if constexpr (detail::platform::can_fork) {
            const int pid = detail::platform::fork_process();
            if (pid == 0) detail::platform::exit_now(detail::ManagerServer::current() == nullptr ? 7 : 8);
            detail::platform::Child copy{pid};
            detail::platform::wait_one(copy.sentinel().native(), detail::Deadline{});
            return copy.poll()->exitcode.value_or(-1);
        } else {
            return 7;
        }
    }
    void leave(int code) { std::exit(code); }
    std::vector<int> numbers(int count) const {
        std::vector<int> result(static_cast<std::size_t>(count));
        std::iota(result.begin(), result.end(), 0);
        return result;
    }
    std::size_t count(const std::vector<int>& some) const { return some.size(); }
    /// Pages in memory, as far as the system says.
    long resident() const {
        long size = 0;
        long pages = 0;
        std::ifstream("/proc/self/statm") >> size >> pages;
        return pages;
    }
};

/// Calls another object of its server.
class Caller {
public:
    /// Returns how many calls of `slow` were served from the call to its answer.
    int call(managers::Proxy<Slow> slow) {
        const int before = served;
        return slow.call<&Slow::work>() - before;
    }
};

} // namespace

TEST_CASE("clients that are idle hold no channel", "[managers]") {
    auto manager = mp::Manager();
    auto d = manager.dict<int, int>({{0, 0}});
    mp::Event end;
    auto clients = started_clients(
        3,
        [](Dict dict, mp::Event e) {
            dict[0] += 1;
            e.wait();
        },
        d, end);
    REQUIRE(soon([&] { return d[0] == 3; }));
    const auto link = link_of(d);
    CHECK(soon([&] { return channels_in_use(link.body()) == 0; }));
    end.set();
    for (auto& client : clients) client.join();
}

TEST_CASE("what is held is released while all channels are in use", "[managers]") {
    auto manager = mp::Manager();
    auto lock = manager.Lock();
    auto rlock = manager.RLock();
    auto semaphore = manager.Semaphore();
    auto condition = manager.Condition();
    auto d = manager.dict<int, int>();
    lock.acquire();
    rlock.acquire();
    semaphore.acquire();
    condition.acquire();
    const auto link = link_of(d);
    {
        // As calls that wait use them.
        const AllInUse waiting(link.body(),
                               detail::ManagerBody::channel_count - detail::ManagerBody::spare_channels);
        CHECK_THROWS_AS(d.size(), std::system_error);
        CHECK_NOTHROW(lock.unlock());
        CHECK_NOTHROW(rlock.unlock());
        CHECK_NOTHROW(semaphore.unlock());
        CHECK_NOTHROW(condition.notify_all());
        CHECK_NOTHROW(condition.unlock());
        { auto gone = std::move(semaphore); }
        // It goes beside the calls that come then.
        CHECK(soon([&] { return manager.number_of_objects() == 4; }));
    }
    CHECK_FALSE(lock.locked());
    CHECK(d.empty());
}

TEST_CASE("a release waits for a channel as long as it takes", "[managers]") {
    auto manager = mp::Manager();
    auto lock = manager.Lock();
    lock.acquire();
    const auto link = link_of(lock);
    std::thread releaser;
    {
        const AllInUse stopped(link.body());
        std::atomic<bool> begun{false};
        releaser = std::thread([&] {
            begun = true;
            lock.unlock();
        });
        REQUIRE(soon([&] { return begun.load(); }));
        std::this_thread::sleep_for(1200ms); // longer than another call waits
    }
    releaser.join();
    CHECK_FALSE(lock.locked());
}

#ifdef SIGSTOP

TEST_CASE("proxies go though the server is stopped", "[managers]") {
    auto manager = mp::Manager();
    std::vector<Dict> dicts;
    for (int i = 0; i < 600; ++i) dicts.push_back(manager.dict<int, int>());
    std::atomic<bool> gone{false};
    ::kill(*manager.pid(), SIGSTOP);
    std::thread owner([&] {
        dicts.clear();
        gone = true;
    });
    CHECK(soon([&] { return gone.load(); }));
    ::kill(*manager.pid(), SIGCONT);
    owner.join();
    CHECK(soon([&] { return manager.number_of_objects() == 0; }));
}

TEST_CASE("shutdown ends a server that is stopped in a call", "[managers]") {
    auto manager = mp::Manager({.shutdown_timeout = 10ms});
    auto d = manager.dict<int, int>();
    auto slow = manager.create<Slow>();
    std::atomic<int> errors{0};
    ::kill(*manager.pid(), SIGSTOP);
    std::vector<std::thread> callers;
    for (int i = 0; i < 3; ++i) {
        callers.emplace_back([&] {
            try {
                slow.call<&Slow::work>();
            } catch (const mp::ProcessError&) { ++errors; }
        });
    }
    manager.shutdown();
    for (auto& caller : callers) caller.join();
    CHECK(errors == 3);
    CHECK_THROWS_AS(d.size(), mp::ProcessError);
}

TEST_CASE("calls go on when a stopped server does", "[managers]") {
    auto manager = mp::Manager();
    auto slow = manager.create<Slow>();
    std::vector<std::thread> callers;
    std::atomic<int> sum{0};
    for (int i = 0; i < 3; ++i) {
        callers.emplace_back([&] {
            for (int k = 0; k < 10; ++k) {
                slow.call<&Slow::work>();
                ++sum;
            }
        });
    }
    for (int i = 0; i < 5; ++i) {
        ::kill(*manager.pid(), SIGSTOP);
        std::this_thread::sleep_for(5ms);
        ::kill(*manager.pid(), SIGCONT);
        std::this_thread::sleep_for(1ms);
    }
    for (auto& caller : callers) caller.join();
    CHECK(sum == 30);
}

#endif

TEST_CASE("a request that is refused leaves the server as it was", "[managers]") {
    auto manager = mp::Manager();
    auto d = manager.dict<int, int>({{1, 2}});
    const auto link = link_of(d);
    const auto client = detail::process_wide<detail::ManagerClients>().of(link);
    const auto answer = client->call(detail::CallVerb::invoke, 4711, {}, {}, {});
    REQUIRE(answer.failed);
    CHECK_THROWS_AS(detail::throw_if_failed(answer), std::logic_error);
    CHECK(d[1] == 2);
}

TEST_CASE("a request in pieces that is no request is refused and the channel goes on", "[managers]") {
    auto manager = mp::Manager();
    auto d = manager.dict<int, int>({{1, 2}});
    detail::ClientChannels channels(link_of(d));
    const std::vector<std::byte> garbage(10'000, std::byte{0x5a});
    for (int i = 0; i < 3; ++i) {
        const std::uint32_t index = channels.take();
        channels.send(index, {garbage});
        CHECK(channels.body().channels[index].failed != 0);
        channels.give_back(index);
        CHECK(d[1] == 2);
    }
}

TEST_CASE("a copy of a server by fork is no server", "[managers]") {
    auto manager = mp::Manager();
    CHECK(manager.create<Slow>().call<&Slow::fork_and_ask>() == 7);
}

TEST_CASE("a call by an object waits no longer than those of clients before it", "[managers]") {
    auto manager = mp::Manager();
    auto slow = manager.create<Slow>();
    auto caller = manager.create<Caller>();
    std::atomic<bool> done{false};
    std::vector<std::thread> others;
    for (int i = 0; i < 6; ++i) {
        others.emplace_back([&] {
            for (int k = 0; k < 500 && !done; ++k) slow.call<&Slow::work>();
        });
    }
    std::this_thread::sleep_for(20ms);
    const int between = caller.call<&Caller::call>(slow);
    done = true;
    for (auto& other : others) other.join();
    CHECK(between < 1000); // the others make three thousand
}

TEST_CASE("a long text of an initializer's exception arrives whole", "[managers]") {
    for (const int length : {3000, 4000, 100'000}) {
        std::string text;
        try {
            mp::Manager(
                [](int size) { throw std::out_of_range(std::string(static_cast<std::size_t>(size), 'x')); },
                length);
        } catch (const std::out_of_range& error) { text = error.what(); }
        CHECK(text == std::string(static_cast<std::size_t>(length), 'x'));
    }
}

TEST_CASE("an item put after its consumer died is kept", "[managers]") {
#ifdef SIGSTOP
    auto manager = mp::Manager();
    for (int i = 0; i < support::rounds(15); ++i) {
        auto q = manager.Queue<int>();
        auto ready = manager.Event();
        mp::Process consumer(
            [](managers::QueueProxy<int> in, managers::EventProxy e) {
                e.set();
                in.get();
            },
            q, ready);
        consumer.start();
        ready.wait();
        std::this_thread::sleep_for(3ms); // it waits by now, very likely
        ::kill(*manager.pid(), SIGSTOP);  // it hears of the end later than of the item
        consumer.kill();
        consumer.join();
        std::thread producer([&] { q.put(7); });
        std::this_thread::sleep_for(3ms);
        ::kill(*manager.pid(), SIGCONT);
        producer.join();
        CHECK(q.get(30s) == 7);
    }
#endif
}

TEST_CASE("a lock released after a waiter died is free", "[managers]") {
#ifdef SIGSTOP
    auto manager = mp::Manager();
    auto lock = manager.Lock();
    for (int i = 0; i < support::rounds(5); ++i) {
        auto ready = manager.Event();
        lock.acquire();
        mp::Process waiter(
            [](managers::LockProxy l, managers::EventProxy e) {
                e.set();
                l.acquire();
                std::this_thread::sleep_for(60s);
            },
            lock, ready);
        waiter.start();
        ready.wait();
        std::this_thread::sleep_for(3ms);
        ::kill(*manager.pid(), SIGSTOP);
        waiter.kill();
        waiter.join();
        std::thread releaser([&] { lock.release(); });
        std::this_thread::sleep_for(3ms);
        ::kill(*manager.pid(), SIGCONT);
        releaser.join();
        CHECK_FALSE(lock.locked());
        CHECK_FALSE(lock.recovered());
    }
#endif
}

TEST_CASE("an answer for which there is no memory leaves no reference", "[managers]") {
    if (support::has_asan) return; // which aborts where there is no memory
    auto body = std::make_unique<detail::ManagerBody>();
    alignas(detail::ManagerServer) static std::byte server[sizeof(detail::ManagerServer)]; // never asked
    auto held = std::make_shared<int>(1);
    alignas(detail::ServedObject) static std::byte room[sizeof(detail::ServedObject)];
    auto* const object = new (room) detail::ServedObject(*reinterpret_cast<detail::ManagerServer*>(server), 5,
                                                         held, detail::managed_type<int>);
    const std::shared_ptr<detail::ServedObject> kept(object, [](auto*) {}); // its end would ask the server
    detail::ClientSession session;
    detail::ServerChannel channel;
    channel.session = &session;
    channel.in_hand = 1;
    const detail::ProxyTargets references{std::make_shared<detail::LocalTarget>(kept)};
    const std::byte first{};
    const std::span<const std::byte> too_long(&first, std::size_t{1} << 61);
    channel.place_answer(body->channels[0], too_long, references, false);
    CHECK(body->channels[0].call == 2);
    CHECK(body->channels[0].failed == 1);
    CHECK(session.references.empty());
    // What was referred to before still is.
    session.retain(5, kept);
    channel.in_hand = 3;
    channel.place_answer(body->channels[0], too_long, references, false);
    CHECK(session.references.at(5).count == 1);
}

TEST_CASE("a method that calls exit ends the server and every call", "[managers]") {
    auto manager = mp::Manager();
    auto slow = manager.create<Slow>();
    auto event = manager.Event();
    std::atomic<int> errors{0};
    std::thread waiting([&] {
        try {
            event.wait();
        } catch (const mp::EOFError&) { ++errors; }
    });
    CHECK_THROWS_AS(slow.call<&Slow::leave>(3), mp::EOFError);
    waiting.join();
    CHECK(errors == 1);
    CHECK(manager.join(30s));
    CHECK_THROWS_AS(event.is_set(), mp::EOFError);
}

TEST_CASE("a manager is made while locks are held", "[managers]") {
    auto first = mp::Manager();
    auto of_first = first.Lock();
    const std::scoped_lock managed{of_first};
    const mp::Lock lock;
    mp::Value<int> value{1};
    const std::scoped_lock guard{lock, value.get_lock()};
    auto second = mp::Manager();
    auto d = second.dict<int, int>({{1, 2}});
    CHECK(d[1] == 2);
}

TEST_CASE("threads that are in calls do not hinder copies by fork", "[managers]") {
    if constexpr (detail::platform::can_fork) {
        auto manager = mp::Manager();
        auto d = manager.dict<int, int>({{0, 0}});
        std::atomic<bool> done{false};
        std::vector<std::thread> callers;
        for (int i = 0; i < 3; ++i) {
            callers.emplace_back([&] {
                while (!done) {
                    auto own = manager.dict<int, int>({{1, 1}});
                    own[1] += 1;
                }
            });
        }
        for (int i = 0; i < 20; ++i) {
            const int pid = detail::platform::fork_process();
            if (pid == 0) {
                int code = 1;
                try {
                    d[0] += 1;
                    code = d.size() == 1 ? 0 : 2;
                } catch (...) {}
                detail::platform::exit_now(code);
            }
            detail::platform::Child copy{pid};
            detail::platform::wait_one(copy.sentinel().native(), detail::Deadline{});
            CHECK(copy.poll()->exitcode == 0);
        }
        done = true;
        for (auto& caller : callers) caller.join();
        CHECK(d[0] == 20);
        CHECK(soon([&] { return manager.number_of_objects() == 1; }));
    }
}

TEST_CASE("shutdown in a long answer gives all of it or an error", "[managers]") {
    for (int i = 0; i < 6; ++i) {
        auto manager = mp::Manager({.shutdown_timeout = 100ms});
        auto slow = manager.create<Slow>();
        std::atomic<bool> begun{false};
        bool is_right = true;
        std::thread reader([&] {
            try {
                for (;;) {
                    const auto numbers = slow.call<&Slow::numbers>(300'000);
                    begun = true;
                    is_right = is_right && numbers.size() == 300'000 && numbers.back() == 299'999;
                    is_right = is_right && slow.call<&Slow::count>(numbers) == 300'000;
                }
            } catch (const mp::ProcessError&) {}
        });
        REQUIRE(soon([&] { return begun.load(); }));
        std::this_thread::sleep_for(std::chrono::microseconds{700 * i});
        manager.shutdown();
        reader.join();
        CHECK(is_right);
    }
}

TEST_CASE("objects that come and go leave the server's memory as it was", "[managers]") {
    if (support::has_asan) return; // which keeps what was freed
    auto manager = mp::Manager();
    auto slow = manager.create<Slow>();
    const auto turn = [&](int count) {
        for (int i = 0; i < count; ++i) {
            auto d = manager.dict<int, int>({{1, i}});
            if (d[1] != i) return false;
        }
        return true;
    };
    REQUIRE(turn(3000));
    const long before = slow.call<&Slow::resident>();
    REQUIRE(turn(support::rounds(12'000)));
    CHECK(slow.call<&Slow::resident>() - before <
          256); // pages: 1 MiB; each object has taken more than 200 bytes
    CHECK(soon([&] { return manager.number_of_objects() == 1; }));
}
