#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file shared_object.hpp  An object in the Space that several processes have handles of: which
/// process keeps it, and how long.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/shared_object/forked_copies.hpp>
#include <multiprocessing/detail/shared_object/leases.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>
#include <multiprocessing/detail/this_process.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// One process's grip on a shared object; its handles here share it through a `std::shared_ptr`.
///
/// There is no counter of all users in shared memory, and so no count that a kill could make wrong.
/// A process counts its own handles; objects travel only down the tree, each time under a lease
/// that the giver records for the receiver. The giver keeps the object until the lease is over, or
/// the receiver is dead with all its descendants. Only the receiver counts in a lease, so that its
/// death makes the count void as a whole.
///
/// Made by a `make_...` function and owned through the pointer that it returns.
class SharedObject : public Copied {
public:
    /// Registers an object that this process makes when it is first used or passed on.
    static std::shared_ptr<SharedObject> make_unused(std::unique_ptr<SharedObject> object) {
        forked_copies().add_unused(*object);
        return own(std::move(object));
    }
    /// Makes an object that lies in a block of this process's heap already.
    static std::shared_ptr<SharedObject> make_in_block(const char* kind, Block block) {
        return own(std::unique_ptr<SharedObject>(new SharedObject(kind, std::move(block))));
    }
    /// Makes an object that was given to this process.
    static std::shared_ptr<SharedObject> make_given(const char* kind, const LeaseEntry& lease) {
        return own(std::unique_ptr<SharedObject>(new SharedObject(kind, tree(), lease)));
    }

    /// An object that this process makes, in the Space of its tree, when it is first used or passed
    /// on. `kind` is its public name, for errors; `bytes` its size.
    SharedObject(const char* kind, std::uint64_t bytes) : kind_(kind), bytes_(bytes) {}

    ~SharedObject() override {
        // In a copy that a fork made, the grip is the other process's.
        if (!origin_.is_here()) return;
        if (!position_.load(std::memory_order_relaxed)) {
            forked_copies().remove_unused(*this);
        } else if (grips_) {
            let_go(*member_.load(std::memory_order_relaxed), grips_);
        } else {
            member_.load(std::memory_order_relaxed)->heap.free(position_);
        }
    }

    /// Returns where it is in this process; makes it if need be. Throws `std::logic_error` if this
    /// process has no right to it.
    void* address() {
        if (life_ != this_process().life()) throw_foreign();
        if (void* const known = address_.load(std::memory_order_acquire)) return known;
        if (position_.load(std::memory_order_acquire) == 0) make();
        void* const address = &member_.load(std::memory_order_relaxed)
                                   ->space.at<std::byte>(position_.load(std::memory_order_relaxed));
        address_.store(address, std::memory_order_release);
        return address;
    }

    /// Returns where it is, as a position.
    Position position() {
        address();
        return position_.load(std::memory_order_relaxed);
    }

    /// Hands the object over for good, as a block of this process's heap that `self` no longer
    /// refers to; or a copy of it, if other handles refer to the object, which keep it. `handles`:
    /// how many pointers the caller knows of.
    static Block hand_over(const std::shared_ptr<SharedObject>& self, long handles);

    /// Returns the process's place in the tree that the object is in; address() comes first.
    TreeMember& member() const noexcept { return *member_.load(std::memory_order_relaxed); }

    const char* kind() const noexcept { return kind_; }
    /// Returns whether it exists and is this process's, for all that this process knows.
    bool is_made() const noexcept {
        return position_.load(std::memory_order_relaxed) != 0 && origin_.is_here();
    }
    /// Returns whether another process made it: one up the tree, or the one that this is a copy of.
    bool is_given() const noexcept { return grips_ != 0 || !origin_.is_here(); }

protected:
    /// Returns null if it was never made, or made by the process that this one is a copy of.
    void* address_if_made() const noexcept {
        const Position position = position_.load(std::memory_order_relaxed);
        return position && origin_.is_here() ? &member().space.at<std::byte>(position) : nullptr;
    }

    /// Gives the fresh, zeroed object its value.
    virtual void construct(void*) {}

private:
    SharedObject(const char* kind, Block block) : kind_(kind), member_(&tree()), position_(block.release()) {
        forked_copies().add(*this);
    }
    SharedObject(const char* kind, TreeMember& member, const LeaseEntry& lease)
        : kind_(kind), member_(&member), position_(lease.object), grips_(lease.grips) {
        forked_copies().add(*this);
        if (grips_) member.space.at<LeaseWord>(grips_).grips.fetch_add(1, std::memory_order_relaxed);
    }

    static std::shared_ptr<SharedObject> own(std::unique_ptr<SharedObject> object) {
        return {object.release(), [](SharedObject* unused) { forked_copies().destroy(unused); }};
    }

    void make();
    void make_now();
    void make_for_copies() override { make_now(); }

    [[noreturn]] void throw_foreign() const {
        const std::string what = std::string("multiprocessing: this ") + kind_;
        if (!origin_.is_here()) {
            throw std::logic_error(
                what + " belongs to the process that this one was forked from: pass it as an argument");
        }
        if (life_ == 0) {
            throw std::logic_error(what +
                                   " was made by the initialisation of this program, it is not the parent's: "
                                   "pass it as an argument");
        }
        throw std::logic_error(what + " was made by another process: pass it as an argument");
    }

    const char* const kind_;
    const std::uint64_t bytes_ = 0;
    const std::uint32_t life_ = this_process().life();
    const ForkOrigin origin_;
    std::atomic<TreeMember*> member_{nullptr};
    std::atomic<Position> position_{0};
    std::atomic<void*> address_{nullptr}; // the same, remembered
    const Position grips_ = 0;            // 0: it is our own
    bool released_ = false;
};

inline Block SharedObject::hand_over(const std::shared_ptr<SharedObject>& self, long handles) {
    const Position position = self->position();
    leases().collect();
    TreeMember& member = tree();
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
    if (!origin_.is_here()) {
        throw std::logic_error(
            std::string("multiprocessing: this ") + kind_ +
            " was made and not used before the program's own fork(), and could not be given its memory then: "
            "use it before the fork");
    }
    leases().collect(); // what others no longer need makes room
    forked_copies().collect();
    make_now();
    forked_copies().remove_unused(*this);
}

inline void SharedObject::make_now() {
    if (position_.load(std::memory_order_acquire)) return;
    TreeMember& member = tree();
    const Position fresh = member.heap.allocate_zeroed(bytes_);
    construct(&member.space.at<std::byte>(fresh));
    member_.store(&member, std::memory_order_relaxed);
    // Two threads may use a fresh handle at once, or one may fork meanwhile: the second to come
    // throws its object away.
    Position none = 0;
    if (!position_.compare_exchange_strong(none, fresh, std::memory_order_acq_rel)) member.heap.free(fresh);
}

} // namespace multiprocessing::inline v1::detail
