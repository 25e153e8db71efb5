#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file worker_pool.hpp  Workers, their table, their supervisor, and the way to submit to them:
/// what a Pool and an executor are faces of.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/launch/launch_state.hpp>
#include <multiprocessing/detail/launch/packed_call.hpp>
#include <multiprocessing/detail/platform/affinity.hpp>
#include <multiprocessing/detail/pool/library_threads.hpp>
#include <multiprocessing/detail/pool/submission.hpp>
#include <multiprocessing/detail/pool/supervisor.hpp>
#include <multiprocessing/detail/pool/table.hpp>
#include <multiprocessing/detail/pool/task_run.hpp>
#include <multiprocessing/environment.hpp>
#include <multiprocessing/pool/options.hpp>
#include <multiprocessing/start_method.hpp>
#include <multiprocessing/timeout.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What the workers of a pool are to be.
struct WorkerPoolRequest {
    std::size_t processes = 0;                       ///< 0: process_cpu_count().
    std::uint64_t most_tasks = 0;                    ///< Of a worker until it is replaced; 0: no limit.
    std::optional<StartMethod> start_method = {};    ///< None: the program's default.
    Environment env = {};                            ///< What is different in their environment.
    std::function<Environment(int)> worker_env = {}; ///< And in that of each.
    std::optional<std::filesystem::path> cwd = {};
    bool runs_inline = false; ///< There are no workers; see PoolOptions.
    SupervisorPolicy policy = {};
    TaskPolicy task_policy = {};               ///< Of tasks that say nothing else.
    std::exception_ptr (*refusal)() = nullptr; ///< See PoolTable::set_refusal().
};

/// The sets of processors of an option; throws `std::invalid_argument` for one that is empty, or
/// names a processor that this process may not use.
MULTIPROCESSING_INLINE std::vector<platform::ProcessorSet>
affinity_of(const std::vector<std::vector<int>>& processors);
/// Whether MULTIPROCESSING_INLINE is 1.
MULTIPROCESSING_INLINE bool is_inline_by_environment();
/// Says what is ignored where tasks run in the caller and so have its environment and directory. An
/// error would be in the way of a debugger, for which options are not to be changed.
MULTIPROCESSING_INLINE void warn_of_own_surroundings(const WorkerPoolRequest& request);

/// What the options of a pool and of an executor have in common. They are valid.
template <class Options>
void set_common(WorkerPoolRequest& request, Options& options) {
    request.start_method = options.start_method;
    request.env = std::move(options.env);
    request.worker_env = std::move(options.worker_env);
    request.cwd = std::move(options.cwd);
    request.task_policy = policy_of(options);
    request.policy.memory_limit = options.memory_limit;
    request.policy.recycle_memory = options.recycle_memory;
    request.policy.affinity = affinity_of(options.cpu_affinity);
    request.runs_inline = options.run_inline || is_inline_by_environment();
    if (request.runs_inline) warn_of_own_surroundings(request);
    limit_threads(request.env, options.threads_per_worker);
    request.policy.limits_threads = options.threads_per_worker.value() != 0;
}

/// The workers of one pool, and the way to them.
class WorkerPool final : public FinishedAtEnd {
public:
    /// Workers without an initializer.
    explicit WorkerPool(WorkerPoolRequest request)
        : WorkerPool(std::move(request), PackedCall::of_entry<WorkerCode<>>()) {}
    /// Each worker calls `initializer(arguments...)` first.
    template <class Initializer, class... Arguments>
        requires(!std::is_same_v<std::decay_t<Initializer>, PackedCall>)
    WorkerPool(WorkerPoolRequest request, Initializer&& initializer, Arguments&&... arguments)
        : WorkerPool(std::move(request),
                     request.runs_inline
                         ? PackedCall::of_entry<WorkerCode<>>()
                         : pack_call<WorkerCode<std::decay_t<Initializer>, Arguments...>>(
                               std::forward<Initializer>(initializer), std::forward<Arguments>(arguments)...)) {
        // Without workers it is called here, and what it throws is thrown.
        if (submitter_.is_here())
            submitter_.carry_out(std::forward<Initializer>(initializer), std::forward<Arguments>(arguments)...);
    }

    PoolTable& table() const noexcept { return *table_; }
    const std::shared_ptr<PoolTable>& shared_table() const noexcept { return table_; }
    Supervisor& supervisor() const noexcept { return *supervisor_; }
    const ForkOrigin& origin() const noexcept { return origin_; }
    std::size_t size() const noexcept { return submitter_.is_here() ? 1 : table_->workers(); }
    bool is_closed() const { return table_->is_closed(); }
    bool is_broken() const { return table_->broken() != nullptr; }
    bool is_terminated() const { return supervisor_->is_terminated(); }
    bool has_unfinished() const { return table_->has_unfinished(); }
    void require_open() const { table_->require_open(); }
    /// Takes back what has not begun.
    void cancel_waiting() { table_->cancel_waiting(); }

    /// No more work is taken; what is there is done.
    void close();
    /// The workers end at once.
    void terminate();
    /// The same, also for workers that take no notice of being asked.
    void kill();
    /// At the end of the process: all work is done first.
    MULTIPROCESSING_INLINE void finish() noexcept override;
    /// Waits until workers and callbacks have ended; false when the deadline passed.
    bool join(const Deadline& deadline);

    const Submitter& submitter() const noexcept { return submitter_; }

private:
    static constexpr std::size_t most_processes = 4096;

    WorkerPool(WorkerPoolRequest request, PackedCall call);

    std::shared_ptr<PoolTable> table_;
    std::unique_ptr<Supervisor> supervisor_;
    Submitter submitter_;
    ForkOrigin origin_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/launch/launch.hpp>
#include <multiprocessing/detail/platform/resources.hpp>
#include <multiprocessing/detail/pool/worker.hpp>
#include <multiprocessing/util.hpp>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::vector<platform::ProcessorSet>
affinity_of(const std::vector<std::vector<int>>& processors) {
    std::vector<platform::ProcessorSet> sets;
    if (processors.empty()) return sets;
    const platform::ProcessorSet allowed = platform::allowed_affinity();
    for (const std::vector<int>& numbers : processors) {
        if (numbers.empty())
            throw std::invalid_argument("multiprocessing: .cpu_affinity has an empty list: a worker has to run "
                                        "somewhere");
        platform::ProcessorSet& set = sets.emplace_back();
        for (const int number : numbers) {
            if (number < 0 || !allowed.has(static_cast<std::size_t>(number)))
                throw std::invalid_argument("multiprocessing: .cpu_affinity names processor " +
                                            std::to_string(number) + ", which this process may not use");
            set.add(static_cast<std::size_t>(number));
        }
    }
    return sets;
}

MULTIPROCESSING_INLINE bool is_inline_by_environment() {
    const char* const value = std::getenv("MULTIPROCESSING_INLINE");
    return value && std::string_view(value) == "1";
}

MULTIPROCESSING_INLINE void warn_of_own_surroundings(const WorkerPoolRequest& request) {
    if (request.env.empty() && !request.worker_env && !request.cwd) return;
    get_logger().log(
        LogLevel::warning,
        "tasks run in this process (.run_inline or MULTIPROCESSING_INLINE=1), with its environment "
        "and its directory: .env, .worker_env and .cwd are ignored");
}

MULTIPROCESSING_INLINE void WorkerPool::close() {
    table_->close();
    table_->bell().ring();
}

MULTIPROCESSING_INLINE void WorkerPool::terminate() {
    table_->close();
    supervisor_->terminate();
}

MULTIPROCESSING_INLINE void WorkerPool::kill() {
    table_->close();
    supervisor_->terminate(true);
}

MULTIPROCESSING_INLINE void WorkerPool::finish() noexcept {
    if (!origin_.is_here()) return;
    try {
        close();
        join(Deadline{});
    } catch (const std::exception&) {} // in its own thread, which cannot wait for itself
}

MULTIPROCESSING_INLINE bool WorkerPool::join(const Deadline& deadline) {
    if (!deadline.passed()) {
        table_->end_streams();
        table_->bell().ring();
    }
    return supervisor_->join(deadline) && table_->callbacks().join(deadline);
}

MULTIPROCESSING_INLINE WorkerPool::WorkerPool(WorkerPoolRequest request, PackedCall call) {
    request.policy.starts_none = request.runs_inline;
    const std::size_t workers = request.runs_inline ? std::size_t{Worker::lines_here}
                                : request.processes ? request.processes
                                                    : static_cast<std::size_t>(platform::allowed_processors());
    if (workers > most_processes) {
        throw std::invalid_argument("multiprocessing: a pool of " + std::to_string(workers) +
                                    " processes is too large: at most " + std::to_string(most_processes) +
                                    " are possible");
    }
    LaunchRequest launch;
    launch.method = request.start_method ? *request.start_method : get_start_method();
    require_available(launch.method);
    // Here, as an executor starts its first worker later.
    if (!request.runs_inline) require_freeze_support(launch.method);
    launch.identity.daemon = true;
    launch.call = std::move(call);
    launch.env = std::move(request.env);
    // Here, as a worker may start later, when the program works elsewhere.
    if (request.cwd && !request.runs_inline) launch.cwd = existing_directory(*request.cwd, "making a pool");
    launch.serves = true;
    launch.supervised = true;
    const std::uint32_t successors = request.policy.recycle_memory != 0 ? 1 : 0;
    table_ = std::make_shared<PoolTable>(static_cast<std::uint32_t>(workers), successors);
    if (request.policy.on_demand) table_->demand().start_with_none();
    if (request.refusal) table_->set_refusal(request.refusal);
    if (request.runs_inline) request.worker_env = nullptr; // it would be asked about workers that are not
    supervisor_ = std::make_unique<Supervisor>(table_, std::move(launch), request.worker_env,
                                               request.most_tasks, std::move(request.policy));
    submitter_ = Submitter{table_, request.most_tasks, request.task_policy, request.runs_inline};
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
