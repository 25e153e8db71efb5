// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>

#include <multiprocessing/partial.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/synchronize.hpp>

#include <cstring>
#include <map>
#include <memory>
#include <vector>

using namespace process;

namespace {

int scale(int factor, int x) { return factor * x; }
int add_up(int a, double b, const std::string& c) {
    return a + static_cast<int>(b) + static_cast<int>(c.size());
}
int lengths(const char* a, std::string_view b, int c) {
    return static_cast<int>(std::strlen(a) + b.size()) + c;
}
void put(mp::Queue<int>& queue, int x) { queue.put(x); }
void put_sum(mp::Queue<int> queue, const std::vector<int>& fixed, int x) { queue.put(fixed.at(0) + x); }
int add_pointee(const std::unique_ptr<int>& fixed, int x) { return *fixed + x; }
void refuse(int bad, int x) {
    if (x == bad) throw std::out_of_range("bad");
}

struct Multiply {
    int factor;
    int calls = 0;
    int operator()(int a, int b) {
        ++calls;
        return factor * a * b;
    }
};

const std::vector<int> numbers{1, 2, 3};

} // namespace

TEST_CASE("partial fixes the first arguments of functions, lambdas and functors", "[partial]") {
    mp::Pool pool(2);
    CHECK(pool.map(mp::partial(scale, 3), numbers) == std::vector<int>{3, 6, 9});
    CHECK(pool.map(mp::partial([](int a, int b) { return a - b; }, 10), numbers) == std::vector<int>{9, 8, 7});
    CHECK(pool.map(mp::partial([](auto a, auto b) { return a - b; }, 10), numbers) ==
          std::vector<int>{9, 8, 7});
    CHECK(pool.map(mp::partial(Multiply{2}, 5), numbers) == std::vector<int>{10, 20, 30});
    CHECK(pool.map(mp::partial(mp::partial(add_up, 1), 2), std::vector<std::string>{"x", "yy"}) ==
          std::vector<int>{4, 5});
    CHECK(pool.apply(mp::partial(add_up, 1, 2, "abc")) == 6);
    CHECK(pool.apply_async(mp::partial(&scale, 2), 4).get() == 8);
    CHECK(mp::partial(scale, 4)(2) == 8); // it is a function object here as well
}

TEST_CASE("partial converts what it fixes, and what comes behind, to the parameters' types", "[partial]") {
    mp::Pool pool(1);
    CHECK(pool.map(mp::partial(scale, 3.7), numbers) == std::vector<int>{3, 6, 9});
    CHECK(pool.apply(mp::partial(scale, 3), 4.9) == 12);
    CHECK(pool.apply(mp::partial(lengths, "ab", std::string("cde")), 1) == 6);
    CHECK(pool.apply(mp::partial(lengths), "ab", "c", 1) == 4);
    CHECK(pool.starmap(mp::partial(add_up, 1), {{2, "ab"}, {3.5, "c"}}) == std::vector<int>{5, 5});
    CHECK(pool.map(mp::partial(add_pointee, std::make_unique<int>(5)), numbers) == std::vector<int>{6, 7, 8});
}

TEST_CASE("partial fixes shared handles of targets, initializers and actions", "[partial]") {
    mp::Queue<int> queue;
    mp::Process p(mp::partial(put_sum, queue, std::vector<int>{5}), 6);
    p.start();
    CHECK(queue.get(10s) == 11);
    p.join();
    mp::Pool pool(1, mp::partial(put, queue), 7);
    CHECK(queue.get(10s) == 7);
    pool.map(mp::partial(put, queue), numbers);
    CHECK(queue.qsize() == 3);
    for (int i = 0; i < 3; ++i) queue.get();
    const mp::Barrier barrier{1, mp::partial(put, queue, 99)};
    mp::Process q([](const mp::Barrier& b) { b.wait(); }, barrier);
    q.start();
    CHECK(queue.get(10s) == 99);
    q.join();
}

TEST_CASE("an error of a partial's function arrives as itself", "[partial]") {
    mp::Pool pool(1);
    CHECK_THROWS_AS(pool.map(mp::partial(refuse, 2), numbers), std::out_of_range);
    int (*const none)(int, int) = nullptr;
    CHECK_THROWS_AS(mp::partial(none, 1), std::invalid_argument);
}
