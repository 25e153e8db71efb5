#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file server_setup.hpp  What a manager's server is told to serve to other programs, and how it
/// begins to, in a process that is made for it or in the program's own.

#include <multiprocessing/detail/archive/codec.hpp>
#include <multiprocessing/detail/archive/codec_class.hpp>     // for the codecs of RemoteSetup
#include <multiprocessing/detail/archive/codec_container.hpp> // for the codecs of RemoteSetup
#include <multiprocessing/detail/archive/codec_pointer.hpp>   // for the codecs of RemoteSetup
#include <multiprocessing/detail/archive/codec_scalar.hpp>    // for the codecs of RemoteSetup
#include <multiprocessing/detail/archive/reader.hpp>
#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/base/endpoint.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/managers/layout.hpp>
#include <multiprocessing/detail/managers/local_target.hpp>
#include <multiprocessing/detail/managers/outcome.hpp>
#include <multiprocessing/detail/managers/server.hpp>
#include <multiprocessing/detail/platform/tls.hpp>
#include <multiprocessing/detail/remote_managers/credentials.hpp>
#include <multiprocessing/detail/remote_managers/registry.hpp>
#include <multiprocessing/detail/remote_managers/service.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/timeout.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Crosses to the server's process.
struct RemoteSetup {
    std::string path;
    std::string host;
    int port = -1;
    std::optional<std::string> key;
    platform::TlsCredentials credentials; ///< Empty: without TLS.
    std::uint64_t max_clients = 0;
    std::uint64_t max_message = 0;
    std::uint64_t max_memory_per_client = 0;
    std::optional<std::int64_t> call_nanoseconds;
    std::int64_t patience_seconds = 10; ///< See RemoteLimits.
    std::vector<RemoteDeclaration> declarations;
};

/// Listens, and makes the objects that are registered. Throws what making them throws, and as
/// Listener.
inline std::shared_ptr<RemoteService> open_service(ManagerServer& server, const RemoteSetup& setup);
/// The same, of `setup` in bytes, in a server's process.
inline void open_remote_server(ManagerServer& server, const std::vector<std::byte>& setup);
inline std::vector<std::byte> bytes_of_setup(const RemoteSetup& setup);

/// Of the service in the process that is a server: null in others.
inline std::shared_ptr<RemoteService>& current_service();

/// Near calls by which the maker of the manager asks its server: for the address, as path, host and
/// port; for an object by name.
struct AddressEntry {
    static void run(ServedCall& call);
};
struct NamedObjectEntry {
    static void run(ServedCall& call);
};

/// A server in this very process, as Server has it.
class ServerHere {
public:
    ServerHere(ManagerServer::Options options, const RemoteSetup& setup);
    ServerHere(const ServerHere&) = delete;
    ServerHere& operator=(const ServerHere&) = delete;
    ~ServerHere();

    const platform::Endpoint& endpoint() const noexcept { return service_->endpoint(); }
    /// Serves until shut_down().
    void run();
    void shut_down() noexcept { server_->shut_down(); }

private:
    void end() noexcept;

    ManagerLink link_;
    std::unique_ptr<ManagerServer> server_;
    std::shared_ptr<RemoteService> service_;
    std::atomic<bool> has_run_{false};
};

inline std::vector<std::byte> bytes_of_setup(const RemoteSetup& setup) {
    Writer writer;
    encode(writer, setup);
    return writer.release();
}

inline std::shared_ptr<RemoteService> open_service(ManagerServer& server, const RemoteSetup& setup) {
    RemoteService::Options options;
    options.endpoint = {setup.path, setup.host, setup.port};
    options.key = setup.key;
    options.tls = server_context(setup.credentials);
    options.limits.max_clients = static_cast<std::size_t>(setup.max_clients);
    options.limits.max_message = static_cast<std::size_t>(setup.max_message);
    options.limits.max_memory_per_client = static_cast<std::size_t>(setup.max_memory_per_client);
    options.limits.patience = std::chrono::seconds{setup.patience_seconds};
    if (setup.call_nanoseconds) options.limits.call_timeout = std::chrono::nanoseconds{*setup.call_nanoseconds};
    auto service = std::make_shared<RemoteService>(server, std::move(options));
    for (const RemoteDeclaration& declaration : setup.declarations) {
        std::shared_ptr<ServedObject> object;
        if (declaration.make) {
            ServerJob job;
            job.entry = declaration.make;
            job.payload = declaration.arguments;
            const CallOutcome outcome = carry_out(server, job);
            if (outcome.failed) throw_remote(failure_of(outcome.payload));
            object = static_cast<const LocalTarget&>(*outcome.references.at(0)).object;
        }
        service->registry().add(declaration.name, declaration.interface(), std::move(object));
    }
    server.attach(service);
    return service;
}

inline std::shared_ptr<RemoteService>& current_service() {
    static std::shared_ptr<RemoteService> service;
    return service;
}

inline void open_remote_server(ManagerServer& server, const std::vector<std::byte>& setup) {
    Reader reader{setup};
    const auto what = decode<RemoteSetup>(reader);
    reader.finish();
    current_service() = open_service(server, what);
}

inline void AddressEntry::run(ServedCall& call) {
    call.reader.finish();
    const platform::Endpoint& endpoint = current_service()->endpoint();
    call.writer.text(endpoint.path);
    call.writer.text(endpoint.host);
    call.writer.raw(endpoint.port);
}

inline void NamedObjectEntry::run(ServedCall& call) {
    const std::string name = call.reader.text();
    call.reader.finish();
    call.references.references.push_back(
        std::make_shared<LocalTarget>(current_service()->registry().object(name)));
}

inline ServerHere::ServerHere(ManagerServer::Options options, const RemoteSetup& setup)
    : server_(std::make_unique<ManagerServer>(link_, options)), service_(open_service(*server_, setup)) {}

inline void ServerHere::run() {
    if (has_run_.exchange(true))
        throw ProcessError("multiprocessing: serve_forever() was called before: a Server serves once");
    try {
        server_->run();
    } catch (...) {
        end();
        throw;
    }
    end();
}

/// What is in code of the program's goes on, and what it uses stays for good.
inline void ServerHere::end() noexcept {
    service_->close();
    const bool ended =
        server_->end_threads() && service_->wait_for_threads(Deadline::after(std::chrono::seconds{0}));
    if (!ended) static_cast<void>(server_.release());
}

inline ServerHere::~ServerHere() {
    if (!has_run_.load()) end();
}

} // namespace multiprocessing::inline v1::detail
