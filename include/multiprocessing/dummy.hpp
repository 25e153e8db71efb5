#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file dummy.hpp  The interface of the library on threads of one process. Python:
/// `multiprocessing.dummy`.

#include <multiprocessing/connection.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/platform/standard_streams.hpp>
#include <multiprocessing/detail/result/local_result.hpp>
#include <multiprocessing/detail/thread_pool/work.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>
#include <multiprocessing/thread_pool.hpp>
#include <multiprocessing/timeout.hpp>
#include <multiprocessing/util.hpp>

#include <atomic>
#include <concepts>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::dummy {

using multiprocessing::operator<<; // found for what is declared here

// Between threads these do what they do between processes. A Lock or RLock belongs to the thread
// that acquired it; items of queues and messages are Serializable, and arrive as copies.
using multiprocessing::Array;
using multiprocessing::Barrier;
using multiprocessing::BoundedSemaphore;
using multiprocessing::Condition;
using multiprocessing::Event;
using multiprocessing::JoinableQueue;
using multiprocessing::Lock;
using multiprocessing::Pipe;
using multiprocessing::Queue;
using multiprocessing::RLock;
using multiprocessing::Semaphore;
using multiprocessing::Value;
using Pool = pool::ThreadPool;

/// A thread, as `current_process()` and `active_children()` return it: a handle, whose copies refer
/// to the same thread. In a copy of this process that fork() made all calls throw
/// `std::logic_error`.
class ProcessView {
public:
    std::string name() const;
    bool daemon() const { return here().daemon; }
    /// Returns whether the thread was started and has not ended.
    bool is_alive() const;
    /// Waits until the thread has ended; returns false after the timeout. Throws `std::logic_error`
    /// if it was not started, or for the calling thread.
    bool join(Timeout timeout = no_timeout) const;
    /// Returns 0 when the thread has ended, 1 after an uncaught exception; nullopt before. Python:
    /// `exitcode`, which is always 0.
    std::optional<int> exitcode() const;
    /// Returns `<DummyProcess(Thread-1, started)>`, or initial, or stopped. Python:
    /// `repr(process)`.
    std::string repr() const;

    friend bool operator==(const ProcessView&, const ProcessView&) noexcept = default;

private:
    friend class Process;
    friend ProcessView current_process();
    friend std::vector<ProcessView> active_children();

    /// Owned by its handles, and by the thread.
    struct State {
        std::mutex mutex;
        std::string name; // under `mutex`
        bool daemon = false;
        std::atomic<bool> is_begun{false};
        detail::LocalResult<void> result;
        detail::ForkOrigin origin;
        std::vector<std::shared_ptr<State>> children; // of that thread alone
        std::function<void()> call;                   // until it begins
        std::thread thread;
    };

    explicit ProcessView(std::shared_ptr<State> state) : state_(std::move(state)) {}

    State& here() const;
    /// Returns the state of the calling thread; made at the first use in a thread that is no
    /// Process.
    static std::shared_ptr<State>& current();

    std::shared_ptr<State> state_;
};

/// A function that runs in a thread of its own: Process, with its interface, on a thread of this
/// process.
///
/// Takes whatever can be invoked, and copies or moves the arguments, which need not be Spawnable.
/// An exception that leaves the function is printed to standard error. A thread cannot be ended:
/// there is neither terminate() nor kill(), and the destructor waits for it, unless it is a daemon.
///
/// Python: `multiprocessing.dummy.Process`.
class Process : public ProcessView {
public:
    /// Makes a thread that will call `function(arguments...)`.
    template <class Function, class... Arguments>
        requires(!std::same_as<std::decay_t<Function>, ProcessOptions> &&
                 detail::CallInThread<std::decay_t<Function>, detail::TaskItem<Arguments...>>::ok)
    explicit Process(Function&& function, Arguments&&... arguments)
        : Process(ProcessOptions{}, std::forward<Function>(function), std::forward<Arguments>(arguments)...) {}
    /// Makes it with a name, or as a daemon. Throws `std::invalid_argument` for options of
    /// processes.
    template <class Function, class... Arguments>
        requires detail::CallInThread<std::decay_t<Function>, detail::TaskItem<Arguments...>>::ok
    Process(ProcessOptions options, Function&& function, Arguments&&... arguments)
        : ProcessView(std::make_shared<State>()) {
        if (options.start_method || options.cwd || !options.env.empty())
            throw std::invalid_argument(
                "multiprocessing: dummy.Process is a thread, which has no start_method, "
                "env and cwd: leave them out, or make a multiprocessing.Process");
        static std::atomic<unsigned> made{0};
        state_->name = options.name.empty() ? "Thread-" + std::to_string(++made) : std::move(options.name);
        state_->daemon = options.daemon.value_or(current()->daemon);
        using F = std::decay_t<Function>;
        using Item = detail::TaskItem<Arguments...>;
        state_->call = [call = std::make_shared<std::pair<F, Item>>(
                            std::forward<Function>(function), Item(std::forward<Arguments>(arguments)...))] {
            detail::CallInThread<F, Item>::invoke(call->first, call->second);
        };
    }

    Process(Process&&) noexcept = default;
    /// Does what the destructor does, then takes over `other`.
    Process& operator=(Process&& other);
    ~Process() { finish(); }

    void set_name(std::string name);
    /// Starts the thread. Throws `std::logic_error` if it was started before, `std::system_error`
    /// if the system has no room for another one.
    void start();

private:
    void finish() noexcept;
};

/// Returns the calling thread. Python: `multiprocessing.dummy.current_process()`.
MULTIPROCESSING_INLINE ProcessView current_process();

/// Returns the running threads that the calling one has started. Python:
/// `multiprocessing.dummy.active_children()`.
MULTIPROCESSING_INLINE std::vector<ProcessView> active_children();

} // namespace multiprocessing::inline v1::dummy

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/exceptions/cause.hpp>

#include <exception>

namespace multiprocessing::inline v1::dummy {

MULTIPROCESSING_INLINE std::string ProcessView::name() const {
    std::lock_guard lock{here().mutex};
    return state_->name;
}

MULTIPROCESSING_INLINE bool ProcessView::is_alive() const { return here().is_begun && !here().result.ready(); }

MULTIPROCESSING_INLINE bool ProcessView::join(Timeout timeout) const {
    if (!here().is_begun || state_ == current())
        throw std::logic_error("multiprocessing: join() of " + name() +
                               ", which is the calling thread or was not started: join others");
    return state_->result.wait(detail::Deadline::after(timeout));
}

MULTIPROCESSING_INLINE std::optional<int> ProcessView::exitcode() const {
    if (!here().result.ready()) return std::nullopt;
    return here().result.error() ? 1 : 0;
}

MULTIPROCESSING_INLINE std::string ProcessView::repr() const {
    return "<DummyProcess(" + name() + ", " +
           (exitcode()   ? "stopped"
            : is_alive() ? "started"
                         : "initial") +
           ")>";
}

MULTIPROCESSING_INLINE ProcessView::State& ProcessView::here() const {
    if (!state_)
        throw std::logic_error(
            "multiprocessing: this dummy.Process was moved away: use the one that it was moved to");
    state_->origin.require_here("this dummy.Process", "make one here");
    return *state_;
}

MULTIPROCESSING_INLINE std::shared_ptr<ProcessView::State>& ProcessView::current() {
    static thread_local std::shared_ptr<State> state;
    if (!state || !state->origin.is_here()) {
        state = std::make_shared<State>();
        state->name = "MainThread";
        state->is_begun = true;
    }
    return state;
}

MULTIPROCESSING_INLINE Process& Process::operator=(Process&& other) {
    if (this != &other) {
        finish();
        ProcessView::operator=(std::move(other));
    }
    return *this;
}

MULTIPROCESSING_INLINE void Process::set_name(std::string name) {
    std::lock_guard lock{here().mutex};
    state_->name = std::move(name);
}

MULTIPROCESSING_INLINE void Process::start() {
    if (here().is_begun.exchange(true))
        throw std::logic_error("multiprocessing: " + name() + " was started before: make another Process");
    detail::ScopeExit not_begun{[this] { state_->is_begun = false; }};
    auto& siblings = current()->children;
    std::erase_if(siblings, [](const auto& sibling) { return sibling->result.ready(); });
    siblings.reserve(siblings.size() + 1);
    state_->thread = std::thread([state = state_] {
        current() = state;
        try {
            std::exchange(state->call, nullptr)();
            state->result.set_value({});
        } catch (...) {
            detail::platform::write_error("Process " + ProcessView(state).name() + ":\n" +
                                          detail::describe_current_exception());
            state->result.set_error(std::current_exception());
        }
    });
    not_begun.release();
    siblings.push_back(state_);
}

MULTIPROCESSING_INLINE void Process::finish() noexcept {
    if (!state_ || !state_->thread.joinable()) return;
    if (!state_->origin.is_here()) {
        new std::thread(std::move(state_->thread)); // it is not here
    } else if (state_->daemon || state_ == current()) {
        state_->thread.detach();
    } else {
        state_->thread.join();
    }
}

MULTIPROCESSING_INLINE ProcessView current_process() { return ProcessView(ProcessView::current()); }

MULTIPROCESSING_INLINE std::vector<ProcessView> active_children() {
    std::vector<ProcessView> running;
    for (const auto& child : ProcessView::current()->children) {
        if (!child->result.ready()) running.push_back(ProcessView(child));
    }
    return running;
}

} // namespace multiprocessing::inline v1::dummy

#endif // MULTIPROCESSING_BODIES
