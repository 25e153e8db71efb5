#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file item_ledger.hpp  Who has begun and ended which item, told by the items themselves, and a killer of those who do.

#include <support/killer.hpp>

#include <multiprocessing/detail/launch/reaper.hpp>
#include <multiprocessing/detail/shared_object/handle_base.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <thread>
#include <utility>

namespace stress {

namespace mp = multiprocessing;

constexpr std::size_t most_items = 20'000;

struct ItemLedgerBody {
    std::array<std::atomic<std::uint16_t>, most_items> begun;
    std::array<std::atomic<std::uint16_t>, most_items> ended;
    std::array<std::atomic<int>, 61> serving; // pids of processes that have run an item
};

/// A shared handle: which item has begun and ended, how often, and which processes serve.
class ItemLedger : public mp::detail::HandleBase<ItemLedger, ItemLedgerBody> {
public:
    static constexpr char kind[] = "ItemLedger";
    ItemLedger() = default;

    void begin(std::size_t item) const {
        const int pid = mp::detail::platform::current_pid();
        place(pid).store(pid, std::memory_order_relaxed);
        body().begun[item].fetch_add(1, std::memory_order_relaxed);
    }
    void end(std::size_t item) const { body().ended[item].fetch_add(1, std::memory_order_relaxed); }
    unsigned begun(std::size_t item) const { return body().begun[item].load(); }
    unsigned ended(std::size_t item) const { return body().ended[item].load(); }
    bool serves(int pid) const { return place(pid).load() == pid; }
    void clear() const {
        for (auto& count : body().begun) count.store(0);
        for (auto& count : body().ended) count.store(0);
    }

private:
    friend HandleBase;
    explicit ItemLedger(multiprocessing::detail::Received received) : HandleBase(std::move(received)) {}

    std::atomic<int>& place(int pid) const {
        auto& serving = body().serving;
        return serving[static_cast<std::size_t>(pid) % serving.size()];
    }
};

/// Kills a random worker that serves every 5 to 20 ms.
class ServingKiller {
public:
    explicit ServingKiller(ItemLedger ledger)
        : ledger_(std::move(ledger)), thread_([this](const std::stop_token& stop) {
              support::Random random{33};
              while (!stop.stop_requested()) {
                  std::this_thread::sleep_for(std::chrono::microseconds{5000 + random.below(15'000)});
                  if (rests_) continue;
                  const auto children = mp::detail::running_children();
                  if (children.empty()) continue;
                  mp::detail::ChildProcess& victim = *children[random.below(children.size())];
                  if (!ledger_.serves(victim.pid()) || victim.look()) continue;
                  victim.kill(); // by a handle that is its own: a pid alone may be another's by now
                  ++kills_;
              }
          }) {}
    int kills() const { return kills_; }
    /// Whether it lets all live.
    void rest(bool rests) { rests_ = rests; }

private:
    ItemLedger ledger_;
    std::atomic<int> kills_{0};
    std::atomic<bool> rests_{false};
    std::jthread thread_;
};

} // namespace stress
