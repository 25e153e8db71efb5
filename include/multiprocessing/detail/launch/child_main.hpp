#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file child_main.hpp  The life of a child, from its first step to its last: the same under every
/// start method.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/cause.hpp>
#include <multiprocessing/detail/launch/child_start.hpp>
#include <multiprocessing/detail/platform/lifeline.hpp>
#include <multiprocessing/detail/platform/process.hpp>
#include <multiprocessing/detail/platform/standard_streams.hpp>
#include <multiprocessing/start_method.hpp>
#include <multiprocessing/util.hpp>

#include <cstddef>
#include <exception>
#include <span>

namespace multiprocessing::inline v1::detail {

/// Takes the last step of a child, whether its target returned, threw, or called std::exit: nothing
/// of the program's own exit handlers and static destructors runs. A full pipe behind stdout can
/// hold it here until it is ended. May be called again inside of itself, by std::exit(): the last
/// code is the child's.
[[noreturn]] MULTIPROCESSING_INLINE void finish_child(int code);

/// Ends a copy that a fork in the program's code made of this process, and that came back from that
/// code as if it were the original, whose work it would go on with. What it has printed goes out.
/// `code`: "a task".
[[noreturn]] MULTIPROCESSING_INLINE void end_returned_copy(const char* code);

/// Takes the first step: makes this process the child that `start` describes. The tree has been
/// joined. `strand` and `alive` are the ends that its parent prepared for it. Moves from `start`
/// what is not needed afterwards.
MULTIPROCESSING_INLINE void become_child(ChildStart& start, platform::Handle strand, platform::Handle alive);

/// Ends a child that cannot be what it was started for, after it has told that to its parent and on
/// standard error.
[[noreturn]] MULTIPROCESSING_INLINE void refuse_child(const ChildStart& start,
                                                      const std::exception& error) noexcept;

/// Runs the function of set_forkserver_preload().
MULTIPROCESSING_INLINE void run_preload(const CodeAddress& place);

/// Takes on what is different from the parent's surroundings.
MULTIPROCESSING_INLINE void enter_own_surroundings(const ChildStart& start);

/// Takes the second step: runs the target, and ends.
[[noreturn]] MULTIPROCESSING_INLINE void run_child(const ChildStart& start, std::span<const std::byte> payload,
                                                   const Thunk& target);

/// Does so in a child that is no copy of its parent, and has to find the target first.
[[noreturn]] MULTIPROCESSING_INLINE void run_child(const ChildStart& start, std::span<const std::byte> payload);

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/launch/child_process.hpp>
#include <multiprocessing/detail/launch/exit_hooks.hpp>
#include <multiprocessing/detail/launch/launch_state.hpp>
#include <multiprocessing/detail/platform/process_attributes.hpp>
#include <multiprocessing/detail/platform/process_family.hpp>
#include <multiprocessing/detail/platform/signals.hpp>
#include <multiprocessing/detail/space/note_names.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void finish_child(int code) {
    ExitHooks& hooks = process_wide<ExitHooks>();
    // std::exit() forgets a handler before it calls it: the next one would go on to the program's
    // own.
    if (hooks.any()) platform::exit_interception(finish_child);
    hooks.take_over();
    hooks.begins(EndStep::functions);
    hooks.run(finish_child, code);
    if (hooks.begins(EndStep::children)) end_children();
    if (hooks.begins(EndStep::family) && this_process().ends_family) platform::end_descendants();
    if (hooks.begins(EndStep::streams)) platform::flush_standard_streams();
    ThisProcess& me = this_process();
    if (hooks.begins(EndStep::last)) {
        keep_names();
        if (platform::report_before_exit(!me.has_lost_stacks()) && code == 0)
            code = 23; // leaks, as LeakSanitizer's own exit code
    }
    me.record->exitcode.store(code, std::memory_order_relaxed);
    me.record->stage.store(ChildStage::ended, std::memory_order_release);
    platform::exit_now(code);
}

MULTIPROCESSING_INLINE void end_returned_copy(const char* code) {
    get_logger().log(LogLevel::warning, std::string("a copy of this process was made by fork() in ") + code +
                                            ", and has returned from it: it ends here, as only the original "
                                            "goes on; end such a copy with _exit()");
    end_children(); // its own
    platform::flush_standard_streams();
    platform::exit_now(0);
}

MULTIPROCESSING_INLINE void become_child(ChildStart& start, platform::Handle strand, platform::Handle alive) {
    platform::hold(strand); // before all else: from here on it ends with its parent
    ThisProcess& me = this_process();
    me.begin_life();
    {
        std::lock_guard lock{me.mutex};
        me.identity.name = start.identity.name;
        me.identity.daemon = start.identity.daemon;
        me.identity.authkey = std::move(start.identity.authkey);
        me.parent = ParentIdentity{std::move(start.parent), start.parent_pid};
        me.children_named = 0;
        me.strand = std::move(strand);
        me.alive.push_back(std::move(alive));
        // A copy of it belongs to the subtree.
        platform::HandleTraits::keep_in_forked_child(me.alive.back().native());
        me.record = &tree().space.at<ChildRecord>(start.record);
        me.ends_children = false;
        me.ends_family = false;
    }
    process_wide<ExitHooks>().clear();
    me.record->stage.store(ChildStage::entered, std::memory_order_release);
    if (start.serves) me.ignored_interrupt_before = platform::ignore_interrupt(true);
    get_logger().set_level(start.log_level);
    if (start.default_method) set_start_method(*start.default_method, true);
}

MULTIPROCESSING_INLINE void refuse_child(const ChildStart& start, const std::exception& error) noexcept {
    if (ChildRecord* const record = this_process().record) {
        std::strncpy(record->refusal, error.what(), sizeof record->refusal - 1);
        record->stage.store(ChildStage::refused, std::memory_order_release);
    }
    platform::write_error(start.identity.name + ": " + error.what() + "\n");
    platform::exit_now(1);
}

MULTIPROCESSING_INLINE void run_preload(const CodeAddress& place) {
    const void* const preload = resolve(place, 0);
    reinterpret_cast<void (*)()>(reinterpret_cast<std::uintptr_t>(preload))();
}

MULTIPROCESSING_INLINE void enter_own_surroundings(const ChildStart& start) {
    for (const auto& [name, value] : start.env) platform::set_variable(name, value ? value->c_str() : nullptr);
    if (!start.cwd.empty()) std::filesystem::current_path(start.cwd);
}

MULTIPROCESSING_INLINE void run_child(const ChildStart& start, std::span<const std::byte> payload,
                                      const Thunk& target) {
    try {
        enter_own_surroundings(start);
    } catch (const std::exception& error) { refuse_child(start, error); }
    if (platform::exit_interception(finish_child)) {
        // finish_child ends the children, after the functions of at_child_exit(). An exit handler
        // for it, being later, would come before them.
        LaunchState& launching = process_wide<LaunchState>();
        std::lock_guard lock{launching.mutex};
        launching.ends_children = true;
    }
    this_process().record->stage.store(ChildStage::running, std::memory_order_release);
    int code = 0;
    try {
        if (start.has_preload) run_preload(start.preload);
        // Not converted from the vector: the constructor for ranges costs each program 15 ms to
        // compile.
        std::vector<platform::Handle> handles = std::move(this_process().given);
        TargetFrame frame{payload, {start.given.data(), start.given.size()}, {handles.data(), handles.size()}};
        target.entry(&frame);
    } catch (...) {
        // pthread_exit() of the thread that runs the target ends the child: its unwinding may not
        // pass through here, as a forked child would unwind its parent's frames.
        if (platform::is_thread_exit()) finish_child(0);
        code = 1;
        platform::write_error("Process " + start.identity.name + " (pid " +
                              std::to_string(platform::current_pid()) + "):\n" + describe_current_exception());
    }
    finish_child(code);
}

MULTIPROCESSING_INLINE void run_child(const ChildStart& start, std::span<const std::byte> payload) {
    const Thunk* target = nullptr;
    try {
        target = &resolve(start.target, start.target_file);
    } catch (const std::exception& error) { refuse_child(start, error); }
    run_child(start, payload, *target);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
