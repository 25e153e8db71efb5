#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file supervisor.hpp  The one thread of a pool in its parent: it starts workers, sees them end, and replaces them.

#include <multiprocessing/detail/child_process.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launcher.hpp>
#include <multiprocessing/detail/platform/crash.hpp>
#include <multiprocessing/detail/platform/signals.hpp>
#include <multiprocessing/detail/platform/wait.hpp>
#include <multiprocessing/detail/pool_core.hpp>
#include <multiprocessing/detail/worker.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// How a process ended, for people: "was killed by SIGSEGV", "ended with exit code 3".
inline std::string describe_ending(const platform::Ending& ending) {
    std::string text;
    if (!ending.exitcode) {
        text = "ended, and nobody saw how";
    } else if (*ending.exitcode < 0) {
        text = "was killed by " + platform::signal_name(-*ending.exitcode);
    } else {
        text = "ended with exit code " + std::to_string(*ending.exitcode);
    }
    if (ending.peak_memory) {
        text += " (peak memory " + std::to_string(ending.peak_memory >> 20) + " MiB, " +
                std::to_string((ending.user_time + ending.system_time).count() / 1000) + " ms of CPU)";
    }
    return text;
}

/// Keeps a pool's workers running. It sleeps until a worker ends, a deadline comes, or its bell is rung; no lock is held
/// while it waits, and nothing that a worker does can hold it up.
class Supervisor {
public:
    /// Starts the workers by `plan`, and the thread. If one of them cannot be started, those that were are ended.
    Supervisor(std::shared_ptr<PoolCore> core, LaunchRequest plan, std::uint64_t most_tasks)
        : core_(std::move(core)), plan_(std::move(plan)), most_tasks_(most_tasks), workers_(core_->workers()) {
        ScopeExit end_started{[this] { end_all(); }};
        for (std::uint32_t i = 0; i < workers_.size(); ++i) start(i);
        const platform::AllSignalsBlocked program_handles_signals;
        ++self().own_threads;
        thread_ = new std::thread([this] { run(); });
        end_started.release();
    }
    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;

    ~Supervisor() {
        if (copies_ != self().copies())
            return; // in a copy made by a fork there is no such thread; it stays forgotten
        terminate();
        join();
    }

    /// Ends the workers at once; whoever waits for a task gets CancelledError.
    void terminate() {
        terminated_.store(true);
        core_->bell().ring();
    }

    /// Waits for the thread, which ends when all workers have. After PoolCore::close() or terminate().
    void join() {
        std::lock_guard lock{joining_};
        if (!thread_) return;
        thread_->join();
        delete std::exchange(thread_, nullptr);
        --self().own_threads;
    }

private:
    using Clock = std::chrono::steady_clock;

    struct Slot {
        std::shared_ptr<ChildProcess> process; // none: to be started at `start_at`, if at all
        Clock::time_point start_at{};
        unsigned early_deaths = 0; // in a row, before it served
    };

    void start(std::uint32_t worker) {
        WorkerSetup setup{core_->position(), most_tasks_, worker};
        LaunchRequest request = plan_;
        request.identity.name = worker_name(request.method);
        request.payload.insert(request.payload.begin(), reinterpret_cast<const std::byte*>(&setup),
                               reinterpret_cast<const std::byte*>(&setup + 1));
        workers_[worker].process = launch(request);
    }

    /// As Python's: "ForkServerPoolWorker-3", below a process "Process-1" "SpawnPoolWorker-1:3".
    static std::string worker_name(StartMethod method) {
        const char* const kind = method == StartMethod::fork    ? "ForkPoolWorker-"
                                 : method == StartMethod::spawn ? "SpawnPoolWorker-"
                                                                : "ForkServerPoolWorker-";
        const std::string name = next_process_name();
        return kind + name.substr(name.find('-') + 1);
    }

    void run() noexcept {
        try {
            while (step()) {}
        } catch (const std::exception& error) {
            // Out of descriptors or memory in the middle of it: the pool cannot go on, but nobody may wait for ever.
            get_logger().log(LogLevel::error, std::string("the supervisor of a pool failed: ") + error.what());
            core_->give_up(std::current_exception(), true);
            end_all();
        }
    }

    /// One round: look, deal, sleep. False when all workers have ended for good.
    bool step() {
        core_->bell().silence(); // before looking at what it may have been rung for
        for (std::uint32_t i = 0; i < workers_.size(); ++i) {
            if (workers_[i].process && workers_[i].process->look()) bury(i);
        }
        const bool leaving = terminated_.load() || self().ends_children.load();
        if (leaving) {
            core_->give_up(std::make_exception_ptr(CancelledError("multiprocessing: the pool was terminated")),
                           false);
            end_all();
            return false;
        }
        const bool chores = core_->tick();
        const bool closed = core_->close_shared();
        // While the pool is open every worker is replaced; later only if there is something that nobody has taken.
        const bool needed = !core_->broken() && (!closed || core_->has_waiting());
        Deadline wake_up;
        bool any = false;
        for (std::uint32_t i = 0; i < workers_.size(); ++i) {
            Slot& slot = workers_[i];
            if (!slot.process && needed) {
                if (Clock::now() >= slot.start_at) try_to_start(i);
                if (!slot.process) wake_up = wake_up.sooner(Deadline::after(slot.start_at - Clock::now()));
            }
            any = any || slot.process;
        }
        if (!any && closed && !needed) return false;
        if (chores) wake_up = wake_up.sooner(Deadline::after(slice));
        sleep(wake_up);
        return true;
    }

    /// The system may be out of processes for a while: then the others carry on, and it is tried again.
    void try_to_start(std::uint32_t index) {
        Slot& slot = workers_[index];
        try {
            start(index);
        } catch (const std::system_error& error) {
            const bool alone =
                std::none_of(workers_.begin(), workers_.end(), [](const Slot& other) { return other.process; });
            if (alone && slot.early_deaths >= 10) throw;
            ++slot.early_deaths;
            put_off(slot);
            get_logger().log(LogLevel::warning,
                             std::string("a worker could not be started, another attempt follows: ") +
                                 error.what());
        }
    }

    /// Who ends before it has served will probably do so again: the next attempts wait longer and longer.
    static void put_off(Slot& slot) {
        const unsigned milliseconds = (std::min)(1000u, 1u << (std::min)(slot.early_deaths, 10u));
        slot.start_at = Clock::now() + std::chrono::milliseconds{slot.early_deaths ? milliseconds : 0};
    }

    void sleep(const Deadline& until) {
        std::vector<platform::NativeHandle> handles{core_->bell().handle().native()};
        for (const Slot& slot : workers_) {
            if (slot.process) handles.push_back(slot.process->sentinel().native());
        }
        platform::wait_any({handles.data(), handles.size()}, until);
    }

    /// Deals with a worker that has ended, retired or died.
    void bury(std::uint32_t index) {
        Slot& slot = workers_[index];
        const std::shared_ptr<ChildProcess> process = std::exchange(slot.process, nullptr);
        const platform::Ending ending = *process->look();
        const WorkerLine& line = core_->view().line(index);
        const auto state = static_cast<WorkerLine::State>(line.state.load(std::memory_order_acquire));
        const std::uint64_t item = line.item.load(std::memory_order_acquire);
        WorkerDeath death;
        death.dead = process->name();
        death.helping = line.helping.load(std::memory_order_acquire);
        death.chunk = line.chunk.load(std::memory_order_acquire);
        death.item = item & ~WorkerLine::block_of_items;
        death.items = item & WorkerLine::block_of_items ? WorkerLine::block_size : 1;
        death.task = line.task.load(std::memory_order_acquire);
        char* const crash = core_->view().crash(index).text;
        const std::string trace = platform::with_names(crash);
        crash[0] = 0; // what the next one leaves is its own
        death.error = [&](std::optional<std::uint64_t> first, std::uint64_t count) {
            return loss(*process, ending, trace, first, count);
        };

        if (state == WorkerLine::broken) break_by_initializer(line.failure);
        const bool early = state == WorkerLine::starting;
        slot.early_deaths = early ? slot.early_deaths + 1 : 0;
        put_off(slot);
        process->set_unclaimed(core_->unclaimed(index));
        core_->on_death(index, death);
        process->settle(); // now its memory may go, as nothing refers to it but what is told of
        if (early) break_if_hopeless(*process, ending);
    }

    static std::exception_ptr loss(const ChildProcess& process, const platform::Ending& ending,
                                   const std::string& trace, std::optional<std::uint64_t> item,
                                   std::uint64_t count) {
        std::string what = "its task";
        if (item) what = "item " + std::to_string(*item);
        if (count > 1) what += " or one of the " + std::to_string(count - 1) + " after it";
        std::string text = "multiprocessing: worker " + process.identity().name + " (pid " +
                           std::to_string(process.pid()) + ") " + describe_ending(ending) + " while it ran " +
                           what;
        if (!trace.empty()) text += "; it crashed at\n" + trace;
        return std::make_exception_ptr(WorkerLostError(text, process.pid(), ending.exitcode,
                                                       item ? std::optional<std::size_t>(*item) : std::nullopt,
                                                       trace));
    }

    /// The initializer threw: its own error is what everybody gets from now on.
    void break_by_initializer(const Parcel& failure) {
        std::exception_ptr error;
        try {
            error = rebuild(failure_of(outcome_message(failure)));
        } catch (...) { error = std::current_exception(); }
        tree().heap.free(failure.block);
        break_pool(error);
    }

    /// No worker serves, and they go on ending before they do: refused, killed, or out of something.
    void break_if_hopeless(ChildProcess& process, const platform::Ending& ending) {
        unsigned deaths = 0;
        for (std::uint32_t i = 0; i < workers_.size(); ++i) {
            if (workers_[i].process && core_->view().line(i).state.load() != WorkerLine::starting) return;
            deaths += workers_[i].early_deaths;
        }
        const std::string refusal = process.refusal();
        if (!refusal.empty()) return break_pool(std::make_exception_ptr(ProcessError(refusal)));
        if (deaths < 3 * workers_.size() + 5) return;
        break_pool(std::make_exception_ptr(
            WorkerLostError("multiprocessing: the workers of a pool end before they can work; the last, " +
                                process.identity().name + " (pid " + std::to_string(process.pid()) + "), " +
                                describe_ending(ending),
                            process.pid(), ending.exitcode, std::nullopt)));
    }

    void break_pool(const std::exception_ptr& error) {
        core_->give_up(error, true);
        end_all();
    }

    /// Ends all workers: asked at first, and a second later not any more.
    void end_all() noexcept {
        for (const Slot& slot : workers_) {
            if (slot.process) slot.process->terminate();
        }
        const Deadline patience = Deadline::after(std::chrono::seconds{1});
        for (std::uint32_t i = 0; i < workers_.size(); ++i) {
            const std::shared_ptr<ChildProcess> process = std::exchange(workers_[i].process, nullptr);
            if (!process) continue;
            if (!process->wait(patience)) {
                process->kill();
                process->wait(Deadline{});
            }
            process->set_unclaimed(core_->unclaimed(i));
            process->settle();
        }
    }

    const std::shared_ptr<PoolCore> core_;
    const LaunchRequest plan_;
    const std::uint64_t most_tasks_;
    std::vector<Slot> workers_; // of the thread, once it runs
    std::atomic<bool> terminated_{false};
    std::mutex joining_;
    std::thread* thread_ = nullptr; // a pointer, as a copy that a fork makes of it must not be destroyed
    const std::uint32_t copies_ = self().copies();
};

} // namespace multiprocessing::inline v1::detail
