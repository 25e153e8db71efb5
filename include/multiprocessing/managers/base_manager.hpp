#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file base_manager.hpp  BaseManager: a server process that holds objects of any class.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/client.hpp>
#include <multiprocessing/detail/managers/method.hpp>
#include <multiprocessing/detail/managers/server_process.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/managers/options.hpp>
#include <multiprocessing/managers/proxy.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace multiprocessing::inline v1::managers {

/// A server process, which is a child of this one, and the objects that it holds.
///
/// It ends by shutdown(), which the destructor calls, or with the process that started it, however
/// that ends. Its proxies work in this process, in its children and in their children. Python:
/// `multiprocessing.managers.BaseManager`, here without an address.
class BaseManager {
public:
    explicit BaseManager(ManagerOptions options = {}) : options_(std::move(options)) {}
    BaseManager(BaseManager&&) noexcept = default;
    BaseManager& operator=(BaseManager&&) noexcept = default;

    /// Starts the server. `initializer(arguments...)` runs there first; what it throws is thrown
    /// here. Throws ProcessError if it was started before.
    template <class... Initializer>
    void start(Initializer&&... initializer) {
        if (started_) throw ProcessError("multiprocessing: a manager is started once: make another");
        detail::ServerLimits limits;
        limits.max_calls = static_cast<std::uint32_t>(
            (std::min<std::size_t>)(options_.max_calls.value_or(256), detail::ManagerBody::channel_count));
        limits.shutdown_nanoseconds =
            options_.shutdown_timeout.span().value_or(std::chrono::hours{24 * 365}).count();
        ProcessOptions process;
        process.name = name_ + "-" + std::to_string(count_managers());
        process.daemon = true;
        process.start_method = options_.start_method;
        server_ = std::make_unique<detail::ServerProcess>(std::move(process), limits,
                                                          std::forward<Initializer>(initializer)...);
        started_ = true;
    }

    /// Ends the server: calls that wait for another client, or come later, throw ProcessError;
    /// calls that run have `shutdown_timeout`; then it is terminated, and killed if need be. A
    /// second call does nothing. Throws `std::logic_error` in a copy of the process that started
    /// it.
    void shutdown();
    /// Waits until the server has ended; returns false after the timeout.
    bool join(Timeout timeout = no_timeout);
    std::optional<int> pid() const;

    /// Makes a `T` of the arguments in the server.
    template <class T, class... Arguments>
    Proxy<T> create(Arguments&&... arguments) const {
        return make<Proxy<T>, T>(std::forward<Arguments>(arguments)...);
    }

    /// Returns how many objects the server holds. Python: `_number_of_objects()`.
    std::size_t number_of_objects() const;

protected:
    BaseManager(ManagerOptions options, std::string name)
        : name_(std::move(name)), options_(std::move(options)) {}

    template <class ProxyType, class T, class... Arguments>
    ProxyType make(Arguments&&... arguments) const {
        const auto ask = [&](const detail::ThunkAddress& entry, std::span<const std::byte> payload,
                             const detail::ProxyTargets& references) {
            return ProxyType(detail::ReceivedProxy{detail::named_object(
                server().client()->call(detail::CallVerb::create, 0, entry, payload, references))});
        };
        return detail::create_object<T>(ask, std::forward<Arguments>(arguments)...);
    }

private:
    detail::ServerProcess& server() const;
    static unsigned count_managers();

    std::string name_ = "BaseManager";
    ManagerOptions options_;
    bool started_ = false;
    std::unique_ptr<detail::ServerProcess> server_;
};

} // namespace multiprocessing::inline v1::managers

#if MULTIPROCESSING_BODIES
#include <atomic>
#include <cstring>

namespace multiprocessing::inline v1::managers {

MULTIPROCESSING_INLINE void BaseManager::shutdown() {
    if (!server_) return;
    server_->require_owner();
    server_->end();
}

MULTIPROCESSING_INLINE bool BaseManager::join(Timeout timeout) { return server().join(timeout); }

MULTIPROCESSING_INLINE std::optional<int> BaseManager::pid() const {
    return server_ ? server_->pid() : std::nullopt;
}

MULTIPROCESSING_INLINE std::size_t BaseManager::number_of_objects() const {
    const detail::ManagerAnswer answer = server().client()->call(detail::CallVerb::count, 0, {}, {}, {});
    std::uint64_t count = 0;
    if (answer.payload.size() == sizeof count) std::memcpy(&count, answer.payload.data(), sizeof count);
    return static_cast<std::size_t>(count);
}

MULTIPROCESSING_INLINE detail::ServerProcess& BaseManager::server() const {
    if (!server_) throw ProcessError("multiprocessing: the manager was not started: call start() first");
    return *server_;
}

MULTIPROCESSING_INLINE unsigned BaseManager::count_managers() {
    static constinit std::atomic<unsigned> count{0};
    return ++count;
}

} // namespace multiprocessing::inline v1::managers

#endif // MULTIPROCESSING_BODIES
