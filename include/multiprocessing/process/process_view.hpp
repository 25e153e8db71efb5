#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_view.hpp  ProcessView: the current process, its parent and its children.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/child_process.hpp>
#include <multiprocessing/detail/this_process.hpp>
#include <multiprocessing/timeout.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1 {

/// Another process of the family, as `current_process()`, `parent_process()` and
/// `active_children()` return it. Python: the `Process` objects that these return.
class ProcessView {
public:
    const std::string& name() const noexcept { return identity_.name; }
    int pid() const noexcept { return pid_; }
    bool daemon() const noexcept { return identity_.daemon; }
    /// Returns the key by which the processes of the family authenticate each other, in bytes.
    const std::string& authkey() const noexcept { return identity_.authkey; }

    /// Returns `<Process name='Process-1' pid=7 parent=1 started daemon>` or
    /// `<_MainProcess name='MainProcess' parent=None started>`. Python: `repr(process)`.
    std::string repr() const;

    /// Returns whether the process runs. For the parent it is always true, as the end of a parent
    /// ends its children.
    bool is_alive() const { return !child_ || !child_->poll(); }

    /// Ends a child, as Process::terminate() does. Throws `std::logic_error` for the current
    /// process and the parent.
    void terminate() const;
    /// Ends a child, as Process::kill() does. Throws as terminate() does.
    void kill() const;

    /// Returns the exit code of a child that has ended, as Process::exitcode(); nullopt for all
    /// other processes.
    std::optional<int> exitcode() const;

    /// Waits until the process has ended; returns false after the timeout. Throws
    /// `std::logic_error` for the current process.
    bool join(Timeout timeout = no_timeout) const;

private:
    friend ProcessView current_process();
    friend std::optional<ProcessView> parent_process();
    friend std::vector<ProcessView> active_children();

    ProcessView(detail::ProcessIdentity identity, int pid, std::shared_ptr<detail::ChildProcess> child)
        : identity_(std::move(identity)), pid_(pid), child_(std::move(child)) {}

    detail::ChildProcess& child(const char* call) const;

    detail::ProcessIdentity identity_;
    int pid_;
    std::shared_ptr<detail::ChildProcess> child_; // none: this process, or its parent
};

/// Returns the calling process. Python: `multiprocessing.current_process()`.
MULTIPROCESSING_INLINE ProcessView current_process();

/// Returns the process that started the calling one; nullopt in the main process. Python:
/// `multiprocessing.parent_process()`.
MULTIPROCESSING_INLINE std::optional<ProcessView> parent_process();

/// Returns the running children of the calling process, and releases those that have ended. Python:
/// `multiprocessing.active_children()`.
MULTIPROCESSING_INLINE std::vector<ProcessView> active_children();

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/launch/process_text.hpp>
#include <multiprocessing/detail/launch/reaper.hpp>
#include <multiprocessing/detail/platform/wait.hpp>

#include <mutex>
#include <stdexcept>

namespace multiprocessing::inline v1 {

MULTIPROCESSING_INLINE void ProcessView::terminate() const { child("terminate").terminate(); }

MULTIPROCESSING_INLINE void ProcessView::kill() const { child("kill").kill(); }

MULTIPROCESSING_INLINE std::optional<int> ProcessView::exitcode() const {
    const auto ending = child_ ? child_->poll() : std::nullopt;
    return ending ? ending->exitcode : std::nullopt;
}

MULTIPROCESSING_INLINE bool ProcessView::join(Timeout timeout) const {
    const auto deadline = detail::Deadline::after(timeout);
    if (child_) return child_->wait(deadline);
    if (pid_ == detail::platform::current_pid())
        throw std::logic_error(
            "multiprocessing: join() of the current process would wait for itself: join others");
    // The parent: when it ends, this wait ends with us.
    detail::platform::wait_any({}, deadline);
    return false;
}

MULTIPROCESSING_INLINE detail::ChildProcess& ProcessView::child(const char* call) const {
    if (child_) return *child_;
    throw std::logic_error(std::string("multiprocessing: ") + call + "() of " + identity_.name +
                           ": it is no child of this process; let it end by itself");
}

MULTIPROCESSING_INLINE std::string ProcessView::repr() const {
    if (child_) return detail::shown_child(*child_, detail::platform::current_pid());
    if (pid_ != detail::platform::current_pid())
        return detail::shown_process(identity_, 0, 0, "unknown", {}, "_ParentProcess");
    const auto parent = [] {
        detail::ThisProcess& me = detail::this_process();
        std::lock_guard lock{me.mutex};
        return me.parent ? me.parent->pid : 0;
    }();
    return detail::shown_process(identity_, 0, parent, "started", {}, parent ? "Process" : "_MainProcess");
}

MULTIPROCESSING_INLINE ProcessView current_process() {
    detail::ThisProcess& me = detail::this_process();
    std::lock_guard lock{me.mutex};
    me.key();
    return {me.identity, detail::platform::current_pid(), nullptr};
}

MULTIPROCESSING_INLINE std::optional<ProcessView> parent_process() {
    detail::ThisProcess& me = detail::this_process();
    std::lock_guard lock{me.mutex};
    if (!me.parent) return std::nullopt;
    return ProcessView{me.parent->identity, me.parent->pid, nullptr};
}

MULTIPROCESSING_INLINE std::vector<ProcessView> active_children() {
    std::vector<ProcessView> views;
    for (const auto& child : detail::running_children())
        views.push_back({child->identity(), child->pid(), child});
    return views;
}

} // namespace multiprocessing::inline v1

#endif // MULTIPROCESSING_BODIES
