// SPDX-License-Identifier: BSL-1.0
// A Pool that the server of a manager has, and its clients use.
#include <managers/support.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

using namespace process;
namespace managers = mp::managers;

namespace {

int square(int x) { return x * x; }
int add(int a, int b) { return a + b; }
int fail(int x) {
    if (x == 2) throw std::out_of_range("two");
    return x;
}
int wait_and_return(int x) {
    std::this_thread::sleep_for(20ms);
    return x;
}

} // namespace

TEST_CASE("a managed pool carries out what its clients ask for", "[managers]") {
    auto manager = mp::Manager();
    auto pool = manager.Pool(2);
    CHECK(pool.apply(square, 7) == 49);
    CHECK(pool.map(square, std::vector<int>{1, 2, 3}) == std::vector<int>{1, 4, 9});
    CHECK(pool.starmap(add, std::vector<std::tuple<int, int>>{{1, 2}, {3, 4}}) == std::vector<int>{3, 7});
    auto later = pool.apply_async(wait_and_return, 5);
    auto all = pool.map_async(square, std::vector<int>{1, 2, 3});
    CHECK(later.get(30s) == 5);
    CHECK(later.ready());
    CHECK(later.successful());
    CHECK(all.get() == std::vector<int>{1, 4, 9});
    std::vector<int> seen;
    for (const int x : pool.imap(square, std::vector<int>{1, 2, 3}, 1)) seen.push_back(x);
    CHECK(seen == std::vector<int>{1, 4, 9});
    CHECK_THROWS_AS(pool.map(fail, std::vector<int>{1, 2, 3}), std::out_of_range);
    auto busy = manager.Pool(1);
    CHECK_THROWS_AS(busy.apply_async([] { std::this_thread::sleep_for(1h); }).get(1ms), mp::TimeoutError);
    busy.terminate();
    auto clients = started_clients(
        2,
        [](managers::PoolProxy p) {
            for (int i = 0; i < 10; ++i) {
                if (p.apply(square, i) != i * i) std::exit(1);
            }
        },
        pool);
    for (auto& client : clients) {
        client.join();
        CHECK(client.exitcode() == 0);
    }
    pool.close();
    CHECK_THROWS_AS(pool.apply(square, 1), std::invalid_argument);
    CHECK(pool.join(30s));
}

TEST_CASE("an item of a managed pool's imap that fails ends nothing", "[managers]") {
    auto manager = mp::Manager();
    auto pool = manager.Pool(1);
    auto items = pool.imap(fail, std::vector<int>{1, 2, 3}, 1);
    CHECK(items.next() == 1);
    CHECK_THROWS_AS(items.next(), std::out_of_range);
    CHECK(items.next() == 3);
    CHECK(items.next() == std::nullopt);
}
