// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/process_pool_executor.hpp>
#include <multiprocessing/progress.hpp>
#include <multiprocessing/synchronize.hpp>
#include <multiprocessing/thread_pool.hpp>

#include <cstddef>
#include <cstdlib>
#include <numeric>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace process;
namespace futures = mp::futures;
using mp::ProgressReport;

namespace {

std::vector<int> first(int count) {
    std::vector<int> items(static_cast<std::size_t>(count));
    std::iota(items.begin(), items.end(), 0);
    return items;
}

int fails_each_third(int x) {
    if (x % 3 == 0) throw std::runtime_error("a third");
    return x;
}

std::string ends_each_fifth(int x) {
    if (x % 5 == 0) std::_Exit(3);
    return std::to_string(x);
}

/// Says that it is half done, and goes on when it was seen.
struct HalfDone {
    mp::Event seen;
    int operator()(int x) const {
        mp::current_task().progress(0.5);
        seen.wait(60s);
        return x;
    }
};

/// Notes what is reported, and sets the event when something is half done.
struct Notes {
    std::vector<ProgressReport>& reports;
    mp::Event seen = {};
    void operator()(const ProgressReport& report) const {
        reports.push_back(report);
        if (report.under_way > 0.4) seen.set();
    }
};

double most_under_way(const std::vector<ProgressReport>& reports) {
    double most = 0;
    for (const ProgressReport& report : reports) most = report.under_way > most ? report.under_way : most;
    return most;
}

} // namespace

TEST_CASE("the progress of a map says how many items have failed", "[pool]") {
    mp::Pool pool(2);
    std::vector<ProgressReport> reports;
    CHECK_THROWS_AS(pool.map(fails_each_third, first(30), {.progress = Notes{reports}}), std::runtime_error);
    REQUIRE_FALSE(reports.empty());
    CHECK(reports.back().done == 30);
    CHECK(reports.back().total == 30);
    CHECK(reports.back().failed == 10);

    reports.clear();
    CHECK(pool.try_map(fails_each_third, first(30), {.progress = Notes{reports}}).size() == 30);
    CHECK(reports.back().done == 30);
    CHECK(reports.back().failed == 10);

    reports.clear();
    std::size_t errors = 0;
    auto results = pool.imap(fails_each_third, first(30), {.progress = Notes{reports}});
    for (;;) {
        try {
            if (!results.next()) break;
        } catch (const std::runtime_error&) { ++errors; }
    }
    CHECK(errors == 10);
    CHECK(reports.back().done == 30);
    CHECK(reports.back().failed == 10);
}

TEST_CASE("items that die with their worker count as failed", "[pool]") {
    mp::Pool pool(2);
    std::vector<ProgressReport> reports;
    std::size_t lost = 0;
    for (const auto& outcome : pool.try_map(ends_each_fifth, first(10), {.progress = Notes{reports}}))
        lost += !outcome;
    CHECK(lost == 2);
    CHECK(reports.back().done == 10);
    CHECK(reports.back().failed == 2);
}

TEST_CASE("a task says how far it is, and the progress shows it", "[pool]") {
    mp::Pool pool(2);
    std::vector<ProgressReport> reports;
    const Notes notes{reports};
    const HalfDone half{notes.seen};
    SECTION("of a map") { CHECK(pool.map(half, first(4), {.progress = notes}) == first(4)); }
    SECTION("of a map item by item") { CHECK(pool.try_map(half, first(4), {.progress = notes}).size() == 4); }
    SECTION("of an imap") {
        std::vector<int> results;
        for (const int x : pool.imap(half, first(4), {.progress = notes})) results.push_back(x);
        CHECK(results == first(4));
    }
    SECTION("of an executor's map") {
        futures::ProcessPoolExecutor executor(futures::ExecutorOptions{.max_workers = 2});
        std::vector<int> results;
        for (const int x : executor.map(half, first(4), {.progress = notes})) results.push_back(x);
        CHECK(results == first(4));
    }
    CHECK(most_under_way(reports) >= 0.49);
    CHECK(most_under_way(reports) <= 1.01); // two workers, half done each
    CHECK(reports.back().done == 4);
    CHECK(reports.back().under_way == 0);
}

TEST_CASE("what an item has said of itself does not count for its namesake in the next map", "[pool]") {
    mp::Pool pool(1);
    pool.map(
        [](int x) {
            mp::current_task().progress(0.9);
            return x;
        },
        {7});
    mp::Event seen;
    double most = 0;
    const auto waits = [](const mp::Event& event) { return event.wait(60s); };
    CHECK(pool.map(waits, std::vector{seen}, {.progress = [&](const ProgressReport& report) {
                       most = report.under_way > most ? report.under_way : most;
                       if (report.elapsed > 300ms) seen.set(); // it has begun, most probably
                   }}) == std::vector{true});
    CHECK(most == 0);
}

TEST_CASE("the progress of an input without a size has no total", "[pool]") {
    mp::Pool pool(2);
    std::vector<ProgressReport> reports;
    auto even = first(20) | std::views::filter([](int x) { return x % 2 == 0; });
    std::size_t count = 0;
    for ([[maybe_unused]] const int x : pool.imap([](int x) { return x; }, even, {.progress = Notes{reports}}))
        ++count;
    CHECK(count == 10);
    CHECK(reports.back().done == 10);
    CHECK(reports.back().total == 0);
}

TEST_CASE("futures are counted as they complete", "[pool]") {
    futures::ProcessPoolExecutor executor(futures::ExecutorOptions{.max_workers = 2});
    std::vector<futures::Future<int>> submitted;
    for (const int x : first(9)) submitted.push_back(executor.submit(fails_each_third, x));
    std::vector<ProgressReport> reports;
    std::size_t count = 0;
    for ([[maybe_unused]] auto& future : futures::as_completed(submitted, mp::no_timeout, Notes{reports}))
        ++count;
    CHECK(count == 9);
    CHECK(reports.back().done == 9);
    CHECK(reports.back().total == 9);
    CHECK(reports.back().failed == 3);
}

TEST_CASE("a map of threads counts its failures, too", "[pool]") {
    mp::pool::ThreadPool pool(2);
    std::vector<ProgressReport> reports;
    CHECK(pool.try_map(fails_each_third, first(30), {.progress = Notes{reports}}).size() == 30);
    CHECK(reports.back().done == 30);
    CHECK(reports.back().failed == 10);
}
