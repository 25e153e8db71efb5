// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>

#include <multiprocessing/detail/ring/ring.hpp>
#include <multiprocessing/queues.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <vector>

using namespace process;

namespace {

/// A user's type whose hook fails on some values.
class Fussy {
public:
    Fussy() = default;
    explicit Fussy(int value) : value_(value) {}
    int value() const { return value_; }

    template <class Archive>
    void serialize(Archive& ar) {
        const int before = value_;
        if (before == 13) throw std::domain_error("13 is not written");
        ar(value_);
        if (before == 0 && value_ == 17) throw std::domain_error("17 is not read");
    }

private:
    int value_ = 0;
};

void put_numbers(mp::Queue<int> queue, int first, int count) {
    for (int i = 0; i < count; ++i) queue.put(first + i);
}

} // namespace

TEST_CASE("items arrive in another process, in order, as what they were", "[queues]") {
    const mp::Queue<std::tuple<int, std::string, std::vector<double>>> queue;
    mp::Process child(
        [](mp::Queue<std::tuple<int, std::string, std::vector<double>>> q) {
            for (int i = 0; i < 100; ++i)
                q.put({i, std::string(static_cast<std::size_t>(i), 'x'), std::vector(3, i / 2.)});
        },
        queue);
    child.start();
    for (int i = 0; i < 100; ++i) {
        const auto [number, text, values] = queue.get();
        REQUIRE(number == i);
        REQUIRE(text == std::string(static_cast<std::size_t>(i), 'x'));
        REQUIRE(values == std::vector(3, i / 2.));
    }
    child.join();
    CHECK(queue.empty());
}

TEST_CASE("the items of one producer keep their order among those of others", "[queues]") {
    const mp::Queue<int> queue;
    std::vector<mp::Process> children;
    for (int i = 0; i < 3; ++i) children.emplace_back(put_numbers, queue, i * 100'000, 2000);
    for (auto& child : children) child.start();
    std::map<int, int> next;
    for (int i = 0; i < 6000; ++i) {
        const int item = queue.get();
        REQUIRE(item % 100'000 == next[item / 100'000]++);
    }
    for (auto& child : children) child.join();
    CHECK(next.size() == 3);
}

TEST_CASE("every item is taken once by one of several consumers", "[queues]") {
    const mp::Queue<int> queue;
    const mp::Queue<std::vector<int>> taken;
    std::vector<mp::Process> children;
    for (int i = 0; i < 3; ++i) {
        children.emplace_back(
            [](mp::Queue<int> q, mp::Queue<std::vector<int>> t) {
                std::vector<int> mine;
                for (int item : q) mine.push_back(item);
                t.put(mine);
            },
            queue, taken);
    }
    for (auto& child : children) child.start();
    for (int i = 0; i < 20'000; ++i) queue.put(i);
    queue.shutdown();
    std::vector<int> all;
    for (int i = 0; i < 3; ++i) {
        const std::vector<int> part = taken.get();
        CHECK(std::is_sorted(part.begin(), part.end()));
        all.insert(all.end(), part.begin(), part.end());
    }
    for (auto& child : children) child.join();
    std::sort(all.begin(), all.end());
    std::vector<int> expected(20'000);
    std::iota(expected.begin(), expected.end(), 0);
    CHECK(all == expected);
}

TEST_CASE("items of any size pass, from nothing to larger than a segment", "[queues]") {
    const mp::Queue<std::vector<std::uint8_t>> in;
    const mp::Queue<std::vector<std::uint8_t>> out;
    mp::Process child(
        [](mp::Queue<std::vector<std::uint8_t>> i, mp::Queue<std::vector<std::uint8_t>> o) {
            for (auto&& item : i) {
                std::reverse(item.begin(), item.end());
                o.put(item);
            }
        },
        in, out);
    child.start();
    std::mt19937 random{5};
    for (const std::size_t size : {0u, 1u, 7u, 8u, 9u, 4096u, 65'536u, 262'072u, 262'080u, 262'088u, 262'144u,
                                   1u << 20, 5'000'001u, 3u}) {
        std::vector<std::uint8_t> item(size);
        for (auto& byte : item) byte = static_cast<std::uint8_t>(random());
        in.put(item);
        std::vector<std::uint8_t> back = out.get();
        std::reverse(back.begin(), back.end());
        REQUIRE(back == item);
    }
    in.shutdown();
    child.join();
}

TEST_CASE("an item may be written over another, whose memory is used again", "[queues]") {
    const mp::Queue<std::vector<int>> queue;
    mp::Process child(
        [](mp::Queue<std::vector<int>> q) {
            for (int i = 0; i < 3; ++i) q.put(std::vector<int>(static_cast<std::size_t>(1000 - i), i));
        },
        queue);
    child.start();
    std::vector<int> item;
    queue.get_into(item);
    const int* const memory = item.data();
    for (int i = 1; i < 3; ++i) {
        queue.get_into(item, 60s);
        CHECK(item == std::vector<int>(static_cast<std::size_t>(1000 - i), i));
        CHECK(item.data() == memory);
    }
    child.join();
    CHECK_THROWS_AS(queue.get_into(item, 0s), mp::Empty);
    const mp::Queue<std::map<int, std::string>> maps;
    maps.put({{1, "a"}});
    std::map<int, std::string> map{{2, "b"}};
    maps.get_into(map);
    CHECK(map == std::map<int, std::string>{{1, "a"}});
    maps.shutdown();
    CHECK_THROWS_AS(maps.get_into(map), mp::ShutDown);
}

TEST_CASE("a move-only item passes", "[queues]") {
    const mp::Queue<std::unique_ptr<int>> queue;
    mp::Process child([](mp::Queue<std::unique_ptr<int>> q) { q.put(std::make_unique<int>(42)); }, queue);
    child.start();
    CHECK(*queue.get() == 42);
    child.join();
    queue.put(nullptr);
    queue.put(std::make_unique<int>(1));
    queue.shutdown();
    int count = 0;
    for (std::unique_ptr<int> item : queue) count += item ? *item : 100;
    CHECK(count == 101);
}

TEST_CASE("an item that cannot be made bytes of is refused by put, and none is in the queue", "[queues]") {
    const mp::Queue<Fussy> queue;
    CHECK_THROWS_AS(queue.put(Fussy{13}), std::domain_error);
    CHECK(queue.empty());
    queue.put(Fussy{1});
    CHECK(queue.get().value() == 1);
}

TEST_CASE("an item that cannot be read is an error of that get alone", "[queues]") {
    const mp::Queue<Fussy> queue;
    mp::Process child(
        [](mp::Queue<Fussy> q) {
            for (const int value : {1, 17, 2}) q.put(Fussy{value});
        },
        queue);
    child.start();
    CHECK(queue.get().value() == 1);
    CHECK_THROWS_AS(queue.get(), std::domain_error);
    CHECK(queue.get().value() == 2);
    child.join();
}

#if !defined(_WIN32) // which gives no memory back before the queue ends
TEST_CASE("of a huge item nothing is kept when it has been taken, whatever came before and after", "[queues]") {
    const auto resident = [] {
        std::uint64_t pages = 0;
        std::ifstream status("/proc/self/status");
        for (std::string line; std::getline(status, line);) {
            if (line.rfind("RssShmem:", 0) == 0) pages = std::stoull(line.substr(9));
        }
        return pages / 1024; // MiB
    };
    const mp::Queue<std::vector<char>> queue;
    const std::uint64_t before = resident();
    queue.put(std::vector<char>(10));
    queue.put(std::vector<char>(150'000'000));
    queue.put(std::vector<char>(10));
    CHECK(resident() > before + 100);
    for (int i = 0; i < 3; ++i) queue.get();
    CHECK(resident() < before + 50);
}
#endif

TEST_CASE("large items of producers that are killed come whole, and in order, to one who waits", "[queues]") {
    // Who takes copies an item while it is put; of one whose producer dies he must not keep a part.
    const mp::Queue<std::vector<int>> queue;
    std::mt19937 random{7};
    std::atomic<int> items{0};
    bool right = true;
    std::thread source([&] {
        int last = -1;
        for (const std::vector<int>& item : queue) {
            const int first = item.empty() ? -1 : item.front();
            const bool follows = first == last + 1 || (first > last && first % 1'000'000 == 0);
            right = right && follows && std::ranges::all_of(item, [&](int x) { return x == first; });
            last = first;
            ++items;
        }
    });
    for (int round = 0; round < 25; ++round) {
        mp::Process producer(
            [](mp::Queue<std::vector<int>> q, int first) {
                for (int i = first;; ++i)
                    q.put(std::vector<int>(static_cast<std::size_t>(i % 3 ? 1'000'000 : 10), i));
            },
            queue, round * 1'000'000);
        producer.start();
        const int before = items;
        while (items == before) std::this_thread::sleep_for(1ms);
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 5000});
        producer.kill();
        producer.join();
    }
    queue.shutdown();
    source.join();
    CHECK(right);
    CHECK(items >= 25);
}

TEST_CASE("items larger than memory are refused with the figures, and the queue goes on", "[queues]") {
    // Not a real item: no vector of that size can be made. The ring is asked as put() asks it.
    auto& member = mp::detail::tree();
    mp::detail::Ring ring;
    ring.open(member.self, 0);
    const auto fill = [](auto...) {};
    CHECK_THROWS_AS(ring.put(member.space, std::uint64_t{1} << 50, fill, {}), std::system_error);
    CHECK(ring.size() == 0);
    CHECK(ring.put(member.space, 8, fill, {}) == mp::detail::RingResult::done);
    CHECK(ring.size() == 1);
    ring.end(member.space);
}
