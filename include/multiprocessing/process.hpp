#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process.hpp  Process: a function that runs in a process of its own. Also the processes
/// that exist already, and the number of processors.

#include <multiprocessing/detail/call/crossing_call.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/launch/child_process.hpp>
#include <multiprocessing/detail/launch/child_start.hpp>
#include <multiprocessing/detail/launch/packed_call.hpp>
#include <multiprocessing/detail/launch/process_target.hpp>
#include <multiprocessing/process/cpu_count.hpp> // for cpu_count
#include <multiprocessing/process/options.hpp>
#include <multiprocessing/process/process_view.hpp> // for current_process
#include <multiprocessing/sentinel.hpp>
#include <multiprocessing/spawn.hpp> // for freeze_support
#include <multiprocessing/timeout.hpp>

#include <concepts>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1 {

/// A function that runs in a process of its own.
///
/// The Process takes the function and the arguments when it is made: the child gets their values of
/// that moment, converted to the types of the parameters. They must be Spawnable; a type that may
/// not cross is a compile error that says why. At its end the child unwinds the function, runs the
/// functions of at_child_exit(), flushes the standard streams and exits: no exit handler and no
/// static destructor of the program runs in it. An exception that leaves the function is printed to
/// standard error; the exit code is 1 then.
///
/// A Process belongs to the process that made it: elsewhere all members throw `std::logic_error`.
/// After close() all members but close() throw `std::invalid_argument`. Only one thread at a time
/// may use one object.
///
/// Python: `multiprocessing.Process`.
class Process final { // no base class: write a struct with operator(), Process p(MyStruct{})
public:
    /// Makes a process that will call `function(arguments...)`.
    template <class Function, class... Arguments>
        requires(!std::same_as<std::decay_t<Function>, Process> &&
                 !std::same_as<std::decay_t<Function>, ProcessOptions>)
    explicit Process(Function&& function, Arguments&&... arguments) // overloaded? wrap it in a lambda
        : state_(make(ProcessOptions{})) {
        // Not by the other constructor: the compiler would show that before the user's line.
        if constexpr (!detail::CrossingCall<std::decay_t<Function>, Arguments...>::template ok_as<Function>) {
            detail::refuse<detail::call_refusal<std::decay_t<Function>, Arguments...>>();
        } else {
            take_call(std::forward<Function>(function), std::forward<Arguments>(arguments)...);
        }
    }

    /// Makes a process with a name, as a daemon, by a start method of its own, and so on. Throws
    /// `std::invalid_argument` for a start method that this platform does not have, or a null
    /// pointer to a function.
    template <class Function, class... Arguments>
    // Compilers show the next line in errors: it has to stay one.
    // clang-format off
    Process(ProcessOptions o, Function&& f, Arguments&&... a) // ({.name = "x"}, f, a...); wrap overloaded f in a lambda
        // clang-format on
        : state_(make(std::move(o))) {
        if constexpr (!detail::CrossingCall<std::decay_t<Function>, Arguments...>::template ok_as<Function>) {
            detail::refuse<detail::call_refusal<std::decay_t<Function>, Arguments...>>();
        } else {
            take_call(std::forward<Function>(f), std::forward<Arguments>(a)...);
        }
    }
    explicit Process(detail::PythonProcess) = delete; // in C++: Process p(f, arguments...)
    Process() = delete; // nor is it a base class: write a struct with operator(), Process p(MyStruct{})

    Process(Process&& other) noexcept = default;
    /// Does what the destructor does, then takes over `other`.
    Process& operator=(Process&& other);

    /// Waits for a child that runs, or ends it if it is a daemon. While an exception unwinds the
    /// stack, it waits for one second, then ends the child and logs that, as the child may wait for
    /// something that never comes.
    ~Process() { finish(); }

    /// Starts the child. Throws `std::logic_error` if it was started before, `std::runtime_error`
    /// if main() did not call freeze_support(), `std::system_error` if the system has no room for
    /// another process. Nothing was started then. Python: `start()`.
    void start();

    /// Waits until the child has ended; returns false after the timeout. Throws `std::logic_error`
    /// before start(). Python: `join(timeout)`, which returns None.
    bool join(Timeout timeout = no_timeout);

    /// Returns whether the child was started and has not ended. Python: `is_alive()`.
    bool is_alive() const;

    /// Sends SIGINT to the child. Without a handler of the program the exit code is -SIGINT. Does
    /// nothing if the child has ended. Throws `std::logic_error` before start(). Windows: throws
    /// `std::system_error`. Python 3.14: `interrupt()`.
    void interrupt();
    /// Sends SIGTERM to the child, whose own children end with it. Does nothing if the child has
    /// ended. Throws `std::logic_error` before start(). Windows: ends the child at once. Python:
    /// `terminate()`.
    void terminate();
    /// Sends SIGKILL to the child; otherwise as terminate(). Windows: ends the child at once.
    /// Python: `kill()`.
    void kill();

    /// Releases the resources of a child that has ended or was never started. Throws
    /// `std::invalid_argument` while it runs. A second close() does nothing. Python: `close()`.
    void close();

    const std::string& name() const { return usable().request.identity.name; }
    /// Sets the name, which is for people only. A child that runs keeps the name that it was
    /// started with. Python: `name`.
    void set_name(std::string name);

    /// Returns whether the child is a daemon: terminated, not waited for, when its parent ends.
    /// Python: `daemon`.
    bool daemon() const { return usable().request.identity.daemon; }
    /// Sets whether the child is a daemon. Throws `std::logic_error` after start().
    void set_daemon(bool daemon);

    /// Returns the key by which the processes of the family authenticate each other: 32 random
    /// bytes unless set. Python: `authkey`.
    const std::string& authkey() const { return usable().request.identity.authkey; }
    /// Sets the key. A child that runs keeps the key that it was started with.
    void set_authkey(std::string key);

    /// Returns the process id; nullopt before start(). Python: `pid`.
    std::optional<int> pid() const;

    /// Returns the exit code: nullopt before start() and while the child runs; -signum if a signal
    /// ended it; 1 after an uncaught exception. Also nullopt if the program waits for all children
    /// by itself, or ignores SIGCHLD, and the child could not store its code. Python: `exitcode`.
    std::optional<int> exitcode() const;

    /// Returns `<Process name='Process-1' pid=7 parent=1 stopped exitcode=-SIGKILL>`, or with
    /// initial, started or closed in place of stopped; `unknown` in another process and after a
    /// move. Python: `repr(p)`.
    std::string repr() const;

    /// Returns a handle that is ready when the child has ended; valid as long as this Process.
    /// Throws `std::invalid_argument` before start(). Python: `sentinel`.
    Sentinel sentinel() const;

private:
    struct State {
        detail::LaunchRequest request;
        bool method_given = false;
        std::shared_ptr<detail::ChildProcess> child; // from start() on
        bool closed = false;
        detail::ForkOrigin origin = {};
        int parent = detail::platform::current_pid();
        int exceptions = std::uncaught_exceptions();
    };

    static std::unique_ptr<State> make(ProcessOptions options);

    /// Takes over the function and the arguments.
    template <class Function, class... Arguments>
    void take_call(Function&& function, Arguments&&... arguments) {
        using Target = detail::ProcessTarget<std::decay_t<Function>, Arguments...>;
        state_->request.call =
            detail::pack_call<Target>(std::forward<Function>(function), std::forward<Arguments>(arguments)...);
    }

    State& usable() const;

    detail::ChildProcess& started(const char* call) const;

    void finish() noexcept;

    std::unique_ptr<State> state_;
};

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/launch/child_mask.hpp>
#include <multiprocessing/detail/launch/launch.hpp>
#include <multiprocessing/detail/launch/process_text.hpp>
#include <multiprocessing/detail/this_process.hpp>
#include <multiprocessing/environment.hpp>
#include <multiprocessing/start_method.hpp>
#include <multiprocessing/util.hpp>

#include <chrono>
#include <mutex>
#include <stdexcept>

namespace multiprocessing::inline v1 {

MULTIPROCESSING_INLINE Process& Process::operator=(Process&& other) {
    if (this != &other) {
        finish();
        state_ = std::move(other.state_);
    }
    return *this;
}

MULTIPROCESSING_INLINE void Process::start() {
    State& state = usable();
    if (state.child)
        throw std::logic_error("multiprocessing: " + state.request.identity.name +
                               " was started before: a Process runs once, make another");
    if (!state.method_given) state.request.method = get_start_method();
    state.request.mask = detail::child_mask();
    state.child = detail::launch(state.request);
    state.request.call = {}; // the child has it
}

MULTIPROCESSING_INLINE bool Process::join(Timeout timeout) {
    return started("join").wait(detail::Deadline::after(timeout));
}

MULTIPROCESSING_INLINE bool Process::is_alive() const {
    const State& state = usable();
    return state.child && !state.child->poll();
}

MULTIPROCESSING_INLINE void Process::interrupt() { started("interrupt").interrupt(); }

MULTIPROCESSING_INLINE void Process::terminate() { started("terminate").terminate(); }

MULTIPROCESSING_INLINE void Process::kill() { started("kill").kill(); }

MULTIPROCESSING_INLINE void Process::close() {
    if (state_ && state_->closed) return;
    if (is_alive()) {
        throw std::invalid_argument("multiprocessing: " + name() +
                                    " still runs; join() or terminate() it before close()");
    }
    state_->child.reset();
    state_->closed = true;
}

MULTIPROCESSING_INLINE void Process::set_name(std::string name) {
    usable().request.identity.name = std::move(name);
}

MULTIPROCESSING_INLINE void Process::set_daemon(bool daemon) {
    State& state = usable();
    if (state.child)
        throw std::logic_error("multiprocessing: " + name() +
                               " was started; set_daemon() belongs before start()");
    state.request.identity.daemon = daemon;
}

MULTIPROCESSING_INLINE void Process::set_authkey(std::string key) {
    usable().request.identity.authkey = std::move(key);
}

MULTIPROCESSING_INLINE std::optional<int> Process::pid() const {
    const State& state = usable();
    return state.child ? std::optional(state.child->pid()) : std::nullopt;
}

MULTIPROCESSING_INLINE std::optional<int> Process::exitcode() const {
    const State& state = usable();
    const auto ending = state.child ? state.child->poll() : std::nullopt;
    return ending ? ending->exitcode : std::nullopt;
}

MULTIPROCESSING_INLINE std::string Process::repr() const {
    if (!state_) return "<Process unknown>";
    const auto& identity = state_->request.identity;
    if (!state_->origin.is_here()) return detail::shown_process(identity, 0, state_->parent, "unknown");
    if (state_->closed) return detail::shown_process(identity, 0, state_->parent, "closed");
    if (!state_->child) return detail::shown_process(identity, 0, state_->parent, "initial");
    return detail::shown_child(*state_->child, state_->parent);
}

MULTIPROCESSING_INLINE Sentinel Process::sentinel() const {
    const State& state = usable();
    if (!state.child)
        throw std::invalid_argument("multiprocessing: " + name() +
                                    " has no sentinel before start(): start() it first");
    return Sentinel{state.child->sentinel().native()};
}

MULTIPROCESSING_INLINE std::unique_ptr<Process::State> Process::make(ProcessOptions options) {
    if (options.start_method) detail::require_available(*options.start_method);
    detail::check_environment(options.env);
    detail::ProcessIdentity identity;
    {
        detail::ThisProcess& me = detail::this_process();
        std::lock_guard lock{me.mutex};
        identity = {std::move(options.name), options.daemon.value_or(me.identity.daemon), me.key()};
    }
    if (identity.name.empty()) identity.name = detail::next_process_name();
    auto state = std::make_unique<State>();
    state->request.method = options.start_method.value_or(StartMethod::spawn);
    state->request.identity = std::move(identity);
    state->request.env = std::move(options.env);
    state->request.cwd = std::move(options.cwd);
    state->method_given = options.start_method.has_value();
    return state;
}

MULTIPROCESSING_INLINE Process::State& Process::usable() const {
    if (!state_)
        throw std::logic_error(
            "multiprocessing: this Process was moved away: use the one that it was moved to");
    if (state_->closed)
        throw std::invalid_argument("multiprocessing: this Process is closed: ask it before close()");
    state_->origin.require_here("this Process", "pass what it is to tell as an argument");
    return *state_;
}

MULTIPROCESSING_INLINE detail::ChildProcess& Process::started(const char* call) const {
    const State& state = usable();
    if (!state.child) {
        throw std::logic_error(std::string("multiprocessing: ") + call + "() of " + name() +
                               ", which was not started");
    }
    return *state.child;
}

MULTIPROCESSING_INLINE void Process::finish() noexcept {
    if (!state_ || !state_->child || !state_->origin.is_here()) return;
    try {
        detail::ChildProcess& child = *state_->child;
        if (child.poll()) return;
        const bool unwinding = std::uncaught_exceptions() > state_->exceptions;
        if (child.identity().daemon) {
            child.end();
        } else if (!unwinding) {
            child.wait(detail::Deadline{});
        } else if (!child.wait(detail::Deadline::after(std::chrono::seconds{1}))) {
            get_logger().log(LogLevel::warning, "an exception leaves the scope of " + child.identity().name +
                                                    ", which still runs: it is terminated");
            child.end();
        }
    } catch (const std::exception& error) {
        get_logger().log(LogLevel::error, std::string("at the end of a Process: ") + error.what());
    }
}

} // namespace multiprocessing::inline v1

#endif // MULTIPROCESSING_BODIES
