#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file shared_object.hpp  An object in the Space that several processes have handles of: who keeps it, and how long.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/self.hpp>
#include <multiprocessing/detail/state.hpp>
#include <multiprocessing/detail/take_if.hpp>
#include <multiprocessing/detail/tree.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// A promise of the giver to keep an object for one receiver, written before the receiver runs.
struct LeaseEntry {
    Position object;
    /// Of an `std::atomic<std::uint32_t>`: the promise itself, until whoever made it or received it knows that nobody will
    /// take the object any more by this entry, plus the grips of the receiver. At 0 the lease is over.
    /// None: this is no lease, the object was handed over for good.
    Position grips;
};

/// Lets go of one grip, or of the promise.
inline void let_go(TreeMember& member, Position grips) noexcept {
    auto& count = member.space.at<std::atomic<std::uint32_t>>(grips);
    if (count.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    // Killed here: the giver finds it over when it next looks for another reason.
    member.space.notify(member.space.extent(grips / Space::extent_bytes).owner.load(std::memory_order_relaxed));
}

/// One process's grip on a shared object; its handles here share it through a `std::shared_ptr`.
///
/// There is no counter of all users in shared memory, and so no count that a kill could make wrong. A process counts its
/// own handles; objects travel only down the tree, each time under a lease that the giver records for the receiver. The
/// giver keeps the object until the lease is over, or the receiver is dead with all its descendants. Only the receiver
/// counts in a lease, so that its death makes the count void as a whole.
class SharedObject {
public:
    /// An object that this process makes, in the Space of its tree, when it is first used or passed on. `kind` is its
    /// public name, for errors; `bytes` its size.
    SharedObject(const char* kind, std::uint64_t bytes) : kind_(kind), bytes_(bytes) {}

    /// An object that lies in a block of this process's heap already.
    SharedObject(const char* kind, Block block) : kind_(kind), member_(&tree()), position_(block.release()) {}

    /// An object that was given to this process.
    SharedObject(const char* kind, TreeMember& member, const LeaseEntry& lease)
        : kind_(kind), member_(&member), position_(lease.object), grips_(lease.grips) {
        if (grips_) member.space.at<std::atomic<std::uint32_t>>(grips_).fetch_add(1, std::memory_order_relaxed);
    }

    SharedObject(const SharedObject&) = delete;
    SharedObject& operator=(const SharedObject&) = delete;

    virtual ~SharedObject() {
        // In a copy that a fork made, the grip is the other process's.
        if (!position_.load(std::memory_order_relaxed) || copies_ != self().copies()) return;
        if (grips_) {
            let_go(*member_.load(std::memory_order_relaxed), grips_);
        } else {
            member_.load(std::memory_order_relaxed)->heap.free(position_);
        }
    }

    /// Where it is here; made if need be. Throws `std::logic_error` if this process has no right to it.
    void* address() {
        if (life_ != self().life()) throw_foreign();
        if (void* const known = address_.load(std::memory_order_acquire)) return known;
        if (position_.load(std::memory_order_acquire) == 0) make();
        void* const address = &member_.load(std::memory_order_relaxed)
                                   ->space.at<std::byte>(position_.load(std::memory_order_relaxed));
        address_.store(address, std::memory_order_release);
        return address;
    }

    /// The same, as a position.
    Position position() {
        address();
        return position_.load(std::memory_order_relaxed);
    }

    /// Hands the object over for good, as a block of this process's heap that `self` refers to no longer; or a copy of it, if
    /// others have it as well, who go on with what they have. `handles`: how many pointers the caller knows of.
    static Block hand_over(const std::shared_ptr<SharedObject>& self, long handles);

    /// The process's place in the tree that the object is in; address() comes first.
    TreeMember& member() const noexcept { return *member_.load(std::memory_order_relaxed); }

    const char* kind() const noexcept { return kind_; }
    /// Whether it exists, for all that this process knows.
    bool is_made() const noexcept {
        return position_.load(std::memory_order_relaxed) != 0 && copies_ == self().copies();
    }
    /// Whether another process made it.
    bool is_given() const noexcept { return grips_ != 0; }

protected:
    /// Null if it was never made, or made by the process that this one is a copy of.
    void* address_if_made() const noexcept {
        const Position position = position_.load(std::memory_order_relaxed);
        return position && copies_ == self().copies() ? &member().space.at<std::byte>(position) : nullptr;
    }

    /// Gives the fresh, zeroed object its value.
    virtual void construct(void*) {}

private:
    void make();

    [[noreturn]] void throw_foreign() const {
        const std::string what = std::string("multiprocessing: this ") + kind_;
        if (life_ == 0) {
            throw std::logic_error(what +
                                   " was made by the initialisation of this program, it is not the parent's: "
                                   "pass it as an argument");
        }
        throw std::logic_error(what + " was made by another process: pass it as an argument");
    }

    const char* const kind_;
    const std::uint64_t bytes_ = 0;
    const std::uint32_t life_ = self().life();
    const std::uint32_t copies_ = self().copies();
    std::atomic<TreeMember*> member_{nullptr};
    std::atomic<Position> position_{0};
    std::atomic<void*> address_{nullptr}; // the same, remembered
    const Position grips_ = 0;            // 0: it is our own
    bool released_ = false;
};

/// The leases that this process has given and that have not ended.
class Leases : public ForkSafe {
public:
    static constexpr StateSlot slot = StateSlot::objects;

    /// Promises to keep `object` for `holder`, a child (or a task, see pool).
    LeaseEntry give(std::shared_ptr<SharedObject> object, std::uint64_t holder) {
        collect_if_notified();
        TreeMember& member = tree();
        const LeaseEntry entry{object->position(), member.heap.allocate(sizeof(std::atomic<std::uint32_t>))};
        member.space.at<std::atomic<std::uint32_t>>(entry.grips)
            .store(1, std::memory_order_relaxed); // the promise
        std::lock_guard lock{mutex};
        open_.push_back(Open{std::move(object), entry.grips, holder});
        return entry;
    }

    /// The leases of `holder` are `to`'s from now on.
    void transfer(std::uint64_t holder, std::uint64_t to) {
        std::lock_guard lock{mutex};
        for (Open& lease : open_) {
            if (lease.holder == holder) lease.holder = to;
        }
    }

    /// The holder is gone for good, whatever its counts say.
    void end(std::uint64_t holder) {
        drop([&](const Open& lease) { return lease.holder == holder; });
    }

    /// Ends the leases whose receivers need them no longer, if any has said so since the last time.
    void collect_if_notified() {
        TreeMember& member = tree();
        const std::uint32_t now = member.space.notifications(member.self);
        if (notifications_.exchange(now, std::memory_order_relaxed) == now) return;
        drop([&](const Open& lease) {
            return member.space.at<std::atomic<std::uint32_t>>(lease.grips).load(std::memory_order_acquire) ==
                   0;
        });
    }

    /// A holder that is no process: these have 32 bits.
    std::uint64_t new_holder() noexcept { return last_holder_.fetch_add(1, std::memory_order_relaxed) + 1; }

    /// How many leases are open.
    std::size_t count() {
        std::lock_guard lock{mutex};
        return open_.size();
    }

    void after_fork(bool in_child) {
        if (in_child) open_.clear(); // their objects know that they are copies
        ForkSafe::after_fork(in_child);
    }

private:
    struct Open {
        std::shared_ptr<SharedObject> object;
        Position grips;
        std::uint64_t holder;
    };

    template <class Ended>
    void drop(Ended ended) {
        std::vector<Open>
            dropped; // destroyed without the mutex: the last grip on an object may end more leases
        {
            std::lock_guard lock{mutex};
            dropped = take_if(open_, ended);
        }
        for (const Open& lease : dropped) tree().heap.free(lease.grips);
    }

    std::vector<Open> open_;
    std::atomic<std::uint32_t> notifications_{0};
    std::atomic<std::uint64_t> last_holder_{std::uint64_t{1} << 32};
};

inline Leases& leases() { return process_wide<Leases>(); }

inline Block SharedObject::hand_over(const std::shared_ptr<SharedObject>& self, long handles) {
    const Position position = self->position();
    leases().collect_if_notified();
    TreeMember& member = self->member();
    // What a child of ours handed over to us may lie in that one's memory, which will end with us.
    if (!self->is_given() && self.use_count() <= handles && member.heap.is_own(position)) {
        self->released_ = true;
        self->address_.store(nullptr, std::memory_order_release);
        self->position_.store(0, std::memory_order_release);
        return Block{position};
    }
    const std::uint64_t bytes = member.heap.room_of(position);
    Block copy{member.heap.allocate(bytes)};
    std::memcpy(&member.space.at<std::byte>(copy.position()), &member.space.at<std::byte>(position),
                static_cast<std::size_t>(bytes));
    return copy;
}

inline void SharedObject::make() {
    if (released_)
        throw std::logic_error(std::string("multiprocessing: this ") + kind_ +
                               " was the result of a task, and is gone");
    leases().collect_if_notified(); // what others no longer need makes room
    TreeMember& member = tree();
    const Position fresh = member.heap.allocate_zeroed(bytes_);
    construct(&member.space.at<std::byte>(fresh));
    member_.store(&member, std::memory_order_relaxed);
    // Two threads may use a fresh handle at once: the second to come throws its object away.
    Position none = 0;
    if (!position_.compare_exchange_strong(none, fresh, std::memory_order_acq_rel)) member.heap.free(fresh);
}

} // namespace multiprocessing::inline v1::detail
