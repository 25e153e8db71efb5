// SPDX-License-Identifier: BSL-1.0
// fail_fast: the first failure in time ends a map.
#include <support/inputs.hpp>

#include <support/tally.hpp>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/pool/current_task.hpp>
#include <multiprocessing/process_pool_executor.hpp>

#include <cstddef>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace process;

namespace {

std::vector<int> numbers(int count) {
    std::vector<int> result(static_cast<std::size_t>(count));
    std::iota(result.begin(), result.end(), 0);
    return result;
}

/// Item 0 runs until it is ended; item 1 fails when that has begun.
struct FailsBeside {
    Tally tally;
    bool dies;
    int operator()(int x) const {
        tally.add(2, 1);
        if (x == 0) {
            tally.add(0, 1);
            for (;;) std::this_thread::sleep_for(1h);
        }
        if (x == 1) {
            tally.wait_for(0, 1);
            if (dies) vanish(9);
            throw std::domain_error("item 1");
        }
        return x;
    }
};

} // namespace

TEST_CASE("the first failure in time is what a map throws, and ends the items that run", "[pool]") {
    mp::Pool pool(2);
    const mp::MapOptions options{.chunksize = 1, .fail_fast = true};
    const Tally tally;
    // In the order of the input it is the second: without fail_fast the map would wait for the first.
    CHECK_THROWS_AS(pool.map(FailsBeside{tally, false}, numbers(1000), options), std::domain_error);
    CHECK(tally.get(2) < 1000);
    const Tally second;
    CHECK_THROWS_AS(pool.map(FailsBeside{second, true}, numbers(1000), options), mp::WorkerLostError);
    CHECK(pool.map(identity, numbers(100), options) == numbers(100));
    CHECK(pool.apply(identity, 7) == 7);
}

TEST_CASE("in try_map and imap what was finished keeps its outcome, and the rest is cancelled", "[pool]") {
    mp::Pool pool(2);
    const mp::MapOptions options{.chunksize = 1, .fail_fast = true};
    const auto kind_of = [](auto get) {
        try {
            get();
        } catch (const mp::CancelledError&) { return 'c'; } catch (const std::domain_error&) {
            return 'f';
        }
        return 'v';
    };
    const Tally tally;
    const auto outcomes = pool.try_map(FailsBeside{tally, false}, numbers(1000), options);
    REQUIRE(outcomes.size() == 1000);
    CHECK(kind_of([&] { outcomes[0].value(); }) == 'c');
    CHECK(kind_of([&] { outcomes[1].value(); }) == 'f');
    CHECK(kind_of([&] { outcomes[999].value(); }) == 'c');

    const Tally second;
    auto results = pool.imap(FailsBeside{second, false}, numbers(1000), options);
    CHECK(kind_of([&] { results.next(); }) == 'c');
    CHECK(kind_of([&] { results.next(); }) == 'f');
    int further = 0;
    for (bool goes_on = true; goes_on; further += goes_on) {
        kind_of([&] {
            goes_on = true;
            goes_on = results.next().has_value();
        });
    }
    CHECK(further < 900); // no more of the input is read
}

TEST_CASE("a failure whose retries are not used up does not end the map", "[pool]") {
    mp::Pool pool(2);
    const auto dies_once = [](int x) {
        if (x == 5 && mp::current_task().attempt() == 1) vanish(9);
        return x;
    };
    CHECK(pool.map(dies_once, numbers(100), {.chunksize = 10, .retries = 1, .fail_fast = true}) ==
          numbers(100));
    const auto dies = [](int x) {
        if (x == 5) vanish(9);
        std::this_thread::sleep_for(1ms);
        return x;
    };
    CHECK_THROWS_AS(pool.map(dies, numbers(5000), {.chunksize = 10, .retries = 1, .fail_fast = true}),
                    mp::WorkerLostError);
}

TEST_CASE("the map of an executor ends with its first failure", "[pool]") {
    mp::futures::ProcessPoolExecutor executor(2);
    const Tally tally;
    auto results = executor.map(FailsBeside{tally, false}, numbers(1000), {.chunksize = 1, .fail_fast = true});
    auto at = results.begin();
    CHECK_THROWS_AS(*at, mp::CancelledError);
    CHECK_THROWS_AS(*++at, std::domain_error);
}
