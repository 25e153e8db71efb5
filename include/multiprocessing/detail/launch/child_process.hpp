#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file child_process.hpp  A running child, whichever way it was started: five verbs and a
/// sentinel.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/exit_hooks.hpp>
#include <multiprocessing/detail/platform/process.hpp>
#include <multiprocessing/detail/process_wide.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>
#include <multiprocessing/detail/this_process.hpp>
#include <multiprocessing/timeout.hpp>
#include <multiprocessing/util.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What a child leaves, until its descendants are gone as well: they may still write to what it was
/// given.
struct Remains {
    Incarnation name;
    platform::Handle alive; ///< At its end when nobody of the subtree lives.
    bool touched;
    std::vector<Position> unclaimed;  ///< Blocks that it was about to hand over: nobody was told of them.
    std::shared_ptr<const void> kept; ///< What its subtree may use as long as any of it lives.
};

/// One child. Poll, wait, interrupt, terminate and kill may be called by several threads.
class ChildProcess {
public:
    /// Made before its process: from the instant when that runs, nothing may be missing that could
    /// be refused.
    ChildProcess(ProcessIdentity identity, Incarnation name, bool supervised)
        : identity_(std::move(identity)), name_(name), supervised_(supervised) {}
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    /// It runs. Before anybody else knows of this object.
    void begin(platform::Child process, Block record, Block message, platform::Handle alive,
               platform::Handle tether) noexcept;

    int pid() const noexcept { return process_.pid(); }
    const platform::Handle& sentinel() const noexcept { return process_.sentinel(); }
    const ProcessIdentity& identity() const noexcept { return identity_; }
    Incarnation incarnation() const noexcept { return name_; }

    /// How it ended, or nullopt while it runs. Whoever first sees the end has what the child leaves
    /// dealt with, unless the child is supervised: then its supervisor calls settle().
    std::optional<platform::Ending> poll();
    std::optional<platform::Ending> look();
    void settle();

    /// Waits for its end; false when the deadline passed.
    bool wait(Deadline deadline);

    void interrupt();
    void terminate();
    void kill();

    /// Blocks of its heap that nobody will claim: to be freed with the rest of it. Before poll()
    /// sees its end.
    void set_unclaimed(std::vector<Position> blocks);

    /// What its subtree may use: it is let go of when the last of it has gone. Before poll() sees
    /// its end.
    void keep(std::shared_ptr<const void> kept);

    /// Its supervisor cannot end it, and leaves it: whoever first sees its end from here on calls
    /// settle().
    void leave_unsupervised() { supervised_ = false; }

    /// Why it refused to run; empty if it did not, or runs still.
    std::string refusal();

    /// Ends it for certain: SIGTERM, and SIGKILL after a second. Throws `std::system_error` if the
    /// system refuses both.
    void end();

    /// terminate() or kill(); false if that was refused: it runs with rights that this process does
    /// not have, say.
    bool try_to(void (ChildProcess::*ending)()) noexcept;

    /// What it has used of the processors.
    std::optional<std::chrono::microseconds> cpu_time() const noexcept { return process_.cpu_time(); }

private:
    platform::Child process_;
    const ProcessIdentity identity_;
    const Incarnation name_;
    Block record_;
    Block message_; // what it was told, until it has ended
    platform::Handle alive_;
    platform::Handle tether_; // our end of its strand, if that is one of its own
    std::atomic<bool> supervised_;
    Mutex mutex_;
    std::optional<platform::Ending> ending_;
    bool settled_ = false;
    std::string refusal_;
    std::vector<Position> unclaimed_;
    std::shared_ptr<const void> kept_;
};

/// The children that this process has started and not yet seen end, and what is left of those that
/// have.
class Children : public ForkSafe {
public:
    static constexpr StateSlot slot = StateSlot::children;

    /// Makes room for one more: to be followed by add(), which then cannot fail, or by unexpect().
    void expect();
    void unexpect() noexcept;
    void add(std::shared_ptr<ChildProcess> child) noexcept;

    /// In place of unexpect(): of a process that could not become a child of ours.
    void add(Remains remains) noexcept;

    /// Notices which have ended, at each start: as many at a time as take no longer than that, in
    /// turn, so that starting n children does not take n*n looks.
    void reap();

    /// Those that run; notices which have ended.
    std::vector<std::shared_ptr<ChildProcess>> running();

    /// Called by the child itself when its end has been seen.
    void remove(const ChildProcess& child, Remains remains);

    /// Takes back the memory of the dead whose descendants are gone too, and ends the leases that
    /// they held. Looks at the latest, and at `most` of them in turn.
    void bury(std::size_t most = ~std::size_t{0});

    /// At the end of this process: the daemonic ones are ended, all together, the others waited
    /// for, as in Python. One that may not be ended is left.
    void end_all();

    void after_fork(bool in_child);

private:
    bool bury_if_gone(std::size_t index, std::unique_lock<Mutex>& lock);

    std::vector<std::shared_ptr<ChildProcess>> all();

    static constexpr std::size_t most_at_a_start = 32;

    struct Forgotten {
        std::vector<std::shared_ptr<ChildProcess>> running;
        std::vector<Remains> remains;
        Forgotten* earlier = nullptr;
    };

    std::vector<std::shared_ptr<ChildProcess>> running_;
    std::vector<Remains> remains_;
    Forgotten* forgotten_ = nullptr;
    // Where reap() and bury() go on looking.
    std::size_t next_running_ = 0;
    std::size_t next_remains_ = 0;
    std::size_t expected_ = 0; // room in running_
};

inline Children& children() { return process_wide<Children>(); }

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/extract_if.hpp>
#include <multiprocessing/detail/launch/child_record.hpp>
#include <multiprocessing/detail/platform/pipe.hpp>
#include <multiprocessing/detail/platform/wait.hpp>
#include <multiprocessing/detail/shared_object/leases.hpp>

#include <algorithm>
#include <exception>
#include <new>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void ChildProcess::begin(platform::Child process, Block record, Block message,
                                                platform::Handle alive, platform::Handle tether) noexcept {
    process_ = std::move(process);
    record_ = std::move(record);
    message_ = std::move(message);
    alive_ = std::move(alive);
    tether_ = std::move(tether);
}

MULTIPROCESSING_INLINE std::optional<platform::Ending> ChildProcess::poll() {
    std::optional<platform::Ending> ending = look();
    if (ending && !supervised_) settle();
    return ending;
}

MULTIPROCESSING_INLINE bool ChildProcess::wait(Deadline deadline) {
    if (poll()) return true;
    while (platform::wait_one(process_.sentinel().native(), deadline)) {
        if (poll()) return true;
    }
    return false;
}

MULTIPROCESSING_INLINE void ChildProcess::interrupt() {
    const NotToEndIn part;
    std::lock_guard lock{mutex_};
    process_.interrupt();
}

MULTIPROCESSING_INLINE void ChildProcess::terminate() {
    const NotToEndIn part;
    std::lock_guard lock{mutex_};
    process_.terminate();
}

MULTIPROCESSING_INLINE void ChildProcess::kill() {
    const NotToEndIn part;
    std::lock_guard lock{mutex_};
    process_.kill();
}

MULTIPROCESSING_INLINE void ChildProcess::set_unclaimed(std::vector<Position> blocks) {
    std::lock_guard lock{mutex_};
    unclaimed_ = std::move(blocks);
}

MULTIPROCESSING_INLINE void ChildProcess::keep(std::shared_ptr<const void> kept) {
    std::lock_guard lock{mutex_};
    kept_ = std::move(kept);
}

MULTIPROCESSING_INLINE std::string ChildProcess::refusal() {
    std::lock_guard lock{mutex_};
    return refusal_;
}

MULTIPROCESSING_INLINE void ChildProcess::end() {
    if (!try_to(&ChildProcess::terminate) || !wait(Deadline::after(std::chrono::seconds{1}))) {
        kill();
        wait(Deadline{});
    }
}

MULTIPROCESSING_INLINE bool ChildProcess::try_to(void (ChildProcess::*ending)()) noexcept {
    try {
        (this->*ending)();
        return true;
    } catch (const std::exception&) { return false; }
}

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

MULTIPROCESSING_INLINE void Children::reap() {
    std::vector<std::shared_ptr<ChildProcess>> children;
    {
        const NotToEndIn part;
        std::lock_guard lock{mutex};
        for (std::size_t i = (std::min)(most_at_a_start, running_.size()); i > 0; --i) {
            next_running_ = next_running_ + 1 < running_.size() ? next_running_ + 1 : 0;
            children.push_back(running_[next_running_]);
        }
    }
    for (const auto& child : children) child->poll();
    bury(most_at_a_start);
}

MULTIPROCESSING_INLINE std::vector<std::shared_ptr<ChildProcess>> Children::running() {
    std::vector<std::shared_ptr<ChildProcess>> children = all();
    extract_if(children, [](const auto& child) { return child->poll().has_value(); });
    bury(); // of those that ended earlier, somebody's descendants may be gone by now
    return children;
}

MULTIPROCESSING_INLINE void Children::remove(const ChildProcess& child, Remains remains) {
    std::shared_ptr<ChildProcess> ended; // let go of without the mutex
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
    bury(most_at_a_start);
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

MULTIPROCESSING_INLINE void Children::end_all() {
    const auto children = running();
    if (children.empty()) return; // without even asking for the time: see bound_early
    for (const auto& child : children) {
        if (child->identity().daemon) child->try_to(&ChildProcess::terminate);
    }
    const Deadline patience = Deadline::after(std::chrono::seconds{1});
    for (const auto& child : children) {
        if (child->identity().daemon && !child->wait(patience)) child->try_to(&ChildProcess::kill);
    }
    std::string left;
    for (const auto& child : children) {
        if (child->poll()) continue;
        if (child->identity().daemon && !child->try_to(&ChildProcess::kill)) {
            left += " " + child->identity().name + " (pid " + std::to_string(child->pid()) + ")";
        } else {
            child->wait(Deadline{});
        }
    }
    if (!left.empty())
        get_logger().log(LogLevel::warning,
                         "at the end of the process these children go on, as the system refuses "
                         "to end them:" +
                             left);
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

MULTIPROCESSING_INLINE std::vector<std::shared_ptr<ChildProcess>> Children::all() {
    const NotToEndIn part;
    std::lock_guard lock{mutex};
    return running_;
}

MULTIPROCESSING_INLINE std::optional<platform::Ending> ChildProcess::look() {
    const NotToEndIn part;
    std::lock_guard lock{mutex_};
    if (ending_) return ending_;
    ending_ = process_.poll();
    if (!ending_) return std::nullopt;
    const ChildRecord& record = tree().space.at<ChildRecord>(record_.position());
    const ChildStage stage = record.stage.load(std::memory_order_acquire);
    // Somebody else waited for our child, or SIGCHLD is ignored: what it said itself is then all
    // that is known.
    if (!ending_->exitcode && stage == ChildStage::ended)
        ending_->exitcode = record.exitcode.load(std::memory_order_relaxed);
    if (stage == ChildStage::refused) refusal_ = record.refusal;
    return ending_;
}

MULTIPROCESSING_INLINE void ChildProcess::settle() {
    std::optional<NotToEndIn> part{std::in_place};
    std::unique_lock lock{mutex_};
    if (std::exchange(settled_, true)) return;
    const ChildRecord& record = tree().space.at<ChildRecord>(record_.position());
    const bool never_entered = record.stage.load(std::memory_order_acquire) == ChildStage::started;
    Remains remains{name_, std::move(alive_), record.touched.load(std::memory_order_acquire) != 0,
                    std::move(unclaimed_), std::move(kept_)};
    record_ = Block{};
    message_ = Block{};
    tether_.close();
    const std::optional<int> code = ending_->exitcode;
    lock.unlock();
    part.reset();

    if (never_entered && code && *code >= 0) {
        get_logger().log(LogLevel::warning,
                         "process " + identity_.name + " (pid " + std::to_string(pid()) +
                             ") ended with exit code " + std::to_string(*code) +
                             " before it reached freeze_support(): what main() does before that, " +
                             "and static initialisers, run in every child");
    }
    children().remove(*this, std::move(remains));
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
