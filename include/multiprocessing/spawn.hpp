#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file spawn.hpp  freeze_support(), and the settings of a start.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/exit_hooks.hpp>
#include <multiprocessing/detail/process_wide.hpp>

#include <concepts>
#include <filesystem>
#include <functional>
#include <utility>

namespace multiprocessing::inline v1 {

/// Belongs first into main(); only register_exception() comes before it. In the program itself it
/// does nothing. In a process that was started by spawn, or as the fork server, it does the work of
/// that process, and does not return.
///
/// Code before it, and static initialisers, run again in every such process. A program whose main()
/// belongs to a framework links the CMake target `multiprocessing::main` instead.
///
/// A process learns from its command line that it is a child. As anybody can write a command line,
/// it checks its starter: the shared memory must have been made with its own ids (or root's), and
/// its parent must run this program. A process of the same user can still make this program call
/// any of its functions, as it could by a debugger. A program with raised rights (setuid, setgid,
/// file capabilities) also demands that its parent has that memory mapped; where /proc does not
/// show that, it refuses to be a child, and starts its own children by the start method fork.
/// Landlock rules that are added after the first start by the fork server do not bind its children,
/// as the system does not show them: use spawn, or add them before.
///
/// Python: `multiprocessing.freeze_support()`, and `if __name__ == "__main__":`.
MULTIPROCESSING_INLINE void freeze_support();

/// Sets the program file that spawn and the fork server run, from the next start on. It must be of
/// the same build as this program. Throws `std::invalid_argument` if there is no such file. Python:
/// `multiprocessing.set_executable(path)`.
MULTIPROCESSING_INLINE void set_executable(std::filesystem::path path);

/// Sets a function that the fork server calls once, before its first child: all children share its
/// data, copy-on-write. The function may compute for long, but may not wait for long: after 15
/// seconds without processor time the start throws ProcessError. It should leave no threads behind,
/// as a process with threads cannot be copied: children are spawned then, and each calls the
/// function. A server that replaces another one, because the rights of the program have changed,
/// calls it again. Takes effect if no process was started by forkserver yet. Python:
/// `multiprocessing.set_forkserver_preload(modules)`.
MULTIPROCESSING_INLINE void set_forkserver_preload(void (*preload)());

/// Registers `function()` to be called at the end of this child, after its target and before its
/// streams are flushed; the last one registered is called first. Its exceptions are logged. It may
/// call std::exit(), which sets the exit code of the child. In the main process it is never called:
/// use std::atexit there. Python: `multiprocessing.util.Finalize`, `atexit.register`.
template <std::invocable Function>
void at_child_exit(Function function) {
    detail::process_wide<detail::ExitHooks>().add(std::function<void()>(std::move(function)));
}

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/launch/by_spawn.hpp>
#include <multiprocessing/detail/launch/janitor.hpp>
#include <multiprocessing/detail/launch/launch_state.hpp>
#include <multiprocessing/detail/platform/executable.hpp>
#include <multiprocessing/detail/this_process.hpp>

#include <mutex>
#include <stdexcept>

namespace multiprocessing::inline v1 {

MULTIPROCESSING_INLINE void freeze_support() {
    detail::ThisProcess& me = detail::this_process();
    if (me.is_prepared()) return;
    me.prepare();
    me.start_janitor = detail::start_janitor;
    detail::enter_if_janitor();
    detail::enter_if_spawned();
    detail::platform::remember_program(); // for a time when the system does not say any more
}

MULTIPROCESSING_INLINE void set_executable(std::filesystem::path path) {
    if (!std::filesystem::exists(path))
        throw std::invalid_argument("multiprocessing: there is no program " + path.string());
    auto& launching = detail::process_wide<detail::LaunchState>();
    std::lock_guard lock{launching.mutex};
    launching.executable = std::move(path);
}

MULTIPROCESSING_INLINE void set_forkserver_preload(void (*preload)()) {
    auto& launching = detail::process_wide<detail::LaunchState>();
    std::lock_guard lock{launching.mutex};
    launching.preload = preload;
}

} // namespace multiprocessing::inline v1

#endif // MULTIPROCESSING_BODIES
