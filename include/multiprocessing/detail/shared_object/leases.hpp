#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file leases.hpp  Promises of this process to keep shared objects for the processes that it gave
/// them to.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/of_this_copy.hpp>
#include <multiprocessing/detail/process_wide.hpp>
#include <multiprocessing/detail/space/number_table.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What a receiver is told of a shared object. The giver writes it before the receiver runs.
struct LeaseEntry {
    Position object;
    Position grips; ///< Of the LeaseWord. None: this is no lease, the object was handed over for good.
};

/// The part of a lease that both sides see, in a block of the giver's heap.
struct LeaseWord {
    /// The promise itself, until its maker or its receiver knows that nobody will take the object
    /// any more by this entry, plus the grips of the receiver. At 0 the lease is over.
    std::atomic<std::uint32_t> grips;
    std::uint32_t index;        ///< Of the lease, in its giver's table.
    Position ended;             ///< Of the head of the list of the giver's leases that are over.
    std::atomic<Position> next; ///< In that list.
};

/// Ends one grip, or the promise itself.
inline void let_go(TreeMember& member, Position grips) noexcept {
    LeaseWord& lease = member.space.at<LeaseWord>(grips);
    if (lease.grips.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    // Killed here: the giver is not told; the lease ends with the receiver, which is dying.
    auto& head = member.space.at<std::atomic<Position>>(lease.ended);
    Position first = head.load(std::memory_order_relaxed);
    do {
        lease.next.store(first, std::memory_order_relaxed);
    } while (!head.compare_exchange_weak(first, grips, std::memory_order_release, std::memory_order_relaxed));
}

/// The leases that this process has given and that have not ended. Each operation costs as much as
/// the leases that it concerns, however many others there are.
class Leases : public ForkSafe {
public:
    static constexpr StateSlot slot = StateSlot::objects;

    /// Promises to keep `object` for `holder`: the incarnation of a child, or a new_holder().
    template <class Object>
    LeaseEntry grant(std::shared_ptr<Object> object, std::uint64_t holder) {
        collect();
        const Position position = object->position();
        TreeMember& member = tree();
        std::lock_guard lock{mutex};
        Table& table = table_.get();
        if (!table.ended.position()) {
            table.ended = Block{member.heap.allocate_zeroed(sizeof(std::atomic<Position>))};
            ended_.store(&member.space.at<std::atomic<Position>>(table.ended.position()),
                         std::memory_order_relaxed);
        }
        const std::uint32_t index = table.prepare(); // all that may throw comes before the promise
        Block block{member.heap.allocate(sizeof(LeaseWord))};
        new (&member.space.at<std::byte>(block.position())) LeaseWord{{1}, index, table.ended.position(), {0}};
        const LeaseEntry entry{position, block.position()};
        table.add(index, std::move(object), std::move(block), holder);
        return entry;
    }

    /// Makes the leases of `holder` those of `to`.
    void transfer(std::uint64_t holder, std::uint64_t to) noexcept {
        std::lock_guard lock{mutex};
        Table* const table = table_.get_if_any();
        if (!table || holder == to) return;
        for (std::uint32_t at; (at = table->first_of(holder)) != nothing;) {
            table->unlink(at);
            table->link(at, to); // a holder goes for each that comes: this needs no room
        }
    }

    /// Ends all leases of a holder that is gone for good, whatever its counts say.
    void end(std::uint64_t holder) noexcept {
        {
            std::lock_guard lock{mutex};
            Table* const table = table_.get_if_any();
            if (!table) return;
            drop_ended(*table); // first: what is in that list may not be freed
            for (std::uint32_t at; (at = table->first_of(holder)) != nothing;) table->drop(at);
        }
        destroy_dropped();
    }

    /// Ends the leases whose receivers have said that they need them no longer.
    void collect() noexcept {
        const std::atomic<Position>* const ended = ended_.load(std::memory_order_relaxed);
        if (!ended || ended->load(std::memory_order_relaxed) == 0) return;
        {
            std::lock_guard lock{mutex};
            Table* const table = table_.get_if_any();
            if (!table) return;
            drop_ended(*table);
        }
        destroy_dropped();
    }

    /// Returns a holder that is no process: these have 32 bits.
    std::uint64_t new_holder() noexcept { return last_holder_.fetch_add(1, std::memory_order_relaxed) + 1; }

    /// Returns how many leases are open.
    std::size_t count() {
        std::lock_guard lock{mutex};
        Table* const table = table_.get_if_any();
        return table ? table->open : 0;
    }

private:
    static constexpr std::uint32_t nothing = ~std::uint32_t{0};

    struct Lease {
        std::shared_ptr<void> object;
        Block word;
        std::uint64_t holder = 0;
        std::uint32_t previous = nothing; // among the holder's
        std::uint32_t next = nothing;     // the same; or in the list of those that are free, or dropped
    };

    struct Holder {
        std::uint64_t number;
        std::uint32_t first;
    };

    struct Table {
        std::vector<Lease> leases; // by index
        NumberTable<Holder> holders;
        std::size_t open = 0;
        std::uint32_t free = nothing;
        std::uint32_t dropped = nothing; // ended, and to be destroyed without the mutex
        Block ended;                     // the head of the list that receivers append to

        /// Returns the index of a free lease; link() has room for it.
        std::uint32_t prepare() {
            holders.reserve(holders.size() + 1);
            holders.reserve(open + 1);
            if (free == nothing) {
                leases.emplace_back();
                free = static_cast<std::uint32_t>(leases.size() - 1);
            }
            return free;
        }
        void add(std::uint32_t at, std::shared_ptr<void> object, Block word, std::uint64_t holder) noexcept {
            Lease& lease = leases[at];
            free = std::exchange(lease.next, nothing);
            lease.object = std::move(object);
            lease.word = std::move(word);
            ++open;
            link(at, holder);
        }

        std::uint32_t first_of(std::uint64_t holder) noexcept {
            const Holder* const found = holders.find(holder);
            return found ? found->first : nothing;
        }
        void link(std::uint32_t at, std::uint64_t holder) noexcept {
            Lease& lease = leases[at];
            lease.holder = holder;
            lease.previous = nothing;
            lease.next = first_of(holder);
            if (lease.next != nothing) leases[lease.next].previous = at;
            holders.put({holder, at});
        }
        void unlink(std::uint32_t at) noexcept {
            Lease& lease = leases[at];
            if (lease.next != nothing) leases[lease.next].previous = lease.previous;
            if (lease.previous != nothing) {
                leases[lease.previous].next = lease.next;
            } else if (lease.next != nothing) {
                holders.put({lease.holder, lease.next});
            } else {
                holders.erase(lease.holder);
            }
        }
        void drop(std::uint32_t at) noexcept {
            unlink(at);
            leases[at].next = std::exchange(dropped, at);
            --open;
        }
    };

    /// The mutex is held.
    void drop_ended(Table& table) noexcept {
        const Space& space = tree().space;
        auto& head = space.at<std::atomic<Position>>(table.ended.position());
        for (Position at = head.exchange(0, std::memory_order_acquire); at;) {
            const LeaseWord& word = space.at<LeaseWord>(at);
            at = word.next.load(std::memory_order_relaxed);
            table.drop(word.index);
        }
    }

    /// Destroys them one at a time, as the last grip on an object may end more leases.
    void destroy_dropped() noexcept {
        for (;;) {
            std::shared_ptr<void> object;
            Block word;
            std::lock_guard lock{mutex}; // released first
            Table* const table = table_.get_if_any();
            if (!table || table->dropped == nothing) return;
            Lease& lease = table->leases[table->dropped];
            object = std::move(lease.object);
            word = std::move(lease.word);
            lease.object.reset();
            const std::uint32_t at = std::exchange(table->dropped, lease.next);
            lease.next = std::exchange(table->free, at);
        }
    }

    OfThisCopy<Table> table_;
    std::atomic<std::atomic<Position>*> ended_{
        nullptr}; // of this process's table, or of the one that it is a copy of
    std::atomic<std::uint64_t> last_holder_{std::uint64_t{1} << 32};
};

inline Leases& leases() { return process_wide<Leases>(); }

} // namespace multiprocessing::inline v1::detail
