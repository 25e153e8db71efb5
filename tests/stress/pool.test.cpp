// SPDX-License-Identifier: BSL-1.0
// Whole workers are killed at random instants while maps and tasks run: nothing hangs, nothing is wrong, doubled or half
// written, and nothing stays behind.
#include <support/catch.hpp>
#include <support/killer.hpp>

#include <multiprocessing/detail/launch/reaper.hpp>
#include <multiprocessing/detail/shared_object/handle_base.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/shared_vector.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <ranges>
#include <string>
#include <thread>
#include <vector>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t most_items = 4096;

struct LedgerBody {
    std::array<std::atomic<std::uint32_t>, most_items> begun;
    std::array<std::atomic<int>, 61>
        serving; // pids of processes that have run an item; those of Windows are even
};

/// A shared handle: who has begun which item, how often.
class Ledger : public mp::detail::HandleBase<Ledger, LedgerBody> {
public:
    static constexpr char kind[] = "Ledger";
    Ledger() = default;

    void begin(std::size_t item) const {
        const int pid = mp::detail::platform::current_pid();
        place(pid).store(pid, std::memory_order_relaxed);
        body().begun[item].fetch_add(1, std::memory_order_relaxed);
    }
    std::uint32_t begun(std::size_t item) const { return body().begun[item].load(); }
    bool serves(int pid) const { return place(pid).load() == pid; }
    void clear() const {
        for (auto& count : body().begun) count.store(0);
    }

private:
    friend HandleBase;
    explicit Ledger(multiprocessing::detail::Received received) : HandleBase(std::move(received)) {}

    std::atomic<int>& place(int pid) const {
        auto& serving = body().serving;
        return serving[static_cast<std::size_t>(pid) % serving.size()];
    }
};

/// Kills workers that have done something, one after the other, at random instants. A worker that is killed before it
/// can serve would sooner or later break the pool, as it should.
class Killer {
public:
    explicit Killer(Ledger ledger)
        : ledger_(std::move(ledger)), thread_([this](const std::stop_token& stop) {
              support::Random random{21};
              while (!stop.stop_requested()) {
                  std::this_thread::sleep_for(std::chrono::microseconds{random.below(4000)});
                  const auto children = mp::detail::running_children();
                  if (children.empty()) continue;
                  mp::detail::ChildProcess& victim = *children[random.below(children.size())];
                  if (!may_kill_ || !ledger_.serves(victim.pid()) || victim.look()) continue;
                  victim.kill(); // by a handle that is its own: a pid alone may be another's by now
                  ++kills_;
              }
          }) {}

    int kills() const { return kills_; }
    /// Only while this is so.
    void may_kill(bool may) { may_kill_ = may; }

private:
    Ledger ledger_;
    std::atomic<int> kills_{0};
    std::atomic<bool> may_kill_{false};
    std::jthread thread_;
};

struct Square {
    Ledger ledger;
    std::uint64_t operator()(std::uint64_t item) const {
        ledger.begin(item);
        support::linger(static_cast<unsigned>(item % 16));
        return item * item;
    }
};

std::string spell(std::size_t item) {
    return std::string(50 + item % 3000, static_cast<char>('a' + item % 26));
}

struct Spell {
    Ledger ledger;
    std::string operator()(const std::string& text) const {
        const std::size_t item = std::stoul(text);
        ledger.begin(item);
        return spell(item);
    }
};

struct SpellShared {
    Ledger ledger;
    mp::shared_vector<char> operator()(std::size_t item) const {
        ledger.begin(item);
        const std::string text = spell(item * 50);
        return mp::shared_vector<char>(text.begin(), text.end());
    }
};

} // namespace

TEST_CASE("workers are killed at random while they work: nothing hangs, doubles, tears or stays", "[pool]") {
    constexpr std::size_t workers = 3;
    const int wanted =
        mp::detail::platform::can_fork ? support::rounds(500) : support::rounds(50); // starts are slow
    support::Random random{22};
    Ledger ledger;
    ledger.clear();
    mp::Pool pool(workers);
    std::uint64_t wrong = 0, doubled = 0, missing = 0;
    int maps = 0, failed = 0;
    std::uint64_t mark = 0;
    const auto& space = mp::detail::tree().space;
    {
        Killer killer{ledger};
        const auto round = [&](std::size_t count, auto run) {
            ledger.clear();
            const int before = killer.kills();
            bool whole = false;
            killer.may_kill(true);
            std::optional<std::size_t> lost;
            try {
                run();
                whole = true;
            } catch (const mp::WorkerLostError& error) { lost = error.task_index(); }
            killer.may_kill(false);
            std::size_t not_begun = 0;
            for (std::size_t i = 0; i < count; ++i) {
                doubled += ledger.begun(i) > 1;
                not_begun += ledger.begun(i) == 0;
            }
            // A worker notes quick items 64 at a time: so many may be lost with each. One more may be dying by now.
            const auto deaths = static_cast<std::size_t>(killer.kills() - before) + 1;
            missing += whole ? not_begun : not_begun > 64 * deaths;
            if (lost) missing += *lost >= count;
            ++maps;
            failed += !whole;
        };
        while (killer.kills() < wanted) {
            const std::size_t count = 1 + random.below(random.below(4) ? most_items : 300);
            const mp::MapOptions options{.chunksize = std::array{0u, 1u, 7u, 100u}[random.below(4)]};
            round(count, [&] {
                const auto squares =
                    pool.map(Square{ledger}, std::views::iota(std::uint64_t{0}, count), options);
                for (std::size_t i = 0; i < count; ++i) wrong += squares[i] != i * i;
            });
            std::vector<std::string> texts;
            for (std::size_t i = 0; i < count / 4; ++i) texts.push_back(std::to_string(i));
            round(texts.size(), [&] {
                const auto spelled = pool.map(Spell{ledger}, texts, options);
                for (std::size_t i = 0; i < texts.size(); ++i) wrong += spelled[i] != spell(i);
            });
            ledger.clear();
            killer.may_kill(true);
            std::vector<mp::AsyncResult<std::string>> tasks;
            for (std::size_t i = 0; i < 20; ++i)
                tasks.push_back(pool.apply_async(Spell{ledger}, std::to_string(i)));
            for (std::size_t i = 0; i < tasks.size(); ++i) {
                try {
                    wrong += tasks[i].get() != spell(i);
                } catch (const mp::WorkerLostError&) { ++failed; }
                doubled += ledger.begun(i) > 1;
            }
            ledger.clear();
            std::vector<mp::AsyncResult<mp::shared_vector<char>>> shared;
            for (std::size_t i = 0; i < 20; ++i) shared.push_back(pool.apply_async(SpellShared{ledger}, i));
            for (std::size_t i = 0; i < shared.size(); ++i) {
                try {
                    wrong += !std::ranges::equal(std::move(shared[i]).get(), spell(i * 50));
                } catch (const mp::WorkerLostError&) { ++failed; }
                doubled += ledger.begun(i) > 1;
            }
            killer.may_kill(false);
            if (mark == 0 && killer.kills() > wanted / 3) mark = space.high_water();
        }
    }
    INFO(maps << " maps, " << failed << " maps and tasks lost a worker");
    CHECK(failed > 0);
    CHECK(failed < maps * 10); // both sides were seen
    CHECK(wrong == 0);
    CHECK(doubled == 0);
    CHECK(missing == 0);
    CHECK(space.high_water() <= mark + 128); // what the dead had is used again
    // The pool is as good as new.
    CHECK(pool.map([](int x) { return x + 1; }, {1, 2, 3}) == std::vector{2, 3, 4});
    pool.close();
    pool.join();
    CHECK(mp::active_children().empty());
}
