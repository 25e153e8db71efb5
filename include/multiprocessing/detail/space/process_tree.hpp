#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_tree.hpp  This process's place in its tree: the Space that the tree shares, its
/// own heap in it, its own name.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/process_wide.hpp>
#include <multiprocessing/detail/space/heap.hpp>
#include <multiprocessing/detail/space/space.hpp>
#include <multiprocessing/detail/this_process.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Names for memory that outlives processes (SegmentChain), which a process has used and may use
/// again: names in a tree are few.
class SpareNames {
public:
    /// Returns a name that is free again; 0 if there is none.
    Incarnation pop() {
        std::lock_guard lock{mutex_};
        if (names_.empty()) return 0;
        const Incarnation name = names_.back();
        names_.pop_back();
        return name;
    }
    void put(Incarnation name) noexcept {
        if (!name) return;
        try {
            std::lock_guard lock{mutex_};
            names_.push_back(name);
        } catch (const std::bad_alloc&) {} // a fresh one serves as well
    }

private:
    Mutex mutex_;
    std::vector<Incarnation> names_;
};

/// A process in a tree. Never destroyed: handles of shared objects point to it.
struct TreeMember {
    TreeMember(std::shared_ptr<Space> shared, Incarnation name, std::atomic<std::uint32_t>* touched)
        : owner(std::move(shared)), space(*owner), self(name), heap(space, name, touched) {}

    const std::shared_ptr<Space> owner;
    Space& space;
    const Incarnation self;
    const ForkOrigin origin;
    Heap heap;
    SpareNames spare_names;
};

/// The process's membership. The first use in a program that nobody started makes a new tree, with
/// it as the root.
class Tree : public ForkSafe {
public:
    static constexpr StateSlot slot = StateSlot::space;

    TreeMember& member() {
        if (TreeMember* const member = member_.load(std::memory_order_acquire);
            member && is_of_this_copy(*member))
            return *member;
        std::lock_guard lock{mutex};
        TreeMember* const member = member_.load(std::memory_order_relaxed);
        if (!member) {
            auto space = std::make_shared<Space>();
            const Incarnation name = space->new_incarnation(0);
            return publish(new TreeMember(std::move(space), name, nullptr));
        }
        if (is_of_this_copy(*member)) return *member;
        // A copy that the program's own fork() made: its heap is new, as that of its original would
        // hand out the original's blocks; objects of the original stay where they are, in the same
        // Space.
        const Incarnation name = std::exchange(name_of_copy_, 0);
        return publish(
            new TreeMember(member->owner, name ? name : member->space.new_incarnation(member->self), nullptr));
    }

    /// Sets, in a copy that a fork of the program's made, the name that its original has drawn for
    /// it.
    void set_name_of_copy(Incarnation name) noexcept { name_of_copy_ = name; }

    /// Returns null as long as this process is in no tree. In a copy that has not joined yet, that
    /// of its original.
    TreeMember* member_if_any() noexcept { return member_.load(std::memory_order_acquire); }

    /// Makes room, before a fork, for what the child's join() will make, as the child's first
    /// allocation would cost it pages to copy.
    void prepare_join() {
        std::lock_guard lock{mutex};
        if (!room_) room_ = ::operator new(sizeof(TreeMember));
    }

    /// Joins the tree of `space`, as `name`; called in a child. `touched` as for Heap.
    /// `shares_ids`: it is a copy of a member, and platform::children_share_ids() held there.
    TreeMember& join(std::shared_ptr<Space> space, Incarnation name, std::atomic<std::uint32_t>* touched,
                     bool shares_ids = false) {
        std::lock_guard lock{mutex};
        void* const room = std::exchange(room_, nullptr);
        return publish(new (room ? room : ::operator new(sizeof(TreeMember)))
                           TreeMember(std::move(space), name, touched),
                       shares_ids);
    }

    void before_fork() {
        ForkSafe::before_fork();
        if (TreeMember* const member = member_if_any()) member->space.before_fork();
    }
    void after_fork(bool in_child) {
        if (TreeMember* const member = member_if_any()) member->space.after_fork();
        ForkSafe::after_fork(in_child);
    }

private:
    static bool is_of_this_copy(const TreeMember& member) noexcept { return member.origin.is_here(); }

    TreeMember& publish(TreeMember* member, bool shares_ids = false) {
        if (shares_ids) {
            platform::keep_id_space();
        } else {
            platform::join_id_space(member->space.ids());
        }
        this_process().id_space.store(member->space.ids().space, std::memory_order_relaxed);
        member_.store(member, std::memory_order_release);
        return *member;
    }

    std::atomic<TreeMember*> member_{nullptr};
    Incarnation name_of_copy_ = 0;
    void* room_ = nullptr;
};

/// Returns the place of this process in its tree, and makes the tree if there is none.
inline TreeMember& tree() { return process_wide<Tree>().member(); }

/// Owns a block of this process's heap. In a copy that a fork made, the block is the other
/// process's.
class Block {
public:
    Block() noexcept = default;
    /// Takes ownership; 0 makes an empty one.
    explicit Block(Position position) : position_(position) {}
    Block(Block&& other) noexcept : position_(std::exchange(other.position_, 0)), origin_(other.origin_) {}
    Block& operator=(Block&& other) noexcept {
        Block taken{std::move(other)};
        std::swap(position_, taken.position_);
        std::swap(origin_, taken.origin_);
        return *this;
    }
    ~Block() {
        if (position_ && origin_.is_here()) tree().heap.free(position_);
    }

    Position position() const noexcept { return position_; }
    /// Releases ownership, and returns the position.
    Position release() noexcept { return std::exchange(position_, 0); }

private:
    Position position_ = 0;
    ForkOrigin origin_;
};

} // namespace multiprocessing::inline v1::detail
