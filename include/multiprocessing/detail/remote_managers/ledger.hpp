#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file ledger.hpp  How much memory each remote client takes in a manager's server.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/message.hpp>
#include <multiprocessing/detail/space/layout.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Counts for each client the messages of it that are in hand, and what it has added to the objects
/// that have contents: containers and queues.
///
/// What a call adds is counted as the size of its arguments, and nothing is subtracted when
/// something is taken out or replaced, so the sum is never too low. Where it reaches the limit, the
/// objects are weighed, and the counts of each shrink to what it really holds. What clients that
/// are gone have left counts for whoever adds more: else a client would come again and again.
///
/// All members are thread-safe.
class RemoteLedger {
public:
    explicit RemoteLedger(std::size_t most) : most_(most) {}

    /// A message is in hand. Returns false, and counts nothing, if that exceeds the limit.
    bool take_buffer(Incarnation client, std::size_t bytes);
    void give_buffer(Incarnation client, std::size_t bytes) noexcept;

    /// The client adds to an object. Returns false, and counts nothing, if that exceeds the limit:
    /// then the objects are to be weighed. `has_weighed`: they just were; some room must be left,
    /// so that they are not weighed for each call.
    bool add(ManagedId object, Incarnation client, std::size_t bytes, bool has_weighed);
    /// Which objects are to be weighed for the client; none if that was in vain a moment ago.
    std::vector<ManagedId> to_weigh(Incarnation client);
    /// So much is in the object.
    void settle(ManagedId object, std::size_t bytes);

    /// The client is gone.
    void forget(Incarnation client);

private:
    using Clock = std::chrono::steady_clock;
    static constexpr Incarnation the_departed = 0;

    struct Account {
        std::size_t buffers = 0;
        std::map<ManagedId, std::size_t> contents = {};
        Clock::time_point refused = {};

        std::size_t kept() const noexcept;
    };

    const std::size_t most_;
    Mutex mutex_; // guards what follows
    std::map<Incarnation, Account> accounts_;
};

inline std::size_t RemoteLedger::Account::kept() const noexcept {
    std::size_t sum = 0;
    for (const auto& [object, bytes] : contents) sum += bytes;
    return sum;
}

inline bool RemoteLedger::take_buffer(Incarnation client, std::size_t bytes) {
    std::lock_guard lock{mutex_};
    Account& account = accounts_[client];
    if (bytes > most_ || account.buffers > most_ - bytes) return false;
    account.buffers += bytes;
    return true;
}

inline void RemoteLedger::give_buffer(Incarnation client, std::size_t bytes) noexcept {
    std::lock_guard lock{mutex_};
    if (const auto found = accounts_.find(client); found != accounts_.end())
        found->second.buffers -= (std::min)(found->second.buffers, bytes);
}

inline bool RemoteLedger::add(ManagedId object, Incarnation client, std::size_t bytes, bool has_weighed) {
    std::lock_guard lock{mutex_};
    Account& account = accounts_[client];
    const std::size_t kept = account.kept() + accounts_[the_departed].kept();
    const std::size_t most = has_weighed ? most_ - most_ / 8 : most_;
    if (bytes > most || kept > most - bytes) {
        if (has_weighed) account.refused = Clock::now();
        return false;
    }
    account.contents[object] += bytes;
    return true;
}

inline std::vector<ManagedId> RemoteLedger::to_weigh(Incarnation client) {
    std::lock_guard lock{mutex_};
    Account& account = accounts_[client];
    if (Clock::now() - account.refused < std::chrono::milliseconds{100}) return {};
    std::vector<ManagedId> result;
    for (const auto& [object, bytes] : account.contents) result.push_back(object);
    for (const auto& [object, bytes] : accounts_[the_departed].contents) {
        if (std::find(result.begin(), result.end(), object) == result.end()) result.push_back(object);
    }
    return result;
}

inline void RemoteLedger::settle(ManagedId object, std::size_t bytes) {
    std::lock_guard lock{mutex_};
    std::size_t sum = 0;
    for (const auto& [client, account] : accounts_) {
        if (const auto found = account.contents.find(object); found != account.contents.end())
            sum += found->second;
    }
    if (sum <= bytes) return;
    const double rest = static_cast<double>(bytes) / static_cast<double>(sum);
    for (auto& [client, account] : accounts_) {
        const auto found = account.contents.find(object);
        if (found == account.contents.end()) continue;
        found->second = static_cast<std::size_t>(static_cast<double>(found->second) * rest);
        if (bytes == 0) account.contents.erase(found);
    }
}

inline void RemoteLedger::forget(Incarnation client) {
    std::lock_guard lock{mutex_};
    const auto found = accounts_.find(client);
    if (found == accounts_.end()) return;
    Account& departed = accounts_[the_departed];
    for (const auto& [object, bytes] : found->second.contents) departed.contents[object] += bytes;
    accounts_.erase(found);
}

} // namespace multiprocessing::inline v1::detail
