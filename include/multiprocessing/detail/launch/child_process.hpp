#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file child_process.hpp  A running child, whichever way it was started: five verbs and a
/// sentinel.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/process.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>
#include <multiprocessing/detail/this_process.hpp>
#include <multiprocessing/timeout.hpp>
#include <multiprocessing/util.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// One child. Poll, wait, interrupt, terminate and kill may be called by several threads.
class ChildProcess {
public:
    /// Made before its process: from the instant when that runs, nothing may be missing that could
    /// be refused.
    ChildProcess(ProcessIdentity identity, Incarnation name, bool supervised)
        : identity_(std::move(identity)), name_(name), supervised_(supervised) {}
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    /// Notes that the process runs. Called before any other thread knows of this object.
    void begin(platform::Child process, Block record, Block message, platform::Handle alive,
               platform::Handle tether) noexcept;

    int pid() const noexcept { return process_.pid(); }
    const platform::Handle& sentinel() const noexcept { return process_.sentinel(); }
    const ProcessIdentity& identity() const noexcept { return identity_; }
    Incarnation incarnation() const noexcept { return name_; }

    /// Returns how the child ended; nullopt while it runs. The first thread that sees the end also
    /// calls settle(), unless the child is supervised: then its supervisor does.
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

    /// Keeps what its subtree may use until the last process of the subtree has gone. Called before
    /// poll() sees its end.
    void keep(std::shared_ptr<const void> kept);

    /// Leaves a child that its supervisor cannot end: the first thread that sees its end from here
    /// on calls settle().
    void leave_unsupervised() { supervised_ = false; }

    /// Returns why it refused to run; empty if it did not, or runs still.
    std::string refusal();

    /// Ends it for certain: SIGTERM, and SIGKILL after a second. Throws `std::system_error` if the
    /// system refuses both.
    void end();

    /// Calls `ending`, terminate() or kill(); returns false if the system refuses: the child runs
    /// with rights that this process does not have, say.
    bool try_to(void (ChildProcess::*ending)()) noexcept;

    /// Returns what it has used of the processors.
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

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/launch/child_record.hpp>
#include <multiprocessing/detail/launch/children.hpp>
#include <multiprocessing/detail/launch/exit_hooks.hpp>
#include <multiprocessing/detail/platform/wait.hpp>

#include <exception>
#include <mutex>

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

MULTIPROCESSING_INLINE std::optional<platform::Ending> ChildProcess::look() {
    const NotToEndIn part;
    std::lock_guard lock{mutex_};
    if (ending_) return ending_;
    ending_ = process_.poll();
    if (!ending_) return std::nullopt;
    const ChildRecord& record = tree().space.at<ChildRecord>(record_.position());
    const ChildStage stage = record.stage.load(std::memory_order_acquire);
    // The program waited for our child, or SIGCHLD is ignored: what the child said is then all that
    // is known.
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
