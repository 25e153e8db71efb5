#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file server_process.hpp  The process that a manager's server is: its start, and its end.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/managers/client.hpp>
#include <multiprocessing/detail/managers/layout.hpp>
#include <multiprocessing/detail/managers/server.hpp>
#include <multiprocessing/detail/process_wide.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/timeout.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What the server is told.
struct ServerLimits {
    std::uint32_t max_calls = 256;
    std::int64_t shutdown_nanoseconds = 1'000'000'000;
};

/// What prepares a server, before it serves, for more than the processes of its tree.
struct ServerSetup {
    void (*open)(ManagerServer& server, const std::vector<std::byte>& what) = nullptr;
    std::vector<std::byte> what = {};
};

/// The main function of a server.
MULTIPROCESSING_INLINE void serve_manager(ManagerLink link, ServerLimits limits, ServerSetup setup);

/// The initializer has thrown: its exception is what the maker of the manager gets.
MULTIPROCESSING_INLINE void report_failed_start(const ManagerLink& link);

template <class F, class... A>
void serve_manager_after(ManagerLink link, ServerLimits limits, ServerSetup setup, F initializer,
                         A... arguments) {
    try {
        initializer(std::move(arguments)...);
    } catch (...) { return report_failed_start(link); }
    serve_manager(std::move(link), limits, std::move(setup));
}

/// The server of a manager, as the process that started it has it.
class ServerProcess {
public:
    /// Starts it, and waits until it serves. Throws what its initializer threw.
    template <class... Initializer>
    ServerProcess(ProcessOptions options, ServerLimits limits, ServerSetup setup, Initializer&&... initializer)
        : limits_(limits), client_(process_wide<ManagerClients>().of(link_)) {
        if constexpr (sizeof...(Initializer) == 0) {
            process_.emplace(std::move(options), &serve_manager, link_, limits, std::move(setup));
        } else {
            process_.emplace(std::move(options), &serve_manager_after<std::decay_t<Initializer>...>, link_,
                             limits, std::move(setup), std::forward<Initializer>(initializer)...);
        }
        process_->start();
        await_start();
    }
    ServerProcess(const ServerProcess&) = delete;
    ServerProcess& operator=(const ServerProcess&) = delete;
    ~ServerProcess();

    const std::shared_ptr<ManagerClient>& client() const noexcept { return client_; }
    std::optional<int> pid() const { return process_->pid(); }
    std::optional<int> exitcode() const { return process_->exitcode(); }
    /// Throws `std::logic_error` in a copy of the process that started it.
    void require_owner() const;
    bool join(Timeout timeout) { return process_->join(timeout); }

    /// Ends it: first politely, then by force. A second call does nothing.
    void end();

private:
    void await_start();

    /// Says to the clients, unless they know, how the server has ended.
    void mark_ended(ManagerStage how) noexcept;

    const ForkOrigin origin_;
    const ManagerLink link_;
    const ServerLimits limits_;
    const std::shared_ptr<ManagerClient> client_;
    std::optional<Process> process_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/managers/server_remote.hpp> // for ManagerServer::call_for_remote
#include <multiprocessing/detail/managers/server_run.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/exceptions.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <span>
#include <string>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void serve_manager(ManagerLink link, ServerLimits limits, ServerSetup setup) {
    // Never destroyed: threads may be in calls to the end.
    auto* const server =
        new ManagerServer(link, {limits.max_calls, std::chrono::nanoseconds{limits.shutdown_nanoseconds}});
    if (setup.open) {
        try {
            setup.open(*server, setup.what);
        } catch (...) { return report_failed_start(link); }
    }
    server->run();
}

MULTIPROCESSING_INLINE void report_failed_start(const ManagerLink& link) {
    ManagerBody& body = link.body();
    const std::vector<std::byte> bytes = bytes_of_failure(capture_current_exception());
    std::span<const std::byte> rest(bytes);
    if (rest.size() > ManagerBody::channel_count * CallChannel::page_size) rest = {};
    body.channels[0].size = rest.size();
    for (CallChannel& channel : body.channels) { // nobody else uses them, nor will
        if (rest.empty()) break;
        const auto piece = rest.first((std::min)(rest.size(), CallChannel::page_size));
        std::memcpy(channel.page, piece.data(), piece.size());
        rest = rest.subspan(piece.size());
    }
    // Killed here: the maker sees that the server has ended before it served.
    body.stage.store(ManagerStage::failed, std::memory_order_seq_cst);
    post(link.parking(), body.stage_place);
}

MULTIPROCESSING_INLINE ServerProcess::~ServerProcess() {
    if (origin_.is_here()) end();
}

MULTIPROCESSING_INLINE void ServerProcess::require_owner() const {
    origin_.require_here("this manager", "shutdown() is for that one; its proxies go on here");
}

MULTIPROCESSING_INLINE void ServerProcess::end() {
    if (process_->exitcode() || !process_->pid()) {
        const bool was_asked = link_.body().stage.load(std::memory_order_acquire) >= ManagerStage::closing;
        return mark_ended(was_asked ? ManagerStage::closed : ManagerStage::lost);
    }
    constexpr std::chrono::seconds patience{1};
    const auto polite = std::chrono::nanoseconds{limits_.shutdown_nanoseconds} + patience;
    const bool was_asked = client_->ask_to_end();
    if (!process_->join(was_asked ? polite : std::chrono::nanoseconds{0})) {
        process_->terminate();
        if (!process_->join(patience)) {
            process_->kill();
            process_->join();
        }
    }
    mark_ended(ManagerStage::closed);
}

MULTIPROCESSING_INLINE void ServerProcess::await_start() {
    ManagerBody& body = link_.body();
    const auto started = [&] { return body.stage.load(std::memory_order_acquire) != ManagerStage::starting; };
    while (!wait(link_.parking(), body.stage_place, Deadline::after(Timeout{slice}), started)) {
        if (!process_->is_alive() && !started()) {
            throw ProcessError("multiprocessing: the server of a manager ended before it served (exit code " +
                               std::to_string(process_->exitcode().value_or(0)) +
                               "): what it printed on standard error says why");
        }
    }
    if (body.stage.load(std::memory_order_acquire) != ManagerStage::failed) return;
    process_->join();
    std::vector<std::byte> bytes;
    std::uint64_t left = body.channels[0].size;
    if (left == 0 || left > ManagerBody::channel_count * CallChannel::page_size)
        throw ProcessError("multiprocessing: the initializer of a manager threw an exception with a text of "
                           "megabytes");
    for (const CallChannel& channel : body.channels) {
        const auto size = static_cast<std::size_t>((std::min<std::uint64_t>)(left, CallChannel::page_size));
        bytes.insert(bytes.end(), channel.page, channel.page + size);
        left -= size;
    }
    throw_remote(failure_of(bytes));
}

MULTIPROCESSING_INLINE void ServerProcess::mark_ended(ManagerStage how) noexcept {
    ManagerBody& body = link_.body();
    ManagerStage stage = body.stage.load(std::memory_order_relaxed);
    while (stage < ManagerStage::closed &&
           !body.stage.compare_exchange_weak(stage, how, std::memory_order_seq_cst)) {}
    const std::uint32_t used =
        (std::min)(body.used.load(std::memory_order_acquire), ManagerBody::channel_count);
    for (std::uint32_t i = 0; i < used; ++i) post(link_.parking(), body.channels[i].place);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
