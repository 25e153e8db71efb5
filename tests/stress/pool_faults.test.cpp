// SPDX-License-Identifier: BSL-1.0
// Kills, limits of time and memory, retries, cancels, priorities and fail_fast at random over a pool, its imaps, single
// tasks and an executor: each task is right or failed with the error that fits, none is lost, doubled or run after its
// end, and nothing stays behind. (MP_STRESS=1000 makes some 200,000 tasks of it, of which 10,000 end their workers.)
#include <stress/item_ledger.hpp>
#include <support/catch.hpp>
#include <support/counted_memory.hpp>
#include <support/killer.hpp>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/process_pool_executor.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <exception>
#include <ranges>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace mp = multiprocessing;
namespace futures = mp::futures;
namespace platform = mp::detail::platform;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t item_count = platform::can_fork ? 4'000 : 1'600;

using stress::ItemLedger;
using stress::ServingKiller;

constexpr auto limit = 5ms;
constexpr std::size_t retries = 2;

/// Takes memory until its worker is ended for it, but not so much that the machine would suffer.
void take_memory() {
    constexpr std::size_t piece = std::size_t{4} << 20;
    std::vector<std::string> taken;
    for (int i = 0; i < 128; ++i) {
        taken.emplace_back(piece, 'x');
        std::this_thread::sleep_for(1ms);
    }
    while (true) std::this_thread::sleep_for(1s);
}

/// Most items take up to 30 us; a few end around the limit, or hang (or take memory), or end their worker, or throw.
template <class R>
struct Peril {
    ItemLedger ledger;
    bool takes_memory = false;
    R operator()(std::size_t item) const {
        ledger.begin(item);
        switch (item % 251) {
        case 17:
            if (takes_memory && item % 2 == 0) break; // fewer of these, which take longer
            if (takes_memory) take_memory();
            while (true) std::this_thread::sleep_for(1s);
        case 23: platform::exit_now(3);
        case 31: throw std::domain_error("item");
        case 43:
        case 47: {
            const auto until =
                std::chrono::steady_clock::now() + limit - 200us + std::chrono::microseconds(item % 400);
            while (std::chrono::steady_clock::now() < until) {}
            break;
        }
        default: support::linger(static_cast<unsigned>(item % 30));
        }
        ledger.end(item);
        if constexpr (std::is_same_v<R, std::string>) {
            return std::string(item % 300, 'x');
        } else {
            return R{item} * item;
        }
    }
};

bool is_right(std::size_t item, std::uint64_t value) { return value == item * item; }
bool is_right(std::size_t item, const std::string& value) { return value.size() == item % 300; }

struct FaultTallies {
    std::size_t wrong = 0;
    std::size_t values = 0;
    std::size_t faults = 0;
    std::size_t beyond_memory = 0;
    std::size_t cancelled = 0;

    /// `get()` throws, or says whether the value is right. Of a single task there is no index.
    template <class Get>
    void count(const ItemLedger& ledger, std::size_t item, bool may_be_cancelled, Get get) {
        const unsigned begun = ledger.begun(item);
        const auto fault = [&](const mp::WorkerFault& error) {
            ++faults;
            wrong += error.task_index() && *error.task_index() != item;
            wrong += error.attempts() != static_cast<int>(retries) + 1 || error.attempt() != error.attempts();
            wrong += ledger.begun(item) > retries + 1;
        };
        try {
            wrong += !get();
            ++values;
            wrong += ledger.ended(item) == 0;
        } catch (const mp::TimeLimitExceeded& error) {
            fault(error);
        } catch (const mp::MemoryLimitExceeded& error) {
            ++beyond_memory;
            fault(error);
        } catch (const mp::WorkerLostError& error) {
            fault(error);
        } catch (const futures::BrokenProcessPool& error) { fault(error); } catch (const std::domain_error&) {
            wrong += item % 251 != 31;
        } catch (const mp::CancelledError&) {
            ++cancelled;
            wrong += !may_be_cancelled;
        }
        wrong += begun > retries + 1;
    }
    /// After a round without fail_fast: an item ends once; it begins again only if its worker was lost.
    void check(const ItemLedger& ledger) {
        for (std::size_t i = 0; i < item_count; ++i)
            wrong += ledger.begun(i) > retries + 1 || ledger.ended(i) > retries + 1;
    }
};

} // namespace

TEST_CASE("kills, limits, retries, cancels and first failures at random: each task is right or has the error "
          "that fits",
          "[pool]") {
    const int wanted = platform::can_fork ? support::rounds(120) : support::rounds(30);
    ItemLedger ledger;
    ledger.clear();
    FaultTallies tallies;
    support::Random random{5};
    std::uint64_t mark = 0;
    const auto& space = mp::detail::tree().space;
    const auto items = std::views::iota(std::size_t{0}, item_count);
    const auto few = std::views::iota(std::size_t{0}, item_count / 8);
    const bool has_memory_limits = support::counts_memory();
    int rounds = 0;
    {
        mp::Pool pool(4);
        futures::ProcessPoolExecutor executor({.max_workers = 4, .timeout = limit, .retries = retries});
        ServingKiller killer{ledger};
        const auto round = [&](auto run) {
            ledger.clear();
            run();
            tallies.check(ledger);
            ++rounds;
        };
        while (killer.kills() < wanted) {
            const mp::MapOptions options{.chunksize =
                                             std::array{0u, 1u, 50u}[static_cast<std::size_t>(rounds) % 3],
                                         .timeout = limit,
                                         .retries = retries};
            round([&] {
                const auto outcomes = pool.try_map(Peril<std::string>{ledger}, items, options);
                for (std::size_t i = 0; i < outcomes.size(); ++i)
                    tallies.count(ledger, i, false, [&] { return is_right(i, outcomes[i].value()); });
            });
            round([&] {
                auto results = pool.imap(Peril<std::uint64_t>{ledger}, items, options);
                for (std::size_t i = 0; i < item_count; ++i)
                    tallies.count(ledger, i, false, [&] { return is_right(i, results.next().value()); });
                tallies.wrong += results.next().has_value();
            });
            round([&] {
                mp::MapOptions first = options;
                first.fail_fast = true;
                const auto outcomes = pool.try_map(Peril<std::uint64_t>{ledger}, items, first);
                for (std::size_t i = 0; i < outcomes.size(); ++i)
                    tallies.count(ledger, i, true, [&] { return is_right(i, outcomes[i].value()); });
            });
            round([&] { // killed as a whole: nothing of it runs afterwards
                auto map = pool.map_async(Peril<std::uint64_t>{ledger}, items, options);
                std::this_thread::sleep_for(std::chrono::microseconds{random.below(20'000)});
                const bool was_killed = map.kill();
                try {
                    map.get();
                    tallies.wrong += was_killed;
                } catch (const mp::CancelledError&) {
                } catch (const std::exception&) { tallies.wrong += was_killed; }
                std::uint64_t begun = 0;
                for (std::size_t i = 0; i < item_count; ++i) begun += ledger.begun(i);
                std::this_thread::sleep_for(5ms);
                for (std::size_t i = 0; i < item_count; ++i) begun -= ledger.begun(i);
                tallies.wrong += begun != 0;
            });
            round([&] {
                std::vector<futures::Future<std::uint64_t>> all;
                for (std::size_t i = 0; i < item_count; ++i)
                    all.push_back(executor.submit(Peril<std::uint64_t>{ledger}, i));
                for (std::size_t i = 0; i < item_count; i += 97) i % 2 == 0 ? all[i].cancel() : all[i].kill();
                for (std::size_t i = 0; i < item_count; ++i)
                    tallies.count(ledger, i, i % 97 == 0, [&] { return is_right(i, all[i].result()); });
            });
            round([&] { // in whatever order they come, each is there once
                auto results = pool.imap_unordered(Peril<std::uint64_t>{ledger}, items, options);
                std::vector<int> told(item_count);
                std::size_t thrown = 0;
                for (std::size_t i = 0; i < item_count; ++i) {
                    try {
                        const auto square = static_cast<double>(results.next().value());
                        ++told.at(static_cast<std::size_t>(std::lround(std::sqrt(square))));
                        ++tallies.values;
                    } catch (const std::domain_error&) { ++thrown; } catch (const mp::WorkerFault& error) {
                        ++told.at(error.task_index().value());
                        ++tallies.faults;
                    }
                }
                tallies.wrong += results.next().has_value();
                for (std::size_t i = 0; i < item_count; ++i) {
                    tallies.wrong += told[i] > 1 || (told[i] == 0 && i % 251 != 31);
                    thrown -= told[i] == 0;
                }
                tallies.wrong += thrown != 0;
            });
            round([&] { // single tasks, some urgent, some taken back, some ended
                std::vector<mp::AsyncResult<std::uint64_t>> all;
                for (std::size_t i = 0; i < item_count; ++i) {
                    const auto priority = i % 5 == 0 ? mp::Priority::high : mp::Priority::normal;
                    all.push_back(pool.apply_async(
                        mp::TaskOptions{.timeout = limit, .retries = retries, .priority = priority},
                        Peril<std::uint64_t>{ledger}, i));
                    if (random.below(50) == 0) all[random.below(all.size())].kill();
                    if (random.below(50) == 0) all[random.below(all.size())].cancel();
                }
                for (std::size_t i = 0; i < item_count; ++i)
                    tallies.count(ledger, i, true, [&] { return is_right(i, all[i].get()); });
            });
            round([&] { // taken back before it began: nothing of it ever runs
                auto before = pool.map_async(
                    [](std::size_t item) { support::linger(static_cast<unsigned>(item % 30)); }, items);
                auto map = pool.map_async(Peril<std::uint64_t>{ledger}, items, options);
                const bool was_cancelled = map.cancel();
                try {
                    map.get();
                    tallies.wrong += was_cancelled;
                } catch (const mp::CancelledError&) {
                    tallies.wrong += !was_cancelled;
                } catch (const std::exception&) { tallies.wrong += was_cancelled; }
                before.wait();
                for (std::size_t i = 0; i < item_count; ++i)
                    tallies.wrong += was_cancelled && ledger.begun(i) != 0;
            });
            round([&] { // until the first failure, after which there is no result
                std::size_t next = 0;
                try {
                    for (const std::uint64_t value :
                         executor.map(Peril<std::uint64_t>{ledger}, items, {.chunksize = options.chunksize}))
                        tallies.wrong += !is_right(next++, value);
                } catch (const mp::WorkerFault&) { ++tallies.faults; } catch (const std::domain_error&) {
                    tallies.wrong += next % 251 != 31;
                }
                tallies.wrong += next == item_count;
            });
            if (has_memory_limits) {
                killer.rest(tallies.beyond_memory == 0); // none may live as long as it takes
                round([&] {
                    const mp::MapOptions limited{.retries = retries, .memory_limit = std::size_t{64} << 20};
                    const auto outcomes = pool.try_map(
                        Peril<std::uint64_t>{.ledger = ledger, .takes_memory = true}, few, limited);
                    for (std::size_t i = 0; i < outcomes.size(); ++i)
                        tallies.count(ledger, i, false, [&] { return is_right(i, outcomes[i].value()); });
                });
                killer.rest(false);
            }
            if (mark == 0) mark = space.high_water();
        }
    }
    INFO(rounds << " rounds, " << tallies.values << " values, " << tallies.faults << " faults, "
                << tallies.beyond_memory << " of memory, " << tallies.cancelled << " cancelled");
    CHECK(tallies.faults > 0);
    CHECK((tallies.beyond_memory > 0 || !has_memory_limits));
    CHECK(tallies.values > tallies.faults);
    CHECK(tallies.wrong == 0);
    CHECK(space.high_water() <= mark + 512); // what the dead had is used again
    CHECK(mp::active_children().empty());
}
