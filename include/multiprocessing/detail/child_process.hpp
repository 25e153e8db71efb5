#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file child_process.hpp  A running child, whichever way it was started: five verbs and a sentinel.

#include <multiprocessing/detail/child_record.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/pipe.hpp>
#include <multiprocessing/detail/platform/process.hpp>
#include <multiprocessing/detail/platform/wait.hpp>
#include <multiprocessing/detail/self.hpp>
#include <multiprocessing/detail/shared_object.hpp>
#include <multiprocessing/detail/state.hpp>
#include <multiprocessing/detail/tree.hpp>
#include <multiprocessing/timeout.hpp>
#include <multiprocessing/util.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What a child leaves, until its descendants are gone as well: they may still write to what it was given.
struct Remains {
    Incarnation name;
    platform::Handle alive; ///< At its end when nobody of the subtree lives.
    bool touched;
};

/// One child. Poll, wait, interrupt, terminate and kill may be called by several threads.
class ChildProcess {
public:
    ChildProcess(platform::Child process, ProcessIdentity identity, Incarnation name, Block record,
                 Block message, platform::Handle alive)
        : process_(std::move(process)),
          identity_(std::move(identity)),
          name_(name),
          record_(std::move(record)),
          message_(std::move(message)),
          alive_(std::move(alive)) {}
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    int pid() const noexcept { return process_.pid(); }
    const platform::Handle& sentinel() const noexcept { return process_.sentinel(); }
    const ProcessIdentity& identity() const noexcept { return identity_; }
    Incarnation name() const noexcept { return name_; }

    /// How it ended, or nullopt while it runs.
    std::optional<platform::Ending> poll();

    /// Waits for its end; false when the deadline passed.
    bool wait(Deadline deadline) {
        if (poll()) return true;
        while (platform::wait_one(process_.sentinel().native(), deadline)) {
            if (poll()) return true;
        }
        return false;
    }

    void interrupt() {
        std::lock_guard lock{mutex_};
        process_.interrupt();
    }
    void terminate() {
        std::lock_guard lock{mutex_};
        process_.terminate();
    }
    void kill() {
        std::lock_guard lock{mutex_};
        process_.kill();
    }

    /// Why it refused to run; empty if it did not, or runs still.
    std::string refusal() {
        std::lock_guard lock{mutex_};
        return refusal_;
    }

    /// Ends it for certain: SIGTERM, and SIGKILL after a second.
    void end() {
        terminate();
        if (wait(Deadline::after(std::chrono::seconds{1}))) return;
        kill();
        wait(Deadline{});
    }

private:
    platform::Child process_;
    const ProcessIdentity identity_;
    const Incarnation name_;
    Block record_;
    Block message_; // what it was told, until it has ended
    platform::Handle alive_;
    std::mutex mutex_;
    std::optional<platform::Ending> ending_;
    std::string refusal_;
};

/// The children that this process has started and not yet seen end, and what is left of those that have.
class Children : public ForkSafe {
public:
    static constexpr StateSlot slot = StateSlot::children;

    void add(std::shared_ptr<ChildProcess> child) {
        std::lock_guard lock{mutex};
        running_.push_back(std::move(child));
    }

    /// Those that run; notices which have ended.
    std::vector<std::shared_ptr<ChildProcess>> running() {
        std::vector<std::shared_ptr<ChildProcess>> children;
        {
            std::lock_guard lock{mutex};
            children = running_;
        }
        std::erase_if(children, [](const auto& child) { return child->poll().has_value(); });
        return children;
    }

    /// Called by the child itself when its end has been seen.
    void remove(const ChildProcess& child, Remains remains) {
        {
            std::lock_guard lock{mutex};
            std::erase_if(running_, [&](const auto& other) { return other.get() == &child; });
            remains_.push_back(std::move(remains));
        }
        bury();
    }

    /// Takes back the memory of the dead whose descendants are gone too, and ends the leases that they held.
    void bury() {
        std::vector<Remains> gone;
        {
            std::lock_guard lock{mutex};
            // Who never touched the Space has started nobody, as a child needs a record there.
            const auto kept = std::partition(remains_.begin(), remains_.end(), [](const Remains& remains) {
                return remains.touched && !platform::at_end(remains.alive);
            });
            std::move(kept, remains_.end(), std::back_inserter(gone));
            remains_.erase(kept, remains_.end());
        }
        for (const Remains& remains : gone) {
            if (remains.touched) tree().heap.adopt(remains.name);
            leases().end(remains.name);
        }
    }

    /// At the end of this process: the daemonic ones are ended, the others waited for, as in Python.
    void end_all() {
        const auto children = running();
        for (const auto& child : children) {
            if (child->identity().daemon) child->terminate();
        }
        for (const auto& child : children) {
            if (child->identity().daemon) child->end();
        }
        for (const auto& child : children) child->wait(Deadline{});
    }

    void after_fork(bool in_child) {
        if (in_child) { // they are the parent's
            running_.clear();
            remains_.clear();
        }
        ForkSafe::after_fork(in_child);
    }

private:
    std::vector<std::shared_ptr<ChildProcess>> running_;
    std::vector<Remains> remains_;
};

inline Children& children() { return process_wide<Children>(); }

inline std::optional<platform::Ending> ChildProcess::poll() {
    std::unique_lock lock{mutex_};
    if (ending_) return ending_;
    std::optional<platform::Ending> ending = process_.poll();
    if (!ending) return std::nullopt;

    const ChildRecord& record = tree().space.at<ChildRecord>(record_.position());
    const ChildStage stage = record.stage.load(std::memory_order_acquire);
    // Somebody else waited for our child, or SIGCHLD is ignored: what it said itself is then all that is known.
    if (!ending->exitcode && stage == ChildStage::ended)
        ending->exitcode = record.exitcode.load(std::memory_order_relaxed);
    Remains remains{name_, std::move(alive_), record.touched.load(std::memory_order_acquire) != 0};
    const std::string refusal = stage == ChildStage::refused ? record.refusal : "";
    record_ = Block{};
    message_ = Block{};
    ending_ = ending;
    refusal_ = refusal;
    lock.unlock();

    if (stage == ChildStage::started && ending->exitcode && *ending->exitcode >= 0) {
        get_logger().log(LogLevel::warning, "process " + identity_.name + " (pid " + std::to_string(pid()) +
                                                ") ended with exit code " + std::to_string(*ending->exitcode) +
                                                " before it reached freeze_support(): what main() does " +
                                                "before that, and static initialisers, run in every child");
    }
    children().remove(*this, std::move(remains));
    return ending;
}

} // namespace multiprocessing::inline v1::detail
