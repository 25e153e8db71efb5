// SPDX-License-Identifier: BSL-1.0
// Kills, time limits, retries, cancels and fail_fast at random over a pool, its imap and an executor: each task is right
// or failed with the error that fits, none is lost, doubled or run after its end, and nothing stays behind.
#include <stress/item_ledger.hpp>
#include <support/catch.hpp>
#include <support/killer.hpp>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/process_pool_executor.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <ranges>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace mp = multiprocessing;
namespace futures = mp::futures;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t item_count = 4'000;

using stress::ItemLedger;
using stress::ServingKiller;

constexpr auto limit = 5ms;
constexpr std::size_t retries = 2;

/// Most items take up to 30 us; a few end around the limit, or hang, or end their worker, or throw.
template <class R>
struct Peril {
    ItemLedger ledger;
    R operator()(std::size_t item) const {
        ledger.begin(item);
        switch (item % 251) {
        case 17:
            while (true) std::this_thread::sleep_for(1s);
        case 23: mp::detail::platform::exit_now(3);
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
    const int wanted = mp::detail::platform::can_fork ? support::rounds(120) : support::rounds(30);
    ItemLedger ledger;
    ledger.clear();
    FaultTallies tallies;
    support::Random random{5};
    std::uint64_t mark = 0;
    const auto& space = mp::detail::tree().space;
    const auto items = std::views::iota(std::size_t{0}, item_count);
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
                for (std::size_t i = 0; i < item_count; i += 97) all[i].cancel();
                for (std::size_t i = 0; i < item_count; ++i)
                    tallies.count(ledger, i, i % 97 == 0, [&] { return is_right(i, all[i].result()); });
            });
            if (mark == 0) mark = space.high_water();
        }
    }
    INFO(rounds << " rounds, " << tallies.values << " values, " << tallies.faults << " faults, "
                << tallies.cancelled << " cancelled");
    CHECK(tallies.faults > 0);
    CHECK(tallies.values > tallies.faults);
    CHECK(tallies.wrong == 0);
    CHECK(space.high_water() <= mark + 512); // what the dead had is used again
    CHECK(mp::active_children().empty());
}
