#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file supervisor.hpp  The one thread of a pool in its parent: it starts workers, sees them end,
/// and replaces them.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/launch/child_process.hpp>
#include <multiprocessing/detail/launch/child_start.hpp>
#include <multiprocessing/detail/platform/process_family.hpp>
#include <multiprocessing/detail/pool/limit_watch.hpp>
#include <multiprocessing/detail/pool/shared_table.hpp>
#include <multiprocessing/detail/pool/supervisor_policy.hpp>
#include <multiprocessing/detail/pool/table.hpp>
#include <multiprocessing/detail/pool/worker_launcher.hpp>
#include <multiprocessing/detail/pool/workforce.hpp>
#include <multiprocessing/environment.hpp>
#include <multiprocessing/timeout.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Keeps a pool's workers running. It sleeps until a worker ends, a deadline comes, or its bell is
/// rung; no lock is held while it waits, and nothing that a worker does can hold it up. (A sink of
/// the log can: the errors of results that were dropped are logged in this thread.) What the system
/// refuses it is tried again; the pool goes on meanwhile.
class Supervisor {
public:
    /// Starts the workers by `plan`, and the thread. If one of them cannot be started, those that
    /// were are ended.
    Supervisor(std::shared_ptr<PoolTable> core, LaunchRequest plan,
               const std::function<Environment(int)>& worker_env, std::uint64_t most_tasks,
               SupervisorPolicy policy);
    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;

    ~Supervisor();

    /// Ends the workers at once, and, if it `kills`, without asking them first. Waiters for a task
    /// get the error of the policy.
    void terminate(bool kills = false);

    bool is_terminated() const noexcept { return terminated_.load(); }

    /// Waits for the thread, which ends when all workers have; false when the deadline passed.
    /// After PoolTable::close() or terminate(). Throws `std::logic_error` in a sink of the log that
    /// this thread itself has called.
    bool join(const Deadline& deadline);

private:
    using Clock = std::chrono::steady_clock;
    using Slot = WorkerSeat;

    /// `replaces`: the line of the worker for whose place it is to wait.
    void start(std::uint32_t index, std::uint32_t number, std::optional<std::uint32_t> replaces = {});

    void run() noexcept;

    static void warn(const char* what, const std::exception& error) noexcept;
    /// False if it threw.
    template <class Do>
    static bool attempt(Do something) noexcept {
        try {
            something();
            return true;
        } catch (const std::exception&) { return false; }
    }

    void all_are_to_be_looked_at() noexcept {
        for (Slot& slot : workers_) slot.may_have_ended = true;
    }

    /// One round: look, deal, sleep. False when all workers have ended for good.
    bool step();

    /// Ends workers for what they are at: a task that was killed.
    void kill_doomed();

    /// Returns what a worker's tasks have started. Nothing if the worker has ended meanwhile, as
    /// its pid may be in use again; nor without memory, as that must not keep the worker alive.
    static std::optional<platform::Descendants> started_by(ChildProcess& worker) noexcept;

    /// Kills a worker with what its tasks have started, which would go on for nobody.
    static void kill(ChildProcess& worker);

    /// Ends those that are at something for too long, or use too much. Returns when to look again.
    Deadline watch_limits();

    /// A worker has grown too large: another one starts, is initialized, and takes its place at the
    /// instant at which it leaves. One at a time: each takes the memory of one worker more.
    void replace(std::uint32_t index, const std::optional<WorkPoint>& point);

    /// The system may be out of processes for a while: then the others carry on, and it is tried
    /// again.
    void try_to_start(std::uint32_t index);

    /// A worker that ends before it has served will probably do so again: the next attempts wait
    /// longer and longer.
    static void put_off(Slot& slot);

    void sleep(const Deadline& until);

    /// Deals with a worker that has ended, retired or died. If it throws, it can be called again.
    void bury(std::uint32_t index);

    /// The initializer threw: its own error is what everybody gets from now on.
    static std::exception_ptr failure_of_initializer(const Parcel& failure) noexcept;

    /// No worker serves, and they go on ending before they do: refused, killed, or out of
    /// something.
    void break_if_hopeless(ChildProcess& process, const platform::Ending& ending);

    void break_pool(const std::exception_ptr& error) { end_pool(error, true); }

    /// Ends all workers. Those that are idle leave in order, those that are busy are asked by a
    /// signal; a second later nobody is asked any more.
    void end_all() noexcept;

    /// Notes which workers are in their initializer, or at a task or chunk in one of these states.
    /// One that has committed and not yet said so is as good as idle.
    void note_busy(TaskState first, TaskState second) noexcept;

    /// Nothing more comes of the pool.
    void end_pool(const std::exception_ptr& error, bool broken) noexcept;

    /// False if it lives on: the system does not let this process end it, as when its task has
    /// become a program of another user, or not yet. Then the pool's memory stays as long as it
    /// does.
    bool end(ChildProcess& process, std::uint32_t index, const Deadline& patience) noexcept;

    static constexpr unsigned most_failures = 100; // in a row, a slice between two
    static constexpr unsigned most_early_ends = 3;

    const std::shared_ptr<PoolTable> core_;
    const SupervisorPolicy policy_;
    const WorkerLauncher launcher_;
    Workforce workers_; // of the thread, once it runs
    LimitWatch limits_;
    std::vector<LimitWatch::Subject> subjects_;
    unsigned early_ends_ = 0; // workers in a row that ended by themselves before they served
    std::atomic<bool> terminated_{false};
    std::atomic<bool> kills_{false};
    std::atomic<bool> has_ended_{false};
    std::vector<platform::NativeHandle> waited_;
    std::atomic<std::thread::id> thread_id_{};
    std::atomic<bool> joining_{false}; // a thread does
    std::thread* thread_ = nullptr;    // a pointer, as a copy that a fork makes of it must not be destroyed
    const ForkOrigin origin_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/platform/crash.hpp>
#include <multiprocessing/detail/platform/signals.hpp>
#include <multiprocessing/detail/platform/wait.hpp>
#include <multiprocessing/detail/pool/worker_loss.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE Supervisor::Supervisor(std::shared_ptr<PoolTable> core, LaunchRequest plan,
                                              const std::function<Environment(int)>& worker_env,
                                              std::uint64_t most_tasks, SupervisorPolicy policy)
    : core_(std::move(core)),
      policy_(std::move(policy)),
      launcher_(core_->position(), core_->workers(), std::move(plan), worker_env, most_tasks, policy_),
      workers_(core_->lines()),
      limits_(*core_, policy_.memory_limit, policy_.recycle_memory) {
    ScopeExit end_started{[this] {
        note_busy(TaskState::run, TaskState::doom);
        end_all();
    }};
    if (!policy_.on_demand && !policy_.starts_none) {
        for (std::uint32_t i = 0; i < core_->workers(); ++i) start(i, i);
    }
    const platform::AllSignalsBlocked program_handles_signals;
    ++this_process().own_threads;
    ScopeExit no_thread{[] { --this_process().own_threads; }};
    thread_ = new std::thread([this] { run(); });
    no_thread.release();
    end_started.release();
}

MULTIPROCESSING_INLINE Supervisor::~Supervisor() {
    if (!origin_.is_here()) return; // in a copy made by a fork there is no such thread; it stays forgotten
    terminate();
    join(Deadline{});
}

MULTIPROCESSING_INLINE void Supervisor::terminate(bool kills) {
    if (kills) kills_.store(true);
    terminated_.store(true);
    core_->bell().ring();
}

MULTIPROCESSING_INLINE bool Supervisor::join(const Deadline& deadline) {
    if (std::this_thread::get_id() == thread_id_.load(std::memory_order_acquire)) {
        throw std::logic_error("multiprocessing: Pool::join() in a sink of the log: the sink runs in the "
                               "thread that would be waited for");
    }
    if (!wait(core_->view().space().parking(), core_->view().shared().supervisor_ended, deadline,
              [this] { return has_ended_.load(std::memory_order_acquire); }))
        return false;
    // Not under a mutex: the thread may be in a sink, which waits for whatever it likes.
    while (joining_.exchange(true, std::memory_order_acquire)) joining_.wait(true, std::memory_order_relaxed);
    const ScopeExit joined{[this] {
        joining_.store(false, std::memory_order_release);
        joining_.notify_all();
    }};
    if (!thread_) return true;
    thread_->join();
    delete std::exchange(thread_, nullptr);
    --this_process().own_threads;
    return true;
}

MULTIPROCESSING_INLINE void Supervisor::start(std::uint32_t index, std::uint32_t number,
                                              std::optional<std::uint32_t> replaces) {
    Slot& slot = workers_[index];
    core_->view().line(index).is_held.store(replaces.has_value(), std::memory_order_release);
    slot.process = launcher_.start(index, number);
    slot.number = number;
    slot.replaces = replaces;
    // From here on the one that leaves lets this one in. If it has left before, bury() does.
    if (replaces) core_->view().line(*replaces).successor.store(index + 1, std::memory_order_release);
    slot.process->keep(core_->kept_leases());
    limits_.forget(index);
}

MULTIPROCESSING_INLINE void Supervisor::run() noexcept {
    thread_id_.store(std::this_thread::get_id(), std::memory_order_release);
    for (unsigned failures = 0;;) {
        try {
            if (!step()) break;
            failures = 0;
        } catch (const std::exception& error) {
            // Out of descriptors or memory in the middle of it, say: each part of a round can
            // be done again.
            if (failures++ == 0) warn("the supervisor of a pool goes on after an error: ", error);
            if (failures == most_failures) {
                warn("the supervisor of a pool failed: ", error);
                end_pool(std::current_exception(), true); // nobody may wait forever
                break;
            }
            all_are_to_be_looked_at();
            std::this_thread::sleep_for(slice);
        }
    }
    attempt([this] { core_->tick(); }); // what was dropped and has ended by now
    core_->callbacks().end();
    has_ended_.store(true, std::memory_order_release);
    post(core_->view().space().parking(), core_->view().shared().supervisor_ended);
}

MULTIPROCESSING_INLINE void Supervisor::warn(const char* what, const std::exception& error) noexcept {
    attempt([&] { get_logger().log(LogLevel::error, std::string(what) + error.what()); });
}

MULTIPROCESSING_INLINE bool Supervisor::step() {
    core_->bell().silence(); // before looking at what it may have been rung for
    for (std::uint32_t i = 0; i < workers_.size(); ++i) {
        if (!workers_[i].may_have_ended) continue;
        if (workers_[i].process && workers_[i].process->look()) bury(i);
        workers_[i].may_have_ended = false;
    }
    const bool leaving = terminated_.load() || this_process().ends_children.load();
    if (leaving) {
        end_pool(policy_.terminated(), false);
        return false;
    }
    kill_doomed();
    const bool chores = core_->tick();
    const bool closed = core_->close_shared();
    // While the pool is open every worker is replaced; later only if there is something that
    // nobody has taken.
    // (Once they know that nothing more comes, they would leave at once while something waits for
    // its next attempt.)
    const bool ending = core_->view().shared().closing.load(std::memory_order_relaxed) != 0;
    const bool needed =
        !policy_.starts_none && !core_->broken() && (!(closed || ending) || core_->has_waiting());
    Deadline wake_up;
    std::uint32_t running = workers_.running();
    const std::uint32_t wanted = core_->demand().wanted();
    for (std::uint32_t i = 0; i < workers_.size() && needed && running < wanted; ++i) {
        Slot& slot = workers_[i];
        if (slot.process) continue;
        if (Clock::now() >= slot.start_at) try_to_start(i);
        if (slot.process) {
            ++running;
        } else {
            wake_up = wake_up.sooner(Deadline::after(slot.start_at - Clock::now()));
        }
    }
    // Where tasks run in the caller there is no worker to wait for, but the pool may be terminated.
    const bool callers_work = closed && policy_.starts_none && core_->has_unfinished();
    if (running == 0 && closed && !needed && !callers_work) return false;
    if (callers_work) wake_up = wake_up.sooner(Deadline::after(slice));
    if (chores) wake_up = wake_up.sooner(Deadline::after(slice));
    if (const auto next = core_->next_announcement())
        wake_up = wake_up.sooner(Deadline::after(*next - Clock::now()));
    wake_up = wake_up.sooner(watch_limits());
    if (tree().heap.trim_unused()) wake_up = wake_up.sooner(Deadline::after(std::chrono::seconds{1}));
    sleep(wake_up);
    return true;
}

MULTIPROCESSING_INLINE void Supervisor::kill_doomed() {
    for (const Incarnation doomed : core_->take_doomed()) {
        for (Slot& slot : workers_) {
            if (slot.process && slot.process->incarnation() == doomed) attempt([&] { kill(*slot.process); });
        }
    }
}

MULTIPROCESSING_INLINE std::optional<platform::Descendants>
Supervisor::started_by(ChildProcess& worker) noexcept {
    std::optional<platform::Descendants> started;
    attempt([&] {
        started.emplace(worker.pid());
        if (worker.look()) started.reset();
    });
    return started;
}

MULTIPROCESSING_INLINE void Supervisor::kill(ChildProcess& worker) {
    std::optional<platform::Descendants> started = started_by(worker);
    worker.kill();
    if (started) started->kill();
}

MULTIPROCESSING_INLINE Deadline Supervisor::watch_limits() {
    subjects_.clear();
    for (std::uint32_t i = 0; i < workers_.size(); ++i) {
        if (const auto& process = workers_[i].process)
            subjects_.push_back({i, process->incarnation(), process->pid()});
    }
    const auto kills = [this](std::uint32_t index) { attempt([&] { kill(*workers_[index].process); }); };
    const auto replaces = [this](std::uint32_t index, const std::optional<WorkPoint>& point) {
        replace(index, point);
    };
    const Deadline again = limits_.look(subjects_, {kills, replaces});
    kill_doomed(); // maps that have failed
    return again;
}

MULTIPROCESSING_INLINE void Supervisor::try_to_start(std::uint32_t index) {
    Slot& slot = workers_[index];
    try {
        start(index, workers_.free_number());
    } catch (const std::system_error& error) {
        const bool alone =
            std::none_of(workers_.begin(), workers_.end(), [](const Slot& other) { return other.process; });
        if (alone && slot.early_deaths >= 10) return break_pool(std::current_exception());
        ++slot.early_deaths;
        put_off(slot);
        get_logger().log(LogLevel::warning,
                         std::string("a worker could not be started, another attempt follows: ") +
                             error.what());
    }
}

MULTIPROCESSING_INLINE void Supervisor::replace(std::uint32_t index, const std::optional<WorkPoint>& point) {
    // What is left is done by those that there are.
    if (core_->view().shared().closing.load(std::memory_order_relaxed) != 0)
        return core_->ask_to_leave(index, point);
    if (const auto successor = workers_.successor_of(index)) {
        if (core_->view().line(*successor).state.load(std::memory_order_acquire) == WorkerLine::serving)
            core_->ask_to_leave(index, point);
        return;
    }
    const auto line = workers_.spare(); // there is one line more than workers
    if (!line || workers_.has_successor() || Clock::now() < workers_[*line].start_at) return;
    try {
        start(*line, workers_[index].number, index);
    } catch (const std::system_error&) { core_->ask_to_leave(index, point); } // it may be its memory that lacks
}

MULTIPROCESSING_INLINE void Supervisor::put_off(Slot& slot) {
    const unsigned milliseconds = (std::min)(1000u, 1u << (std::min)(slot.early_deaths, 10u));
    slot.start_at = Clock::now() + std::chrono::milliseconds{slot.early_deaths ? milliseconds : 0};
}

MULTIPROCESSING_INLINE void Supervisor::sleep(const Deadline& until) {
    waited_.clear();
    waited_.push_back(core_->bell().handle().native());
    for (const Slot& slot : workers_) {
        if (slot.process) waited_.push_back(slot.process->sentinel().native());
    }
    const std::vector<std::size_t> ready = platform::wait_any({waited_.data(), waited_.size()}, until);
    std::size_t next = 0;
    std::size_t handle = 1;
    for (Slot& slot : workers_) {
        if (!slot.process) continue;
        while (next < ready.size() && ready[next] < handle) ++next;
        slot.may_have_ended = next < ready.size() && ready[next] == handle;
        ++handle;
    }
}

MULTIPROCESSING_INLINE void Supervisor::bury(std::uint32_t index) {
    Slot& slot = workers_[index];
    const std::shared_ptr<ChildProcess> process = slot.process;
    const platform::Ending ending = *process->look();
    const WorkerLine& line = core_->view().line(index);
    const auto state = static_cast<WorkerLine::State>(line.state.load(std::memory_order_acquire));
    const std::uint64_t item = line.item.load(std::memory_order_acquire);
    WorkerDeath death;
    death.dead = process->incarnation();
    death.claiming = line.claiming.load(std::memory_order_acquire);
    for (std::size_t level = 0; level < priority_levels; ++level) {
        death.left[level] = line.left[level].load(std::memory_order_acquire);
        death.helping[level] = line.helping[level].load(std::memory_order_acquire);
    }
    death.chunk = line.chunk.load(std::memory_order_acquire);
    death.item = item & ~WorkerLine::block_of_items;
    death.items = item & WorkerLine::block_of_items ? WorkerLine::block_size : 1;
    death.task = line.task.load(std::memory_order_acquire);
    char* const crash = core_->view().crash(index).text;
    const std::string trace = platform::with_names(crash);
    death.verdict = core_->verdict_of(index);
    death.error = [&](const TaskEnd& task) {
        return policy_.loss(
            loss_of_worker(*process, ending, trace, static_cast<int>(workers_[index].number), task));
    };

    const std::exception_ptr failure =
        state == WorkerLine::broken ? failure_of_initializer(line.failure) : nullptr;
    // Once: a part of on_death() may have freed some of it when another part fails.
    if (!std::exchange(slot.claims_are_known, true)) process->set_unclaimed(core_->unclaimed(index));
    const bool is_tried_again = core_->on_death(index, death);
    if (slot.replaces) core_->view().line(*slot.replaces).successor.store(0, std::memory_order_release);
    slot.replaces.reset();
    if (const auto successor = workers_.successor_of(index)) {
        workers_[*successor].replaces.reset(); // it is one as any other now
        core_->view().let_in(*successor);
    }
    crash[0] = 0; // what the next one leaves is its own
    platform::end_what_is_left_of(process->pid());
    slot.process = nullptr;
    slot.claims_are_known = false;
    const bool early = state == WorkerLine::starting;
    if (state == WorkerLine::idle) {
        // In this order: either what is announced meanwhile is seen here, or the thread that
        // announces it finds that one more is wanted.
        core_->demand().want_one_less();
        if (core_->has_waiting()) core_->demand().want_more(1);
    }
    slot.early_deaths = early ? slot.early_deaths + 1 : 0;
    early_ends_ = early && !was_killed_from_outside(ending) ? early_ends_ + 1 : 0;
    put_off(slot);
    attempt([&] { process->settle(); }); // now its memory may go, as nothing refers to it but what is told of
    if (failure) break_pool(failure);
    if (early) break_if_hopeless(*process, ending);
    const bool is_loss =
        state == WorkerLine::serving && death.verdict.reason == EndReason::lost && !is_tried_again;
    if (policy_.breaks_with_worker && is_loss && !core_->broken())
        break_pool(policy_.loss(loss_of_worker(*process, ending, trace, static_cast<int>(slot.number), {})));
}

MULTIPROCESSING_INLINE std::exception_ptr Supervisor::failure_of_initializer(const Parcel& failure) noexcept {
    require_no_mutex();
    try {
        return rebuild(failure_of(outcome_message(failure)));
    } catch (...) { return std::current_exception(); }
}

MULTIPROCESSING_INLINE void Supervisor::break_if_hopeless(ChildProcess& process,
                                                          const platform::Ending& ending) {
    unsigned deaths = 0;
    for (std::uint32_t i = 0; i < workers_.size(); ++i) {
        if (workers_[i].process && core_->view().line(i).state.load() != WorkerLine::starting) return;
        deaths += workers_[i].early_deaths;
    }
    const std::string refusal = process.refusal();
    if (!refusal.empty()) return break_pool(std::make_exception_ptr(ProcessError(refusal)));
    if (deaths < 3 * workers_.size() + 5 && early_ends_ < most_early_ends) return;
    break_pool(policy_.loss(std::make_exception_ptr(
        WorkerLostError("multiprocessing: the workers of a pool end before they can work; the last, " +
                            process.identity().name + " (pid " + std::to_string(process.pid()) + "), " +
                            describe_ending(ending),
                        process.pid(), ending.exitcode, std::nullopt))));
}

MULTIPROCESSING_INLINE void Supervisor::end_all() noexcept {
    // Nothing is left to be taken, so a worker that is idle now stays so.
    core_->end_shared();
    std::vector<std::optional<platform::Descendants>> started; // by those that the signal may end on the spot
    for (std::uint32_t i = 0; i < workers_.size(); ++i) {
        if (!workers_[i].process) continue;
        if (kills_.load()) {
            attempt([&] { kill(*workers_[i].process); });
        } else if (workers_[i].busy) {
            attempt([&] { started.push_back(started_by(*workers_[i].process)); });
            attempt([&] { workers_[i].process->terminate(); });
        }
    }
    const Deadline patience = Deadline::after(std::chrono::seconds{1});
    bool all_ended = true;
    for (std::uint32_t i = 0; i < workers_.size(); ++i) {
        const std::shared_ptr<ChildProcess> process = std::exchange(workers_[i].process, nullptr);
        if (process && !end(*process, i, patience)) all_ended = false;
    }
    for (auto& family : started) {
        if (family) family->kill();
    }
    if (all_ended) core_->workers_are_gone();
}

MULTIPROCESSING_INLINE void Supervisor::note_busy(TaskState first, TaskState second) noexcept {
    for (std::uint32_t i = 0; i < workers_.size(); ++i) {
        const WorkerLine& line = core_->view().line(i);
        if (line.state.load(std::memory_order_acquire) == WorkerLine::starting ||
            core_->is_at_one_of(line, first, second))
            workers_[i].busy = true;
    }
}

MULTIPROCESSING_INLINE void Supervisor::end_pool(const std::exception_ptr& error, bool broken) noexcept {
    note_busy(TaskState::run, TaskState::doom); // before: what is dropped is forgotten when it is given up
    core_->give_up(error, broken);
    note_busy(TaskState::lost, TaskState::lost); // after: what was taken meanwhile
    end_all();
}

MULTIPROCESSING_INLINE bool Supervisor::end(ChildProcess& process, std::uint32_t index,
                                            const Deadline& patience) noexcept {
    bool ended = false;
    attempt([&] { ended = process.wait(patience); });
    if (!ended) {
        const bool killed = attempt([&] { kill(process); });
        const Deadline more = Deadline::after(std::chrono::seconds{killed ? 30 : 1});
        attempt([&] { ended = process.wait(more); });
    }
    if (!ended) {
        process.keep(core_);
        process.leave_unsupervised();
        attempt([&] {
            get_logger().log(LogLevel::error, "worker " + process.identity().name + " (pid " +
                                                  std::to_string(process.pid()) +
                                                  ") of a pool that has ended cannot be ended, and is left");
        });
        return false;
    }
    attempt([&] { process.set_unclaimed(core_->unclaimed(index)); });
    attempt([&] { process.settle(); });
    return true;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
