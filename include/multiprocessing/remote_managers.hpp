#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file remote_managers.hpp  Managers whose objects other programs use, on this machine or
/// another: what of BaseManager is for them.
///
/// Needs OpenSSL's libssl and libcrypto (Windows: a library of the system): link the CMake target
/// multiprocessing::remote. Not part of multiprocessing.hpp. Python: `multiprocessing.managers`,
/// "Using a remote manager".
///
/// Both sides prove to each other that they know `authkey`, as Listener and Client do, with what is
/// said there. A client that knows the key can call what is registered, and nothing else; whatever
/// it sends, the server serves on. Types are known by structure, so client and server may be builds
/// by other compilers, but not for machines of another byte order or other sizes of integers.
///
/// Without TLS, what follows the proof is neither encrypted nor signed: for a network that is
/// trusted, or through a tunnel. With it (POSIX), all of a connection, the proof of the key
/// included, is in TLS 1.3 or 1.2:
///
///     server: {.address = {{"", 50000}}, .certificate = "server.pem", .key = "server.key"}
///     client: {.address = {{"jobs.example.org", 50000}}, .authority = "authority.pem"}
///
/// The certificate bears the host that clients connect to, name or address of IP, in its
/// subjectAltName; of a socket in the file system it is `localhost`. A server with an `.authority`
/// as well serves those clients only that have a `.certificate` and `.key` which it has signed. Not
/// asked for: whether a certificate has been revoked. Python: there is none, and a tunnel for it.

#include <multiprocessing/connection/address.hpp>
#include <multiprocessing/detail/archive/codec.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/client.hpp>
#include <multiprocessing/detail/managers/method.hpp>
#include <multiprocessing/detail/managers/proxy_base.hpp>
#include <multiprocessing/detail/managers/remote_part.hpp>
#include <multiprocessing/detail/remote_managers/client.hpp>
#include <multiprocessing/detail/remote_managers/credentials.hpp>
#include <multiprocessing/detail/remote_managers/interface.hpp>
#include <multiprocessing/detail/remote_managers/managed_as.hpp>
#include <multiprocessing/detail/remote_managers/server_setup.hpp>
#include <multiprocessing/managers.hpp>
#include <multiprocessing/process.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>

namespace multiprocessing::inline v1 {

namespace detail {

/// What is registered in a manager, and what it has connected to.
class RemoteManager final : public RemotePart {
public:
    explicit RemoteManager(const managers::ManagerOptions& options);

    bool is_connected() const noexcept override { return client_ != nullptr; }
    bool has_type(const std::string& name, std::uint64_t type) const override;
    ServerSetup setup() const override { return {&open_remote_server, bytes_of_setup(whole_setup())}; }
    std::shared_ptr<ProxyTarget> create(const NamedCreation& how, std::span<const std::byte> payload,
                                        const ProxyTargets& references) override {
        return client_->create(how.name, how.signature, how.text, how.entry, payload, references);
    }
    std::size_t number_of_objects() override { return client_->number_of_objects(); }

    void add(RemoteDeclaration declaration);
    void connect(const managers::ManagerOptions& options);
    /// Throws `std::invalid_argument` if this is no server's.
    RemoteSetup whole_setup() const {
        server_context(setup_.credentials); // before there is a process that would say so
        return setup_;
    }
    RemoteClient& client() noexcept { return *client_; }

    std::optional<platform::Endpoint> served_at; ///< By a Server.

private:
    RemoteSetup setup_;
    std::shared_ptr<RemoteClient> client_;
};

} // namespace detail

namespace managers {

/// In the list of register_type(): a constructor that clients may call by create().
template <class... A>
inline constexpr detail::ConstructorMark<A...> constructor{};

/// A server in this very process: `manager.get_server()`. It listens from its making on; clients
/// are served while serve_forever() runs. Move-only. Its destructor stops listening. Python:
/// `multiprocessing.managers.Server`.
class Server {
public:
    /// Returns where clients connect to, with the port that was chosen for port 0.
    connection::Address address() const { return detail::address_of(state_->endpoint()); }
    /// Serves until shutdown(): accepts, and carries out calls in threads of its own. Throws
    /// ProcessError if it has been called before.
    void serve_forever() { state_->run(); }
    /// Ends serve_forever(), in whichever thread that is: calls that wait for another client, or
    /// come later, throw ProcessError at their clients, calls that run have `shutdown_timeout`. May
    /// be called by a signal handler.
    void shutdown() noexcept { state_->shut_down(); }

private:
    friend class BaseManager;
    explicit Server(std::unique_ptr<detail::ServerHere> state) : state_(std::move(state)) {}

    std::unique_ptr<detail::ServerHere> state_;
};

// ---- BaseManager ----

template <class T, auto... Members>
void BaseManager::register_type(std::string name) {
    remote_to_change().add({std::move(name), &detail::interface_of<T, Members...>});
}

template <class T, auto... Members, class... Arguments>
void BaseManager::register_object(std::string name, Arguments&&... arguments) {
    using As = detail::ManagedAs<T>;
    detail::ManagedWriteContext context;
    detail::Writer writer{&context};
    detail::RemoteDeclaration declaration;
    declaration.name = std::move(name);
    const auto make_of = [&]<class... Carried>(const std::tuple<Carried...>& all) {
        (detail::require_crossing<Carried, detail::Crossing::managed>(), ...);
        declaration.make =
            &detail::ThunkOf<detail::CreateEntry<typename As::Body, Carried...>, detail::ServedCall>::enter;
        std::apply([&](const Carried&... each) { (detail::encode(writer, each), ...); }, all);
    };
    if constexpr (As::is_known) {
        static_assert(sizeof...(Members) == 0,
                      "multiprocessing: register_object() of a type whose proxy has all "
                      "methods takes no list of them");
        declaration.interface = &As::interface;
        make_of(As::arguments(std::forward<Arguments>(arguments)...));
    } else {
        declaration.interface = &detail::interface_of<T, Members...>;
        make_of(std::tuple<detail::OwnCarriedType<Arguments>...>(std::forward<Arguments>(arguments)...));
    }
    if (!context.references.empty())
        throw std::invalid_argument(
            "multiprocessing: an object is registered before there is a server, so what it is "
            "made of holds no proxies");
    declaration.arguments = writer.release();
    remote_to_change().add(std::move(declaration));
}

template <class T>
auto BaseManager::object(const std::string& name) const {
    return typename detail::ManagedAs<T>::Proxy(detail::ReceivedProxy{object_target(name)});
}

} // namespace managers

} // namespace multiprocessing::inline v1

namespace multiprocessing::inline v1::detail {

inline RemoteManager::RemoteManager(const managers::ManagerOptions& options) {
    setup_.credentials = credentials_of(options);
    const platform::Endpoint endpoint = options.address ? endpoint_of(*options.address) : platform::Endpoint{};
    setup_.path = endpoint.path;
    setup_.host = endpoint.host;
    setup_.port = endpoint.port;
    setup_.key = options.authkey ? *options.authkey : current_process().authkey();
    setup_.max_clients = options.max_clients.value_or(256);
    // A frame has 31 bits for its length.
    setup_.max_message = (std::min<std::uint64_t>)(options.max_message, 0x7fff'ffff);
    setup_.max_memory_per_client = options.max_memory_per_client;
    if (const auto span = options.call_timeout.span()) setup_.call_nanoseconds = span->count();
}

inline bool RemoteManager::has_type(const std::string& name, std::uint64_t type) const {
    return std::any_of(
        setup_.declarations.begin(), setup_.declarations.end(), [&](const RemoteDeclaration& declaration) {
            return declaration.name == name && !declaration.make && declaration.interface().object == type;
        });
}

inline void RemoteManager::add(RemoteDeclaration declaration) {
    for (const RemoteDeclaration& other : setup_.declarations) {
        if (other.name == declaration.name) {
            throw std::invalid_argument("multiprocessing: '" + declaration.name +
                                        "' is registered twice: each type and object needs a name of its own");
        }
    }
    setup_.declarations.push_back(std::move(declaration));
}

inline void RemoteManager::connect(const managers::ManagerOptions& options) {
    if (!options.address)
        throw std::invalid_argument("multiprocessing: connect() needs the .address of a manager's server");
    RemoteLimits limits;
    limits.max_message = static_cast<std::size_t>(setup_.max_message);
    auto client = std::make_shared<RemoteClient>(endpoint_of(*options.address), setup_.key, limits,
                                                 client_context(setup_.credentials));
    for (const RemoteDeclaration& declaration : setup_.declarations)
        client->declare(declaration.name, declaration.interface());
    client->connect();
    client_ = std::move(client);
}

} // namespace multiprocessing::inline v1::detail

namespace multiprocessing::inline v1::managers {

inline detail::RemoteManager& BaseManager::remote() const {
    return static_cast<detail::RemoteManager&>(*remote_);
}

inline detail::RemoteManager& BaseManager::remote_to_change() {
    if (started_ || (remote_ && (remote_->is_connected() || remote().served_at)))
        throw std::logic_error(
            "multiprocessing: types and objects are registered before start(), get_server() or "
            "connect()");
    if (!remote_) remote_ = std::make_shared<detail::RemoteManager>(options_);
    return remote();
}

inline void BaseManager::connect() {
    if (started_ || (remote_ && (remote_->is_connected() || remote().served_at)))
        throw ProcessError("multiprocessing: this manager was started, or has connected: make another");
    remote_to_change().connect(options_);
}

inline Server BaseManager::get_server() {
    if (started_ || (remote_ && remote_->is_connected()))
        throw ProcessError("multiprocessing: this manager was started, or has connected: make another");
    detail::RemoteManager& manager = remote_to_change();
    detail::ManagerServer::Options options;
    options.max_calls = static_cast<std::uint32_t>(
        (std::min<std::size_t>)(options_.max_calls.value_or(256), detail::ManagerBody::channel_count));
    options.shutdown_timeout = options_.shutdown_timeout.span().value_or(std::chrono::hours{24 * 365});
    options.in_program = true;
    auto server = std::make_unique<detail::ServerHere>(options, manager.whole_setup());
    manager.served_at = server->endpoint();
    return Server(std::move(server));
}

inline connection::Address BaseManager::address() const {
    if (remote_ && remote_->is_connected()) return *options_.address;
    if (remote_ && remote().served_at) return detail::address_of(*remote().served_at);
    if (!remote_ && server_)
        throw std::logic_error("multiprocessing: address() of a manager that serves its own processes only: "
                               "register types or objects before start()");
    detail::ManagerAnswer answer = server().client()->call(
        detail::CallVerb::create, 0, detail::thunk_address<detail::AddressEntry, detail::ServedCall>(), {}, {});
    detail::throw_if_failed(answer);
    detail::Reader reader{answer.payload};
    detail::platform::Endpoint endpoint;
    endpoint.path = reader.text();
    endpoint.host = reader.text();
    endpoint.port = reader.raw<int>();
    return detail::address_of(std::move(endpoint));
}

inline std::shared_ptr<detail::ProxyTarget> BaseManager::object_target(const std::string& name) const {
    if (remote_ && remote_->is_connected()) return remote().client().object(name);
    if (!remote_ && server_)
        throw std::logic_error("multiprocessing: no object is registered as '" + name +
                               "': register_object() comes before start()");
    detail::Writer writer;
    writer.text(name);
    detail::ManagerAnswer answer = server().client()->call(
        detail::CallVerb::create, 0, detail::thunk_address<detail::NamedObjectEntry, detail::ServedCall>(),
        writer.view(), {});
    detail::throw_if_failed(answer);
    return std::move(answer.references.at(0));
}

} // namespace multiprocessing::inline v1::managers
