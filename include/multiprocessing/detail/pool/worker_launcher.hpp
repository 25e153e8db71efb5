#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file worker_launcher.hpp  How the workers of a pool are started.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/child_process.hpp>
#include <multiprocessing/detail/launch/child_start.hpp>
#include <multiprocessing/detail/pool/supervisor_policy.hpp>
#include <multiprocessing/detail/space/layout.hpp>
#include <multiprocessing/environment.hpp>
#include <multiprocessing/start_method.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Starts workers by one plan, each with what is its own.
class WorkerLauncher {
public:
    /// Asks `worker_env`, which is code of the program's, for all of the `workers` here. Keeps
    /// `policy`.
    WorkerLauncher(Position pool, std::uint32_t workers, LaunchRequest plan,
                   const std::function<Environment(int)>& worker_env, std::uint64_t most_tasks,
                   const SupervisorPolicy& policy);

    /// The worker that the program knows by `number`, with the line `line`.
    std::shared_ptr<ChildProcess> start(std::uint32_t line, std::uint32_t number) const;

private:
    /// As Python's: "ForkServerPoolWorker-3", below a process "Process-1" "SpawnPoolWorker-1:3".
    static std::string name_of_next(StartMethod method);

    const Position pool_;
    const LaunchRequest plan_;
    const std::uint64_t most_tasks_;
    const SupervisorPolicy& policy_;
    std::vector<Environment> envs_; // by worker; none: all have that of the plan
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/launch/launch.hpp>
#include <multiprocessing/detail/pool/worker_line.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE WorkerLauncher::WorkerLauncher(Position pool, std::uint32_t workers, LaunchRequest plan,
                                                      const std::function<Environment(int)>& worker_env,
                                                      std::uint64_t most_tasks, const SupervisorPolicy& policy)
    : pool_(pool), plan_(std::move(plan)), most_tasks_(most_tasks), policy_(policy) {
    for (std::uint32_t i = 0; worker_env && i < workers; ++i) {
        envs_.push_back(worker_env(static_cast<int>(i)));
        check_environment(envs_.back());
    }
}

MULTIPROCESSING_INLINE std::shared_ptr<ChildProcess> WorkerLauncher::start(std::uint32_t line,
                                                                           std::uint32_t number) const {
    WorkerSetup setup{.pool = pool_, .most_tasks = most_tasks_, .worker = line, .number = number};
    if (const auto idle = policy_.idle_timeout.span())
        setup.most_idle = (std::max)(std::uint64_t{1}, static_cast<std::uint64_t>(idle->count()));
    setup.limits_threads = policy_.limits_threads;
    if (!policy_.affinity.empty()) {
        setup.has_affinity = 1;
        setup.affinity = policy_.affinity[number % policy_.affinity.size()];
    }
    LaunchRequest request = plan_;
    if (!envs_.empty()) {
        for (const auto& [name, value] : envs_[number]) request.env[name] = value;
    }
    request.identity.name = name_of_next(request.method);
    request.call.payload.insert(request.call.payload.begin(), reinterpret_cast<const std::byte*>(&setup),
                                reinterpret_cast<const std::byte*>(&setup + 1));
    return launch(request);
}

MULTIPROCESSING_INLINE std::string WorkerLauncher::name_of_next(StartMethod method) {
    const char* const kind = method == StartMethod::fork    ? "ForkPoolWorker-"
                             : method == StartMethod::spawn ? "SpawnPoolWorker-"
                                                            : "ForkServerPoolWorker-";
    const std::string name = next_process_name();
    return kind + name.substr(name.find('-') + 1);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
