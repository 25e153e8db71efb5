#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file children.hpp  The list of the children of this process, and what is left of those that
/// have ended.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/process_wide.hpp>
#include <multiprocessing/detail/space/layout.hpp>

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace multiprocessing::inline v1::detail {

class ChildProcess;

/// What a child leaves, until its descendants are gone as well: they may still write to what it was
/// given.
struct Remains {
    Incarnation name;
    platform::Handle alive; ///< At its end when nobody of the subtree lives.
    bool touched;
    std::vector<Position> unclaimed;  ///< Blocks that it was about to hand over: nobody was told of them.
    std::shared_ptr<const void> kept; ///< What its subtree may use as long as any of it lives.
};

/// The children that this process has started and not yet seen end, and what is left of those that
/// have.
class Children : public ForkSafe {
public:
    static constexpr StateSlot slot = StateSlot::children;
    /// At each start and each end of a child this many others are looked at: so starting n children
    /// does not take n*n looks.
    static constexpr std::size_t most_looks = 32;

    /// Makes room for one more: to be followed by add(), which then cannot fail, or by unexpect().
    void expect();
    void unexpect() noexcept;
    void add(std::shared_ptr<ChildProcess> child) noexcept;

    /// Adds, in place of unexpect(), the remains of a process that could not become a child of
    /// ours.
    void add(Remains remains) noexcept;

    /// Returns all that are listed: each may have ended since.
    std::vector<std::shared_ptr<ChildProcess>> all();

    /// Returns the next `most_looks` of them, in turn.
    std::vector<std::shared_ptr<ChildProcess>> next();

    /// Called by the child itself when its end has been seen.
    void remove(const ChildProcess& child, Remains remains);

    /// Takes back the memory of the dead whose descendants are gone too, and ends the leases that
    /// they held. Looks at the latest, and at `most` of them in turn.
    void bury(std::size_t most = ~std::size_t{0});

    void after_fork(bool in_child);

private:
    bool bury_if_gone(std::size_t index, std::unique_lock<Mutex>& lock);

    struct Forgotten {
        std::vector<std::shared_ptr<ChildProcess>> running;
        std::vector<Remains> remains;
        Forgotten* earlier = nullptr;
    };

    std::vector<std::shared_ptr<ChildProcess>> running_;
    std::vector<Remains> remains_;
    Forgotten* forgotten_ = nullptr;
    // Where next() and bury() go on.
    std::size_t next_running_ = 0;
    std::size_t next_remains_ = 0;
    std::size_t expected_ = 0; // room in running_
};

inline Children& children() { return process_wide<Children>(); }

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/launch/exit_hooks.hpp>
#include <multiprocessing/detail/platform/pipe.hpp>
#include <multiprocessing/detail/shared_object/leases.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void Children::expect() {
    const NotToEndIn part;
    std::lock_guard lock{mutex};
    const std::size_t needed = running_.size() + expected_ + 1;
    if (running_.capacity() < needed) running_.reserve(2 * needed);
    // Room for what it will leave, too: that is noted where its end is seen, which must not
    // fail.
    if (remains_.capacity() < remains_.size() + needed) remains_.reserve(2 * (remains_.size() + needed));
    ++expected_;
}

MULTIPROCESSING_INLINE void Children::unexpect() noexcept {
    const NotToEndIn part;
    std::lock_guard lock{mutex};
    --expected_;
}

MULTIPROCESSING_INLINE void Children::add(std::shared_ptr<ChildProcess> child) noexcept {
    const NotToEndIn part;
    std::lock_guard lock{mutex};
    --expected_;
    running_.push_back(std::move(child));
}

MULTIPROCESSING_INLINE void Children::add(Remains remains) noexcept {
    const NotToEndIn part;
    std::lock_guard lock{mutex};
    --expected_;
    remains_.push_back(std::move(remains));
}

MULTIPROCESSING_INLINE std::vector<std::shared_ptr<ChildProcess>> Children::all() {
    const NotToEndIn part;
    std::lock_guard lock{mutex};
    return running_;
}

MULTIPROCESSING_INLINE std::vector<std::shared_ptr<ChildProcess>> Children::next() {
    std::vector<std::shared_ptr<ChildProcess>> children;
    const NotToEndIn part;
    std::lock_guard lock{mutex};
    for (std::size_t i = (std::min)(most_looks, running_.size()); i > 0; --i) {
        next_running_ = next_running_ + 1 < running_.size() ? next_running_ + 1 : 0;
        children.push_back(running_[next_running_]);
    }
    return children;
}

MULTIPROCESSING_INLINE void Children::remove(const ChildProcess& child, Remains remains) {
    std::shared_ptr<ChildProcess> ended; // destroyed without the mutex
    {
        const NotToEndIn part;
        std::lock_guard lock{mutex};
        remains_.push_back(std::move(remains)); // add() has made the room
        const auto it = std::find_if(running_.begin(), running_.end(),
                                     [&](const auto& other) { return other.get() == &child; });
        if (it != running_.end()) {
            ended = std::move(*it);
            running_.erase(it);
        }
    }
    bury(most_looks);
}

MULTIPROCESSING_INLINE void Children::bury(std::size_t most) {
    const NotToEndIn part;
    std::unique_lock lock{mutex};
    if (!remains_.empty()) bury_if_gone(remains_.size() - 1, lock);
    for (std::size_t looks = (std::min)(most, remains_.size()); looks > 0 && !remains_.empty(); --looks) {
        if (next_remains_ >= remains_.size()) next_remains_ = 0;
        if (!bury_if_gone(next_remains_, lock)) ++next_remains_;
    }
}

MULTIPROCESSING_INLINE void Children::after_fork(bool in_child) {
    if (in_child) { // they are the parent's: forgotten, not destroyed
        if (!running_.empty() || !remains_.empty()) {
            if (auto* const forgotten = new (std::nothrow) Forgotten) {
                forgotten->running.swap(running_);
                forgotten->remains.swap(remains_);
                forgotten->earlier = std::exchange(forgotten_, forgotten);
            }
        }
        running_.clear();
        remains_.clear();
        expected_ = 0;
    }
    ForkSafe::after_fork(in_child);
}

MULTIPROCESSING_INLINE bool Children::bury_if_gone(std::size_t index, std::unique_lock<Mutex>& lock) {
    // What never touched the Space has started nobody, as a child needs a record there.
    if (remains_[index].touched && !platform::at_end(remains_[index].alive)) return false;
    {
        const Remains gone = std::move(remains_[index]);
        if (index + 1 != remains_.size()) remains_[index] = std::move(remains_.back());
        remains_.pop_back();
        lock.unlock();
        if (gone.touched) tree().heap.adopt(gone.name);
        for (const Position block : gone.unclaimed) tree().heap.free_adopted(block);
        leases().end(gone.name);
    }
    lock.lock();
    return true;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
