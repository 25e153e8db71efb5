#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file base_manager.hpp  BaseManager: a server process that holds objects of any class.

#include <multiprocessing/connection/address.hpp>
#include <multiprocessing/detail/call/argument.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/client.hpp>
#include <multiprocessing/detail/managers/method.hpp>
#include <multiprocessing/detail/managers/remote_part.hpp>
#include <multiprocessing/detail/managers/server_process.hpp>
#include <multiprocessing/detail/types/fingerprint.hpp>
#include <multiprocessing/detail/types/type_name.hpp>
#include <multiprocessing/detail/types/wire_type.hpp>
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
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1 {

namespace detail {

class RemoteManager;

/// Whether `T` can be made of what the arguments become on the way.
template <class T, class... Argument>
inline constexpr bool constructs = std::is_constructible_v<T, OwnCarriedType<Argument>...> ||
                                   requires { T{std::declval<OwnCarriedType<Argument>>()...}; };

/// The arguments of create(), taken as the name of a type and arguments of its constructor.
template <class T, class... Argument>
struct NamedArguments {
    static constexpr bool constructs = false;
};
template <class T, class Name, class... Argument>
struct NamedArguments<T, Name, Argument...> {
    static constexpr bool constructs =
        std::is_convertible_v<Name, std::string> && detail::constructs<T, Argument...>;

    static constexpr std::uint64_t signature() {
        return wire_type_of_call<void, OwnCarriedType<Argument>...>();
    }
    static std::string text() {
        std::string text = "(";
        ((text += (text.size() == 1 ? "" : ", "), text += type_name<OwnCarriedType<Argument>>()), ...);
        return text + ")";
    }
};

} // namespace detail

namespace managers {

class Server;

/// A server process, which is a child of this one, and the objects that it holds; or, with
/// remote_managers.hpp, a server that other programs connect to, or that this one connects to.
///
/// It ends by shutdown(), which the destructor calls, or with the process that started it, however
/// that ends. Its proxies work in this process, in its children and in their children. Python:
/// `multiprocessing.managers.BaseManager`.
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
        detail::ServerSetup setup = setup_of_server();
        detail::ServerLimits limits;
        limits.max_calls = static_cast<std::uint32_t>(
            (std::min<std::size_t>)(options_.max_calls.value_or(256), detail::ManagerBody::channel_count));
        limits.shutdown_nanoseconds =
            options_.shutdown_timeout.span().value_or(std::chrono::hours{24 * 365}).count();
        ProcessOptions process;
        process.name = name_ + "-" + std::to_string(count_managers());
        process.daemon = true;
        process.start_method = options_.start_method;
        server_ = std::make_unique<detail::ServerProcess>(std::move(process), limits, std::move(setup),
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

    /// Makes a `T` of the arguments in the server. Where `T` is registered by a name that is the
    /// first argument, the others are those of a constructor, and of a manager that has connected
    /// to another program's server this is the only way.
    template <class T, class... Arguments>
    Proxy<T> create(Arguments&&... arguments) const {
        if constexpr (detail::NamedArguments<T, Arguments...>::constructs) {
            if (remote_) {
                if (auto proxy = create_by_name<T>(std::forward<Arguments>(arguments)...)) return *proxy;
            }
        }
        if constexpr (detail::NamedArguments<T, Arguments...>::constructs &&
                      !detail::constructs<T, Arguments...>) {
            throw std::logic_error("multiprocessing: create<T>(name, ...) of a type that is not registered by "
                                   "that name: register_type<T>(name) comes before");
        } else {
            if (remote_ && remote_->is_connected())
                throw std::logic_error(
                    "multiprocessing: a manager that has connected to another program's server "
                    "makes objects by name: create<T>(name, arguments...)");
            return make<Proxy<T>, T>(std::forward<Arguments>(arguments)...);
        }
    }

    // Of remote_managers.hpp, which defines them:

    /// Lets other programs, which connect(), make objects of `T` by the name, and call the methods
    /// that are listed: `register_type<Counter, &Counter::add>("counter")`. They are known by name
    /// and parameters, so another build of the program may call them. `constructor<int>` in the
    /// list is a constructor; without one, the default constructor. Without a list: all methods and
    /// constructors, for clients of the very same image. Both sides register, before start(),
    /// get_server() or connect(). Throws `std::logic_error` later, `std::invalid_argument` if the
    /// name is taken. Python: `register(typeid, callable)`.
    template <class T, auto... Members>
    void register_type(std::string name);
    /// Makes an object in the server, when that starts, which all clients get by object(). `T` may
    /// be a Queue, JoinableQueue, `std::map`, `std::vector`, `std::set`, Lock, RLock, Semaphore,
    /// BoundedSemaphore, Condition, Event, Barrier, Value or Array, or a class of the program's
    /// with `Members` as of register_type(). Python: `register("get_queue", callable=lambda:
    /// queue)`.
    template <class T, auto... Members, class... Arguments>
    void register_object(std::string name, Arguments&&... arguments);
    /// Returns the proxy of the registered object: of a Queue a QueueProxy, of a class `T` of the
    /// program's a `Proxy<T>`, and so on. Throws `std::logic_error` if there is none.
    template <class T>
    auto object(const std::string& name) const;
    /// Connects to a server that another program has started at `address`. Throws
    /// `std::system_error` if there is none, AuthenticationError if it has another key, or, with
    /// an `.authority`, no certificate of it for this host. Its death is EOFError in all calls.
    /// Python: `connect()`.
    void connect();
    /// Returns what serves in this very process. Python: `get_server()`.
    Server get_server();
    /// Returns where other programs connect to, after start(), get_server() or connect().
    connection::Address address() const;

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
    /// nullopt: the first argument is no name, but one of the constructor.
    template <class T, class First, class... Arguments>
    std::optional<Proxy<T>> create_by_name(First&& first, Arguments&&... arguments) const {
        using Named = detail::NamedArguments<T, First, Arguments...>;
        const std::string name(first);
        if (!remote_->is_connected()) {
            if (!remote_->has_type(name, detail::name_hash<T>)) return std::nullopt;
            return make<Proxy<T>, T>(std::forward<Arguments>(arguments)...);
        }
        const auto ask = [&](const detail::ThunkAddress& entry, std::span<const std::byte> payload,
                             const detail::ProxyTargets& references) {
            return Proxy<T>(detail::ReceivedProxy{
                remote_->create({name, Named::signature(), Named::text(), entry}, payload, references)});
        };
        return detail::create_object<T>(ask, std::forward<Arguments>(arguments)...);
    }

    detail::RemoteManager& remote() const;
    detail::RemoteManager& remote_to_change();
    std::shared_ptr<detail::ProxyTarget> object_target(const std::string& name) const;
    detail::ServerProcess& server() const;
    detail::ServerSetup setup_of_server() const;
    static unsigned count_managers();

    std::string name_ = "BaseManager";
    ManagerOptions options_;
    bool started_ = false;
    std::unique_ptr<detail::ServerProcess> server_;
    std::shared_ptr<detail::RemotePart> remote_; // null: nothing is registered, nor connected
};

} // namespace managers

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES
#include <atomic>
#include <cstring>

namespace multiprocessing::inline v1::managers {

MULTIPROCESSING_INLINE void BaseManager::shutdown() {
    if (remote_ && remote_->is_connected()) {
        throw std::logic_error(
            "multiprocessing: shutdown() of a manager that has connected to another program's "
            "server: that program ends it");
    }
    if (!server_) return;
    server_->require_owner();
    server_->end();
}

MULTIPROCESSING_INLINE bool BaseManager::join(Timeout timeout) { return server().join(timeout); }

MULTIPROCESSING_INLINE std::optional<int> BaseManager::pid() const {
    return server_ ? server_->pid() : std::nullopt;
}

MULTIPROCESSING_INLINE std::size_t BaseManager::number_of_objects() const {
    if (remote_ && remote_->is_connected()) return remote_->number_of_objects();
    const detail::ManagerAnswer answer = server().client()->call(detail::CallVerb::count, 0, {}, {}, {});
    std::uint64_t count = 0;
    if (answer.payload.size() == sizeof count) std::memcpy(&count, answer.payload.data(), sizeof count);
    return static_cast<std::size_t>(count);
}

MULTIPROCESSING_INLINE detail::ServerProcess& BaseManager::server() const {
    if (!server_) throw ProcessError("multiprocessing: the manager was not started: call start() first");
    return *server_;
}

MULTIPROCESSING_INLINE detail::ServerSetup BaseManager::setup_of_server() const {
    if (!remote_) {
        if (options_.address || !options_.certificate.empty() || !options_.key.empty() ||
            !options_.authority.empty()) {
            throw std::logic_error("multiprocessing: a manager with an .address, or files for TLS, serves what "
                                   "is registered: call "
                                   "register_type() or register_object() of remote_managers.hpp first");
        }
        return {};
    }
    if (remote_->is_connected())
        throw ProcessError(
            "multiprocessing: this manager has connected to a server: make another to start one");
    return remote_->setup();
}

MULTIPROCESSING_INLINE unsigned BaseManager::count_managers() {
    static constinit std::atomic<unsigned> count{0};
    return ++count;
}

} // namespace multiprocessing::inline v1::managers

#endif // MULTIPROCESSING_BODIES
