// SPDX-License-Identifier: BSL-1.0
// try_map: what came of each item, whatever came of the others.
#include <support/inputs.hpp>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/shared_vector.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace process;

namespace {

struct Divides {
    int operator()(int x) const {
        if (x == 0) throw std::domain_error("division by zero");
        return 100 / x;
    }
};

/// Counts how often each item begins; one kills its worker, and one throws.
template <class R>
struct Perils {
    int killer;
    int thrower;
    mp::Array<int> begun;
    R operator()(int x) {
        begun[static_cast<std::size_t>(x)] += 1;
        if (x == killer) vanish(9);
        if (x == thrower) throw std::out_of_range("item " + std::to_string(x));
        if constexpr (std::is_same_v<R, std::string>) return std::to_string(x);
        if constexpr (std::is_arithmetic_v<R>) return R{3} * x;
    }
};

/// How many outcomes of Perils are not as they should be.
template <class R>
std::string wrong_outcomes(const std::vector<mp::Outcome<R>>& outcomes, const Perils<R>& perils) {
    std::string wrong;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        const int item = static_cast<int>(i);
        const mp::Outcome<R>& outcome = outcomes[i];
        bool is_right = false;
        try {
            outcome.value();
            is_right = item != perils.killer && item != perils.thrower;
            if constexpr (std::is_same_v<R, std::string>)
                is_right = is_right && *outcome == std::to_string(item);
            if constexpr (std::is_arithmetic_v<R>) is_right = is_right && *outcome == R{3} * item;
        } catch (const mp::WorkerLostError& error) {
            is_right = item == perils.killer && error.task_index() == i && error.exitcode() == 9;
        } catch (const std::out_of_range&) { is_right = item == perils.thrower; }
        if (!is_right && wrong.size() < 200) wrong += std::to_string(item) + " ";
    }
    return wrong;
}

bool each_begun_once(const mp::Array<int>& begun) {
    return std::ranges::all_of(begun.copy(), [](int count) { return count == 1; });
}

} // namespace

TEST_CASE("try_map gives a value or an error for each item", "[pool]") {
    mp::Pool pool(2);
    for (const std::size_t chunksize : {0u, 1u, 3u, 100u}) {
        const auto outcomes = pool.try_map(Divides{}, {5, 0, 20, 0, 50}, {.chunksize = chunksize});
        STATIC_REQUIRE(std::is_same_v<decltype(outcomes), const std::vector<mp::Outcome<int>>>);
        REQUIRE(outcomes.size() == 5);
        CHECK(outcomes[0].value() == 20);
        CHECK(*outcomes[2] == 5);
        CHECK(outcomes[4]);
        CHECK_FALSE(outcomes[4].error());
        for (const std::size_t i : {1u, 3u}) {
            CHECK_FALSE(outcomes[i]);
            CHECK_FALSE(outcomes[i].has_value());
            CHECK_THROWS_WITH(outcomes[i].value(), "division by zero");
            CHECK(outcomes[i].value_or(-1) == -1);
            look_at<std::domain_error>([&] { std::rethrow_exception(outcomes[i].error()); },
                                       [&](const std::domain_error& error) {
                                           REQUIRE(mp::remote_cause(error));
                                           CHECK(mp::remote_cause(error)->task_index == i);
                                       });
        }
    }
    CHECK(pool.try_map(Divides{}, std::vector<int>{}).empty());
    CHECK(pool.try_map(Divides{}, std::views::iota(1, 2)).size() == 1);
}

TEST_CASE("try_map of a void function says which items failed", "[pool]") {
    mp::Pool pool(2);
    const auto check = [](int x) {
        if (x % 3 == 0) throw std::invalid_argument("no multiple of three");
    };
    const auto outcomes = pool.try_map(check, std::views::iota(0, 10));
    STATIC_REQUIRE(std::is_same_v<decltype(outcomes), const std::vector<mp::Outcome<void>>>);
    REQUIRE(outcomes.size() == 10);
    for (std::size_t i = 0; i < 10; ++i) {
        if (i % 3 == 0) {
            CHECK_THROWS_AS(outcomes[i].value(), std::invalid_argument);
            CHECK(outcomes[i].error());
        } else {
            CHECK(outcomes[i]);
            CHECK_NOTHROW(outcomes[i].value());
        }
    }
    CHECK(mp::Outcome<void>{});
}

TEST_CASE("try_map gives values that can only be moved", "[pool]") {
    mp::Pool pool(2);
    auto outcomes = pool.try_map(
        [](int x) {
            if (x == 2) throw std::domain_error("two");
            return std::make_unique<int>(x);
        },
        std::views::iota(0, 4));
    CHECK(**outcomes[1] == 1);
    const std::unique_ptr<int> taken = std::move(outcomes[1]).value();
    CHECK(*taken == 1);
    CHECK_FALSE(*outcomes[1]);
    CHECK_THROWS_AS(std::move(outcomes[2]).value(), std::domain_error);
    CHECK(*std::move(outcomes[3]).value_or(nullptr) == 3);
    CHECK(std::move(outcomes[2]).value_or(nullptr) == nullptr);
    CHECK(outcomes[0]->get() != nullptr);
}

TEST_CASE("try_map gives strings, large results and shared vectors", "[pool]") {
    mp::Pool pool(2);
    const auto words = pool.try_map([](int x) { return std::string(static_cast<std::size_t>(x), 'x'); },
                                    std::views::iota(0, 6000));
    for (std::size_t i = 0; i < 6000; i += 100) CHECK(words[i]->size() == i);
    const auto large = pool.try_map([](int x) { return std::vector<double>(300'000, x); }, {1, 2, 3});
    for (std::size_t i = 0; i < 3; ++i) CHECK(large[i]->at(299'999) == static_cast<double>(i + 1));
    auto shared = pool.try_map([](int x) { return mp::shared_vector<int>(100, x); }, {1, 2, 3});
    for (std::size_t i = 0; i < 3; ++i) CHECK((*shared[i])[99] == static_cast<int>(i + 1));
}

TEST_CASE("one of 200,000 items kills its worker, and harms no other", "[pool]") {
    constexpr int count = 200'000;
    mp::Pool pool(2);
    const Perils<std::int64_t> perils{123'457, 4242, mp::Array<int>(count)};
    const auto outcomes = pool.try_map(perils, std::views::iota(0, count));
    REQUIRE(outcomes.size() == count);
    CHECK(wrong_outcomes(outcomes, perils) == "");
    CHECK(each_begun_once(perils.begun));
}

TEST_CASE("one of many items without a plain result kills its worker", "[pool]") {
    constexpr int count = 20'000;
    mp::Pool pool(2);
    const Perils<std::string> strings{12'345, 42, mp::Array<int>(count)};
    CHECK(wrong_outcomes(pool.try_map(strings, std::views::iota(0, count)), strings) == "");
    CHECK(each_begun_once(strings.begun));
    const Perils<void> nothing{0, count - 1, mp::Array<int>(count)};
    CHECK(wrong_outcomes(pool.try_map(nothing, std::views::iota(0, count)), nothing) == "");
    CHECK(each_begun_once(nothing.begun));
}

TEST_CASE("the first and the last item of a chunk may end their workers", "[pool]") {
    mp::Pool pool(2);
    for (const int killer : {0, 9, 10, 19}) {
        INFO("item " << killer);
        const Perils<int> perils{killer, 5, mp::Array<int>(20)};
        CHECK(wrong_outcomes(pool.try_map(perils, std::views::iota(0, 20), {.chunksize = 10}), perils) == "");
        CHECK(each_begun_once(perils.begun));
    }
    const auto all_lost =
        pool.try_map([](int) { return vanish(1), 0; }, std::views::iota(0, 20), {.chunksize = 20});
    for (const auto& outcome : all_lost) CHECK_THROWS_AS(outcome.value(), mp::WorkerLostError);
    CHECK(pool.apply(identity, 3) == 3);
}

TEST_CASE("try_map of a terminated pool says so for each item", "[pool]") {
    mp::Pool pool(2);
    const FirstWaits waits{};
    std::jthread terminates([&] {
        waits.tally.wait_for(1, 5);
        pool.terminate();
    });
    const auto outcomes = pool.try_map(waits, std::views::iota(0, 6), {.chunksize = 1});
    REQUIRE(outcomes.size() == 6);
    CHECK_THROWS_AS(outcomes[0].value(), mp::CancelledError);
    terminates.join();
    CHECK_THROWS_AS(pool.try_map(identity, {1}), std::invalid_argument);
}

TEST_CASE("try_map reports its progress, counts retired workers and nests", "[pool]") {
    mp::Pool pool({.processes = 2, .maxtasksperchild = 7});
    mp::ProgressReport last{};
    const auto outcomes = pool.try_map(identity, std::views::iota(0, 50),
                                       {.progress = [&](const mp::ProgressReport& report) { last = report; }});
    CHECK(last.done == 50);
    CHECK(last.total == 50);
    for (std::size_t i = 0; i < 50; ++i) CHECK(outcomes[i].value() == static_cast<int>(i));
    const auto inner = pool.try_map(
        [](int n) {
            mp::Pool own(1);
            return static_cast<int>(own.try_map(Divides{}, std::views::iota(0, n)).size());
        },
        {3, 4});
    CHECK(inner[1].value() == 4);
}
