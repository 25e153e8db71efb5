// SPDX-License-Identifier: BSL-1.0
// Workers are killed at random instants while items are done one by one, by imap, try_map and an executor: each is right
// or lost with its worker, none is run again after it ended, and nothing stays behind.
#include <stress/item_ledger.hpp>
#include <support/catch.hpp>
#include <support/killer.hpp>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/process_pool_executor.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <ranges>
#include <string>
#include <thread>
#include <vector>

namespace mp = multiprocessing;
namespace futures = mp::futures;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t item_count = stress::most_items;
using stress::ItemLedger;
using stress::ServingKiller;

std::string spelled(std::size_t item) { return std::string(item % 300, static_cast<char>('a' + item % 26)); }

struct SquareItem {
    ItemLedger ledger;
    std::uint64_t operator()(std::uint64_t item) const {
        ledger.begin(item);
        support::linger(static_cast<unsigned>(item % 32));
        ledger.end(item);
        return item * item;
    }
};
struct SpellItem {
    ItemLedger ledger;
    std::string operator()(std::size_t item) const {
        ledger.begin(item);
        support::linger(static_cast<unsigned>(item % 32));
        ledger.end(item);
        return spelled(item);
    }
};

/// What has come of the items of one round.
struct Tallies {
    std::size_t wrong = 0;
    std::size_t doubled = 0;
    std::size_t values = 0;
    std::size_t losses = 0;

    /// `get()` throws, or says whether the value is right.
    template <class Get>
    void count(const ItemLedger& ledger, std::size_t item, Get get) {
        try {
            wrong += !get();
            ++values;
            wrong += ledger.ended(item) != 1;
        } catch (const mp::WorkerLostError& error) {
            ++losses;
            wrong += error.task_index() && *error.task_index() != item;
        } catch (const futures::BrokenProcessPool& error) {
            ++losses;
            wrong += error.task_index() && *error.task_index() != item;
        }
    }
    /// After the round. An item that begins twice was killed between its claim and its first deed's note at most: it
    /// never has ended before.
    void check(const ItemLedger& ledger) {
        for (std::size_t i = 0; i < item_count; ++i) doubled += ledger.ended(i) > 1 || ledger.begun(i) > 1;
    }
};

} // namespace

TEST_CASE("workers are killed while items are done: each is right or lost", "[pool]") {
    const int wanted = mp::detail::platform::can_fork ? support::rounds(100) : support::rounds(40);
    ItemLedger ledger;
    ledger.clear();
    Tallies tallies;
    std::uint64_t mark = 0;
    const auto& space = mp::detail::tree().space;
    const auto items = std::views::iota(std::size_t{0}, item_count);
    int rounds = 0;
    {
        mp::Pool pool(4);
        futures::ProcessPoolExecutor executor(4);
        ServingKiller killer{ledger};
        const auto round = [&](auto run) {
            ledger.clear();
            run();
            tallies.check(ledger);
            ++rounds;
        };
        while (killer.kills() < wanted) {
            const mp::MapOptions options{.chunksize =
                                             std::array{0u, 1u, 50u}[static_cast<std::size_t>(rounds) % 3]};
            round([&] {
                auto results = pool.imap(SquareItem{ledger}, items, options);
                for (std::size_t i = 0; i < item_count; ++i)
                    tallies.count(ledger, i, [&] { return results.next() == i * i; });
                tallies.wrong += results.next().has_value();
            });
            round([&] {
                auto results = pool.imap_unordered(SpellItem{ledger}, items, options);
                std::vector<bool> seen(item_count);
                std::size_t losses = 0;
                for (bool goes_on = true; goes_on;) {
                    try {
                        const auto result = results.next();
                        goes_on = result.has_value();
                        tallies.values += goes_on;
                    } catch (const mp::WorkerLostError& error) {
                        ++losses;
                        const std::size_t item = error.task_index().value();
                        tallies.wrong += item >= item_count || seen[item];
                        seen[item] = true;
                    }
                }
                for (std::size_t i = 0; i < item_count; ++i) tallies.wrong += !seen[i] && ledger.ended(i) != 1;
                tallies.losses += losses;
            });
            round([&] {
                const auto outcomes = pool.try_map(SpellItem{ledger}, items, options);
                tallies.wrong += outcomes.size() != item_count;
                for (std::size_t i = 0; i < outcomes.size(); ++i)
                    tallies.count(ledger, i, [&] { return outcomes[i].value() == spelled(i); });
            });
            round([&] {
                auto results = executor.map(SquareItem{ledger}, items, options);
                auto at = results.begin();
                for (std::size_t i = 0; i < item_count; ++i, ++at)
                    tallies.count(ledger, i, [&] { return *at == i * i; });
                tallies.wrong += at != results.end();
            });
            round([&] {
                std::vector<futures::Future<std::string>> all;
                std::atomic<std::size_t> called{0};
                for (std::size_t i = 0; i < item_count; ++i) {
                    all.push_back(executor.submit(SpellItem{ledger}, i));
                    if (i % 16 == 0) all.back().add_done_callback([&](const auto& f) { called += f.done(); });
                }
                for (std::size_t i = 0; i < item_count; ++i)
                    tallies.count(ledger, i, [&] { return all[i].result() == spelled(i); });
                for (int k = 0; k < 6000 && called < item_count / 16; ++k) std::this_thread::sleep_for(10ms);
                tallies.wrong += called != item_count / 16;
            });
            if (mark == 0) mark = space.high_water();
        }
    }
    INFO(rounds << " rounds, " << tallies.values << " values, " << tallies.losses << " losses");
    CHECK(tallies.losses > 0);
    CHECK(tallies.values > tallies.losses);
    CHECK(tallies.wrong == 0);
    CHECK(tallies.doubled == 0);
    CHECK(space.high_water() <= mark + 512); // what the dead had is used again
    CHECK(mp::active_children().empty());
}
