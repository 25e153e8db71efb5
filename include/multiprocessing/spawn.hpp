#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file spawn.hpp  Where a program that was started as a child finds out, and what its start can
/// be told beforehand.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/exit_hooks.hpp>
#include <multiprocessing/detail/launch/janitor.hpp>
#include <multiprocessing/detail/launch/launch.hpp>
#include <multiprocessing/detail/this_process.hpp>

#include <concepts>
#include <filesystem>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <utility>

namespace multiprocessing::inline v1 {

/// Belongs first into main(), preceded only by register_exception(). In the program itself it does
/// nothing. In a process that was started by spawn, or as the fork server, it runs what that
/// process is for, and does not return.
///
/// What comes before it, and static initialisers, run again in every such process. A program whose
/// main() belongs to a framework links the CMake target `multiprocessing::main` instead.
///
/// A process takes the child's role from its command line, which its starter chooses; so it looks
/// who that was. The shared memory must have been made with its own ids (or root's), by a parent
/// that runs this very program. What remains: a process of the same user can make this program run
/// any of its functions, as it could by a debugger. A program with raised rights (setuid, setgid,
/// file capabilities) also demands that its parent has that memory mapped; where /proc does not
/// show that, it refuses to be a child, and starts its own by the start method fork. Landlock rules
/// that are added after the first start by the fork server do not bind its children, as the system
/// does not show them: use spawn, or add them before.
///
/// Python: `multiprocessing.freeze_support()`, and `if __name__ == "__main__":`.
inline void freeze_support() {
    detail::ThisProcess& me = detail::this_process();
    if (me.is_prepared()) return;
    me.prepare();
    me.start_janitor = detail::start_janitor;
    detail::enter_if_janitor();
    detail::enter_if_spawned();
    detail::platform::remember_program(); // for a time when the system does not say any more
}

/// Which program file spawn and the fork server run, from the next start on. It must be the same
/// build as this program. Throws `std::invalid_argument` if there is no such file. Python:
/// `multiprocessing.set_executable(path)`.
inline void set_executable(std::filesystem::path path) {
    if (!std::filesystem::exists(path))
        throw std::invalid_argument("multiprocessing: there is no program " + path.string());
    auto& launching = detail::process_wide<detail::LaunchState>();
    std::lock_guard lock{launching.mutex};
    launching.executable = std::move(path);
}

/// A function that the fork server runs once, before it serves: children then share what it loaded,
/// copy-on-write. It may take long, but not wait for long: after 15 seconds without any use of a
/// processor the start throws ProcessError. It should not leave threads behind, beside which the
/// server cannot be copied: children are spawned then, and each runs the function. A server that is
/// replaced, as the rights of the program have changed, runs it again. Takes effect if no process
/// was started by forkserver yet. Python: `multiprocessing.set_forkserver_preload(modules)`.
inline void set_forkserver_preload(void (*preload)()) {
    auto& launching = detail::process_wide<detail::LaunchState>();
    std::lock_guard lock{launching.mutex};
    launching.preload = preload;
}

/// Has `function()` called at the end of this child, after its target and before its streams are
/// flushed; last registered first. What it throws is logged. It may call std::exit(), whose code is
/// the child's then. In the main process it is never called: use std::atexit there. Python:
/// `multiprocessing.util.Finalize`, `atexit.register`.
template <std::invocable Function>
void at_child_exit(Function function) {
    detail::process_wide<detail::ExitHooks>().add(std::function<void()>(std::move(function)));
}

} // namespace multiprocessing::inline v1
