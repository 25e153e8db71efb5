#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process.hpp  Processes that run a function: starting them, waiting for them, ending them,
/// asking who is who.

#include <multiprocessing/detail/call/crossing_call.hpp>
#include <multiprocessing/detail/call/refused.hpp>
#include <multiprocessing/detail/code/thunk.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/launch/child_process.hpp>
#include <multiprocessing/detail/launch/exit_hooks.hpp>
#include <multiprocessing/detail/launch/launch.hpp>
#include <multiprocessing/detail/platform/backtrace.hpp>
#include <multiprocessing/detail/platform/resources.hpp>
#include <multiprocessing/detail/platform/signals.hpp>
#include <multiprocessing/detail/shared_object/text_form.hpp>
#include <multiprocessing/detail/this_process.hpp>
#include <multiprocessing/environment.hpp>
#include <multiprocessing/spawn.hpp>
#include <multiprocessing/start_method.hpp>
#include <multiprocessing/timeout.hpp>
#include <multiprocessing/util.hpp>

#include <chrono>
#include <compare>
#include <concepts>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1 {

/// How a Process is made; what is not given is inherited, or made up.
struct ProcessOptions {
    std::string name = {};           ///< Default: `Process-1`, `Process-1:2` for a child of that.
    std::optional<bool> daemon = {}; ///< Ended, not waited for, when its parent ends. Default: as its parent.
    std::optional<StartMethod> start_method = {}; ///< Default: get_start_method().
    /// What is different in the child's environment. (Static initialisers see it as well where the
    /// child is made by spawn on POSIX; elsewhere they have run before.)
    Environment env = {};
    std::optional<std::filesystem::path> cwd =
        {}; ///< The folder that the child works in. Default: its parent's.
};

/// Becomes ready when a process ends; for `connection::wait`. Refers to the process, without owning
/// it.
class Sentinel {
public:
    explicit Sentinel(detail::platform::NativeHandle handle) noexcept : handle_(handle) {}

    /// The handle of the operating system: a descriptor that polls readable, or a Windows HANDLE.
    detail::platform::NativeHandle native_handle() const noexcept { return handle_; }

    friend bool operator==(const Sentinel&, const Sentinel&) noexcept = default;

private:
    detail::platform::NativeHandle handle_;
};

/// Another process of the family, as `current_process()`, `parent_process()` and
/// `active_children()` show it. Python: the `Process` objects that these return.
class ProcessView {
public:
    const std::string& name() const noexcept { return identity_.name; }
    int pid() const noexcept { return pid_; }
    bool daemon() const noexcept { return identity_.daemon; }
    const std::string& authkey() const noexcept { return identity_.authkey; }

    /// `<Process name='Process-1' pid=7 parent=1 started daemon>`,
    /// `<_MainProcess name='MainProcess' parent=None started>`. Python: `repr(process)`.
    std::string repr() const;

    /// Whether it still runs. A parent's end ends its children, so for the parent this is true as
    /// long as anybody asks.
    bool is_alive() const { return !child_ || !child_->poll(); }

    /// Ends a child as Process does. Throw `std::logic_error` for the current process and the
    /// parent.
    void terminate() const { child("terminate").terminate(); }
    void kill() const { child("kill").kill(); }

    /// Of a child that has ended, as Process::exitcode(); nullopt of all others.
    std::optional<int> exitcode() const {
        const auto ending = child_ ? child_->poll() : std::nullopt;
        return ending ? ending->exitcode : std::nullopt;
    }

    /// Waits until it has ended; false when the time is over. Throws `std::logic_error` for the
    /// current process.
    bool join(Timeout timeout = no_timeout) const {
        const auto deadline = detail::Deadline::after(timeout);
        if (child_) return child_->wait(deadline);
        if (pid_ == detail::platform::current_pid())
            throw std::logic_error(
                "multiprocessing: join() of the current process would wait for itself: join others");
        // The parent: when it ends, this wait ends with us.
        detail::platform::wait_any({}, deadline);
        return false;
    }

private:
    friend ProcessView current_process();
    friend std::optional<ProcessView> parent_process();
    friend std::vector<ProcessView> active_children();

    ProcessView(detail::ProcessIdentity identity, int pid, std::shared_ptr<detail::ChildProcess> child)
        : identity_(std::move(identity)), pid_(pid), child_(std::move(child)) {}

    detail::ChildProcess& child(const char* call) const {
        if (child_) return *child_;
        throw std::logic_error(std::string("multiprocessing: ") + call + "() of " + identity_.name +
                               ": it is no child of this process; let it end by itself");
    }

    detail::ProcessIdentity identity_;
    int pid_;
    std::shared_ptr<detail::ChildProcess> child_; // none: this process, or its parent
};

namespace detail {

/// The text form of a process. `pid` and `parent`: 0 where there is none to be shown.
inline std::string shown_process(const ProcessIdentity& identity, int pid, int parent, const char* state,
                                 std::optional<int> exitcode = {}, const char* kind = "Process") {
    std::string text = std::string("<") + kind + " name=" + shown(identity.name);
    if (pid) text += " pid=" + std::to_string(pid);
    text += " parent=" + (parent ? std::to_string(parent) : "None");
    text.append(" ").append(state);
    if (exitcode)
        text += " exitcode=" +
                (*exitcode < 0 ? "-" + platform::signal_name(-*exitcode) : std::to_string(*exitcode));
    if (identity.daemon) text += " daemon";
    return text + ">";
}
inline std::string shown_child(ChildProcess& child, int parent) {
    const auto ending = child.poll();
    return shown_process(child.identity(), child.pid(), parent, ending ? "stopped" : "started",
                         ending ? ending->exitcode : std::nullopt);
}

} // namespace detail

inline std::string ProcessView::repr() const {
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

/// The calling process. Python: `multiprocessing.current_process()`.
inline ProcessView current_process() {
    detail::ThisProcess& me = detail::this_process();
    std::lock_guard lock{me.mutex};
    me.key();
    return {me.identity, detail::platform::current_pid(), nullptr};
}

/// The process that started the calling one; nullopt in the main process. Python:
/// `multiprocessing.parent_process()`.
inline std::optional<ProcessView> parent_process() {
    detail::ThisProcess& me = detail::this_process();
    std::lock_guard lock{me.mutex};
    if (!me.parent) return std::nullopt;
    return ProcessView{me.parent->identity, me.parent->pid, nullptr};
}

/// The running children of the calling process; takes notice of those that have ended.
/// Python: `multiprocessing.active_children()`.
inline std::vector<ProcessView> active_children() {
    std::vector<ProcessView> views;
    for (const auto& child : detail::children().running())
        views.push_back({child->identity(), child->pid(), child});
    return views;
}

/// Logical processors of the machine. Python: `multiprocessing.cpu_count()`.
inline int cpu_count() { return detail::platform::machine_processors(); }

/// How many of them the calling process may use: its affinity and, on Linux, its control group's
/// quota. Python: `os.process_cpu_count()`.
inline int process_cpu_count() { return detail::platform::allowed_processors(); }

namespace detail {

/// The main function of a Process: reads the call, makes it, throws its result away.
template <class F, class... Argument>
struct ProcessTarget {
    static void run(TargetFrame& frame) {
        using Call = CrossingCall<F, Argument...>;
        const platform::UserCode mark;
        ReceivedArguments taking{frame.given, frame.handles};
        Reader reader{frame.payload, &taking};
        auto call = ReceivedCall<F, typename Call::Carried>::read(reader);
        ReceivedArguments::fulfil(frame.given);
        static_cast<void>(Call::invoke(call.function, call.arguments));
    }
};

/// The keyword arguments of Python's Process, for an error that says how it is written here.
struct PythonProcess {
    Refused group = {};
    Keyword target;
    Refused name = {};
    Refused args = {};
    Refused kwargs = {};
    Refused daemon = {};
};

} // namespace detail

/// A function that runs in a process of its own.
///
/// Function and arguments are taken over when the Process is made: the child sees them as they were
/// then, converted to the parameters' types. They must be Spawnable; what may not cross is an error
/// of the compiler that says why. The child ends by unwinding the function, running the functions
/// of at_child_exit(), flushing the standard streams, and leaving: no exit handler or static
/// destructor of the program runs in it. An exception that leaves the function is printed whole on
/// standard error; the exit code is 1.
///
/// Belongs to the process that made it: in any other, all members throw `std::logic_error`. After
/// close() all but close() throw `std::invalid_argument`. One object is not to be used by several
/// threads at once.
///
/// Python: `multiprocessing.Process`.
class Process final { // no base class: write a struct with operator(), Process p(MyStruct{})
public:
    /// A process that will call `function(arguments...)`.
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

    /// The same with a name, as a daemon, or by a start method of its own. Throws
    /// `std::invalid_argument` for a start method that this platform does not have, or a null
    /// pointer to a function.
    template <class Function, class... Arguments>
    Process(ProcessOptions o, Function&& f,
            Arguments&&... a) // ({.name = "x"}, f, a...); wrap overloaded f in a lambda
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
    /// Behaves as the destructor first.
    Process& operator=(Process&& other) {
        if (this != &other) {
            finish();
            state_ = std::move(other.state_);
        }
        return *this;
    }

    /// Waits for a child that runs; ends it instead if it is a daemon. While an exception unwinds,
    /// waits for a second only and then ends the child, and logs that: what the child waits for may
    /// never come.
    ~Process() { finish(); }

    /// Starts the child. Throws `std::logic_error` if it was started before, `std::runtime_error`
    /// if main() did not call freeze_support(), `std::system_error` if the system has no room for
    /// another process: then nothing was started.
    void start() {
        State& state = usable();
        if (state.child)
            throw std::logic_error("multiprocessing: " + state.request.identity.name +
                                   " was started before: a Process runs once, make another");
        if (!state.method_given) state.request.method = get_start_method();
        state.request.mask = detail::platform::SignalMask::of_caller();
        state.child = detail::launch(state.request);
        state.request.payload = {}; // the child has them
        state.request.given = {};
        state.request.handles = {};
    }

    /// Waits until the child has ended; false when the time is over.
    bool join(Timeout timeout = no_timeout) { return started("join").wait(detail::Deadline::after(timeout)); }

    /// Whether it was started and has not ended.
    bool is_alive() const {
        const State& state = usable();
        return state.child && !state.child->poll();
    }

    /// Sends SIGINT; without a handler of the program's the exit code is -SIGINT. Windows: throws
    /// `std::system_error`.
    void interrupt() { started("interrupt").interrupt(); }
    /// Sends SIGTERM; Windows: ends it at once. Its own children end with it.
    void terminate() { started("terminate").terminate(); }
    /// Sends SIGKILL; Windows: ends it at once.
    void kill() { started("kill").kill(); }

    /// Gives up what is held for a child that has ended or was never started. Throws
    /// `std::invalid_argument` while it runs. Closing once more does no harm.
    void close() {
        if (state_ && state_->closed) return;
        if (is_alive()) {
            throw std::invalid_argument("multiprocessing: " + name() +
                                        " still runs; join() or terminate() it before close()");
        }
        state_->child.reset();
        state_->closed = true;
    }

    const std::string& name() const { return usable().request.identity.name; }
    /// Has no meaning but for people; a child that runs already keeps the name it was started with.
    void set_name(std::string name) { usable().request.identity.name = std::move(name); }

    bool daemon() const { return usable().request.identity.daemon; }
    /// Throws `std::logic_error` after start().
    void set_daemon(bool daemon) {
        State& state = usable();
        if (state.child)
            throw std::logic_error("multiprocessing: " + name() +
                                   " was started; set_daemon() belongs before start()");
        state.request.identity.daemon = daemon;
    }

    /// The key by which the family's processes know each other; 32 random bytes unless set.
    const std::string& authkey() const { return usable().request.identity.authkey; }
    void set_authkey(std::string key) { usable().request.identity.authkey = std::move(key); }

    /// Its process id; nullopt before start().
    std::optional<int> pid() const {
        const State& state = usable();
        return state.child ? std::optional(state.child->pid()) : std::nullopt;
    }

    /// nullopt before start() and while it runs; -signum if a signal ended it; 1 after an uncaught
    /// exception. Also nullopt if the program waits for all children by itself, or ignores SIGCHLD,
    /// and the child could not leave its code.
    std::optional<int> exitcode() const {
        const State& state = usable();
        const auto ending = state.child ? state.child->poll() : std::nullopt;
        return ending ? ending->exitcode : std::nullopt;
    }

    /// `<Process name='Process-1' pid=7 parent=1 stopped exitcode=-SIGKILL>`; or initial, started,
    /// closed; unknown in a process that it does not belong to, and after a move. Python:
    /// `repr(p)`.
    std::string repr() const {
        if (!state_) return "<Process unknown>";
        const auto& identity = state_->request.identity;
        if (!state_->origin.is_here()) return detail::shown_process(identity, 0, state_->parent, "unknown");
        if (state_->closed) return detail::shown_process(identity, 0, state_->parent, "closed");
        if (!state_->child) return detail::shown_process(identity, 0, state_->parent, "initial");
        return detail::shown_child(*state_->child, state_->parent);
    }

    /// Ready from its end on; valid as long as this Process. Throws `std::invalid_argument` before
    /// start().
    Sentinel sentinel() const {
        const State& state = usable();
        if (!state.child)
            throw std::invalid_argument("multiprocessing: " + name() +
                                        " has no sentinel before start(): start() it first");
        return Sentinel{state.child->sentinel().native()};
    }

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

    static std::unique_ptr<State> make(ProcessOptions options) {
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
        if (options.cwd) state->request.cwd = std::move(*options.cwd);
        state->method_given = options.start_method.has_value();
        return state;
    }

    /// Takes over function and arguments as they are now.
    template <class Function, class... Arguments>
    void take_call(Function&& function, Arguments&&... arguments) {
        using F = std::decay_t<Function>;
        using Call = detail::CrossingCall<F, Arguments...>;
        detail::ChildArgumentContext giving;
        detail::Writer writer{&giving};
        Call::write(writer, function, std::forward<Arguments>(arguments)...);
        detail::LaunchRequest& request = state_->request;
        using Target = detail::ProcessTarget<F, Arguments...>;
        request.target = detail::thunk_address<Target, detail::TargetFrame>();
        request.target_file = detail::thunk_file<Target, detail::TargetFrame>();
        request.payload = writer.take();
        request.given = std::move(giving.objects);
        if (!giving.handles.empty())
            request.handles =
                std::make_shared<const std::vector<detail::platform::Handle>>(std::move(giving.handles));
        Call::consume(std::forward<Function>(function), std::forward<Arguments>(arguments)...);
    }

    State& usable() const {
        if (!state_)
            throw std::logic_error(
                "multiprocessing: this Process was moved away: use the one that it was moved to");
        if (state_->closed)
            throw std::invalid_argument("multiprocessing: this Process is closed: ask it before close()");
        state_->origin.require_here("this Process", "pass what it is to tell as an argument");
        return *state_;
    }

    detail::ChildProcess& started(const char* call) const {
        const State& state = usable();
        if (!state.child) {
            throw std::logic_error(std::string("multiprocessing: ") + call + "() of " + name() +
                                   ", which was not started");
        }
        return *state.child;
    }

    void finish() noexcept {
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
                get_logger().log(LogLevel::warning, "an exception leaves the scope of " +
                                                        child.identity().name +
                                                        ", which still runs: it is terminated");
                child.end();
            }
        } catch (const std::exception& error) {
            get_logger().log(LogLevel::error, std::string("at the end of a Process: ") + error.what());
        }
    }

    std::unique_ptr<State> state_;
};

} // namespace multiprocessing::inline v1
