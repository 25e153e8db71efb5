#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file service.hpp  How a manager's server serves remote clients: which ones it accepts, the
/// thread of each connection, and the limits of time.

#include <multiprocessing/detail/base/endpoint.hpp>
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/connection/acceptor.hpp>
#include <multiprocessing/detail/managers/server.hpp>
#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/listener.hpp>
#include <multiprocessing/detail/platform/signals.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/remote_managers/credentials.hpp>
#include <multiprocessing/detail/remote_managers/frame_stream.hpp>
#include <multiprocessing/detail/remote_managers/ledger.hpp>
#include <multiprocessing/detail/remote_managers/protocol.hpp>
#include <multiprocessing/detail/remote_managers/registry.hpp>
#include <multiprocessing/detail/remote_managers/remote_connection.hpp>
#include <multiprocessing/detail/remote_managers/session.hpp>
#include <multiprocessing/detail/space/layout.hpp>
#include <multiprocessing/detail/this_process.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/timeout.hpp>
#include <multiprocessing/util.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Accepts remote clients, and serves each connection by a thread that carries out its calls
/// itself: a call costs no wake. All its threads hold it; close() ends them but those that are in
/// code of the program's, which it leaves to their calls.
class RemoteService final : public RemoteSide, public std::enable_shared_from_this<RemoteService> {
public:
    struct Options {
        platform::Endpoint endpoint;
        std::optional<std::string> key;
        RemoteLimits limits;
        SharedTlsContext tls = {};
    };

    /// Listens. `server` outlives the threads, or the process ends with both. Throws as Listener.
    RemoteService(ManagerServer& server, Options options);
    ~RemoteService() override = default;

    /// Where clients find it.
    const platform::Endpoint& endpoint() const noexcept { return endpoint_; }
    /// Before start().
    RemoteRegistry& registry() noexcept { return registry_; }
    ManagerServer& server() noexcept { return server_; }

    void start() override;
    void close() override;
    /// Whether all its threads have ended, until the deadline.
    bool wait_for_threads(Deadline deadline);

private:
    using Clock = RemoteConnection::Clock;
    static constexpr Clock::time_point never = RemoteConnection::never;
    using ConnectionPointer = std::shared_ptr<RemoteConnection>;

    class Caller final : public RemoteCaller {
    public:
        Caller(RemoteConnection& connection, std::uint64_t turn) : connection_(connection), turn_(turn) {}
        bool is_gone() override;

    private:
        RemoteConnection& connection_;
        const std::uint64_t turn_;
    };

    void start_thread(std::function<void()> run);
    void accept();
    void watch();
    void look_after(const ConnectionPointer& connection, Clock::time_point now);
    bool admit(const ConnectionPointer& connection);
    void welcome(const ConnectionPointer& connection);
    void serve(const ConnectionPointer& connection, std::uint64_t turn);
    bool serve_one(RemoteConnection& connection, std::span<const std::byte> request, Caller& caller,
                   std::uint64_t turn);
    void send(RemoteConnection& connection, const RemoteAnswer& answer);
    void say_farewell(RemoteConnection& connection, const RemoteAnswer& answer) noexcept;
    void end(const ConnectionPointer& connection);
    std::shared_ptr<RemoteSession> session_of(const ClientToken& token);
    std::vector<ConnectionPointer> connections();
    void log(const char* what) const noexcept;

    struct Known {
        std::shared_ptr<RemoteSession> session;
        std::size_t connections = 0;
    };

    ManagerServer& server_;
    const Options options_;
    std::optional<Acceptor> acceptor_;
    const platform::Endpoint endpoint_;
    RemoteRegistry registry_;
    RemoteLedger ledger_;
    std::atomic<bool> closes_{false};

    std::mutex mutex_; // guards what follows
    std::condition_variable changed_;
    std::size_t threads_ = 0;
    std::vector<ConnectionPointer> connections_;
    std::map<ClientToken, Known> sessions_;
    Incarnation last_process_ = 0x8000'0000; // above those of the tree
};

inline RemoteService::RemoteService(ManagerServer& server, Options options)
    : server_(server),
      options_(std::move(options)),
      acceptor_(std::in_place, options_.endpoint, 128, options_.key, false, options_.limits.patience,
                options_.tls ? [tls = options_.tls] { return tls->open({}); } : Acceptor::MakeLayer{}),
      endpoint_(acceptor_->listening().endpoint()),
      ledger_(options_.limits.max_memory_per_client) {}

inline void RemoteService::log(const char* what) const noexcept {
    try {
        get_logger().log(LogLevel::warning, std::string("a remote client of a manager: ") + what);
    } catch (const std::exception&) {}
}

inline void RemoteService::start_thread(std::function<void()> run) {
    const platform::AllSignalsBlocked program_handles_signals;
    {
        std::lock_guard lock{mutex_};
        ++threads_;
    }
    ++this_process().own_threads;
    try {
        std::thread([self = shared_from_this(), run = std::move(run)]() mutable {
            platform::name_this_thread("mp-remote");
            run();
            run = nullptr; // what it holds goes before the thread is counted out
            --this_process().own_threads;
            std::lock_guard lock{self->mutex_};
            --self->threads_;
            self->changed_.notify_all();
        }).detach();
    } catch (...) {
        --this_process().own_threads;
        std::lock_guard lock{mutex_};
        --threads_;
        throw;
    }
}

inline void RemoteService::start() {
    start_thread([this] { accept(); });
    start_thread([this] { watch(); });
}

inline void RemoteService::accept() {
    while (!closes_.load()) {
        try {
            auto accepted = acceptor_->accept(Deadline{});
            if (!accepted) continue;
            // A client whose machine vanishes holds locks, objects and a place.
            platform::keep_alive(accepted->bytes.stream().handle());
            auto connection = std::make_shared<RemoteConnection>(std::move(*accepted));
            if (!admit(connection)) continue;
            try {
                start_thread([this, connection] { welcome(connection); });
            } catch (const std::exception&) {
                end(connection);
                throw;
            }
        } catch (const AuthenticationError& error) { // the others are not affected
            log(error.what());
        } catch (const std::exception& error) { // out of descriptors, threads or memory: it is tried again
            log(error.what());
            std::unique_lock lock{mutex_};
            changed_.wait_for(lock, std::chrono::milliseconds{100}, [&] { return closes_.load(); });
        }
    }
    std::lock_guard lock{mutex_};
    acceptor_.reset(); // the address is free, and what stood for it in the file system is gone
}

/// Takes it up, if there are not too many.
inline bool RemoteService::admit(const ConnectionPointer& connection) {
    {
        std::lock_guard lock{mutex_};
        if (connections_.size() < options_.limits.max_clients) {
            connections_.push_back(connection);
            changed_.notify_all();
            return true;
        }
    }
    const std::system_error error(std::make_error_code(std::errc::resource_unavailable_try_again),
                                  "multiprocessing: a manager's server has as many connections as "
                                  ".max_clients allows");
    log(error.what());
    say_farewell(*connection, failed_answer_of(error));
    return false;
}

inline void RemoteService::say_farewell(RemoteConnection& connection, const RemoteAnswer& answer) noexcept {
    try {
        RemoteAnswer last = answer;
        last.kind = RemoteAnswerKind::farewell;
        connection.sending_ends.store(Clock::now() + options_.limits.patience);
        connection.frames.send(last.head(), last.payload);
    } catch (const std::exception&) {} // it need not be there to hear it
    connection.frames.shut();
}

/// The first message says who it is.
inline void RemoteService::welcome(const ConnectionPointer& connection) {
    try {
        std::vector<std::byte> message;
        constexpr std::size_t most = 4096;
        const auto received = connection->frames.receive(
            message, most, Deadline::after(options_.limits.patience), options_.limits.patience);
        if (received == FrameStream::Received::end) return end(connection);
        RemoteHello hello;
        if (received == FrameStream::Received::nothing || message.size() != sizeof hello)
            throw SerializationError("multiprocessing: what it sends is no greeting of a manager's client");
        std::memcpy(&hello, message.data(), sizeof hello);
        const RemoteHello ours;
        if (hello.mark != ours.mark || hello.order != ours.order || hello.sizes != ours.sizes ||
            hello.protocol != ours.protocol) {
            throw ProcessError("multiprocessing: the client of a manager has other numbers, or another version "
                               "of the library, than the server");
        }
        connection->session = session_of(hello.token);
        RemoteAnswer answer;
        const RemoteWelcome welcome{options_.limits.max_message,
                                    static_cast<std::uint64_t>(platform::current_pid())};
        const auto bytes = std::as_bytes(std::span{&welcome, 1});
        answer.payload.assign(bytes.begin(), bytes.end());
        send(*connection, answer);
    } catch (const std::exception& error) {
        log(error.what());
        say_farewell(*connection, failed_answer());
        return end(connection);
    }
    serve(connection, 0);
}

inline std::shared_ptr<RemoteSession> RemoteService::session_of(const ClientToken& token) {
    std::lock_guard lock{mutex_};
    Known& known = sessions_[token];
    if (!known.session)
        known.session =
            std::make_shared<RemoteSession>(server_, registry_, ledger_, options_.limits, ++last_process_);
    ++known.connections;
    return known.session;
}

/// It is over: what the client has refers to nothing any more if it was its last one.
inline void RemoteService::end(const ConnectionPointer& connection) {
    connection->frames.shut();
    std::shared_ptr<RemoteSession> last;
    {
        std::lock_guard lock{mutex_};
        std::erase(connections_, connection);
        for (auto known = sessions_.begin(); known != sessions_.end(); ++known) {
            if (known->second.session != connection->session) continue;
            if (--known->second.connections == 0) {
                last = std::move(known->second.session);
                sessions_.erase(known);
            }
            break;
        }
    }
    if (last) last->end();
}

inline bool RemoteService::Caller::is_gone() {
    std::lock_guard lock{connection_.mutex};
    return connection_.turn != turn_ || connection_.frames.has_something();
}

inline void RemoteService::send(RemoteConnection& connection, const RemoteAnswer& answer) {
    const std::vector<std::byte> head = answer.head();
    const std::size_t size = head.size() + answer.payload.size();
    connection.sending_ends.store(Clock::now() + options_.limits.patience + std::chrono::seconds{size >> 20});
    connection.frames.send(head, answer.payload);
    connection.sending_ends.store(never);
}

/// Returns whether the thread goes on with the connection.
inline bool RemoteService::serve_one(RemoteConnection& connection, std::span<const std::byte> request,
                                     Caller& caller, std::uint64_t turn) {
    {
        std::lock_guard lock{connection.mutex};
        connection.in_call = &caller;
    }
    if (options_.limits.call_timeout) connection.call_ends.store(Clock::now() + *options_.limits.call_timeout);
    server_.begin_request();
    const ScopeExit ended{[&] { server_.end_request(); }};
    RemoteAnswer answer = connection.session->answer(request, caller);
    const std::size_t size = answer.payload.size();
    const Incarnation process = connection.session->process();
    const bool fits = ledger_.take_buffer(process, size);
    const ScopeExit sent{[&] {
        if (fits) ledger_.give_buffer(process, size);
    }};
    if (!fits || size > options_.limits.max_message) {
        answer = failed_answer_of(
            std::length_error("multiprocessing: the answer of a manager has " + std::to_string(size) +
                              " bytes, more than its .max_message or .max_memory_per_client allows"));
    }
    std::unique_lock lock{connection.mutex};
    if (connection.turn != turn) return false; // the watcher has answered; the connection is another thread's
    connection.in_call = nullptr;
    connection.call_ends.store(never);
    connection.session->count(answer); // before it can know of them
    send(connection, answer);
    lock.unlock();
    if (answer.is_last) log("it sent what is no request");
    return !answer.is_last;
}

inline void RemoteService::serve(const ConnectionPointer& connection, std::uint64_t turn) {
    try {
        Caller caller(*connection, turn);
        std::vector<std::byte> request;
        while (!closes_.load()) {
            std::size_t taken = 0;
            const auto admit = [&](std::size_t size) {
                if (!ledger_.take_buffer(connection->session->process(), size)) return false;
                taken = size;
                return true;
            };
            const ScopeExit done{[&] { ledger_.give_buffer(connection->session->process(), taken); }};
            const auto received = connection->frames.receive(request, options_.limits.max_message,
                                                             Deadline::after(std::chrono::milliseconds{500}),
                                                             options_.limits.patience, admit);
            if (received == FrameStream::Received::refused) {
                const RemoteAnswer refusal = failed_answer_of(
                    std::system_error(std::make_error_code(std::errc::not_enough_memory),
                                      "multiprocessing: the calls of a client of a manager take more than its "
                                      ".max_memory_per_client"));
                std::lock_guard lock{connection->mutex};
                send(*connection, refusal);
                continue;
            }
            if (received == FrameStream::Received::end) break;
            if (received == FrameStream::Received::nothing) continue;
            if (!serve_one(*connection, request, caller, turn)) {
                std::lock_guard lock{connection->mutex};
                if (connection->turn != turn) return;
                break;
            }
            if (request.capacity() > (std::size_t{1} << 20))
                request = {}; // what a big message took is not kept
        }
    } catch (const SerializationError& error) {
        log(error.what());
        const RemoteAnswer farewell = failed_answer();
        std::lock_guard lock{connection->mutex};
        say_farewell(*connection, farewell);
    } catch (const std::exception& error) {
        if (!closes_.load()) log(error.what());
    }
    end(connection);
}

inline std::vector<RemoteService::ConnectionPointer> RemoteService::connections() {
    std::lock_guard lock{mutex_};
    return connections_;
}

/// The time of its call, or of its taking an answer, may be over.
inline void RemoteService::look_after(const ConnectionPointer& connection, Clock::time_point now) {
    if (connection->sending_ends.load() <= now) {
        log("it does not take its answer, and its connection was closed");
        connection->sending_ends.store(never);
        connection->frames.shut();
        return;
    }
    if (connection->call_ends.load() > now) return;
    const TimeoutError error("multiprocessing: a call in a manager took longer than its .call_timeout");
    const RemoteAnswer answer = failed_answer_of(error);
    std::unique_lock lock{connection->mutex, std::try_to_lock};
    if (!lock || !connection->in_call || connection->call_ends.load() > now) return;
    connection->call_ends.store(never);
    if (!server_.abandon(*connection->in_call)) return; // the answer is on its way
    connection->in_call = nullptr;
    const std::uint64_t turn = ++connection->turn;
    lock.unlock();
    log(error.what());
    try {
        // Not sent from here: a client that reads nothing would hold up the watch over all others.
        start_thread([this, connection, turn, answer] {
            try {
                std::lock_guard sending{connection->mutex};
                send(*connection, answer);
            } catch (const std::exception&) {} // serve() sees that it has gone
            serve(connection, turn);
        });
    } catch (const std::exception&) { end(connection); }
}

inline void RemoteService::watch() {
    std::chrono::nanoseconds period = std::chrono::milliseconds{500};
    if (options_.limits.call_timeout)
        period = std::clamp<std::chrono::nanoseconds>(*options_.limits.call_timeout / 8,
                                                      std::chrono::milliseconds{5}, period);
    while (!closes_.load()) {
        {
            std::unique_lock lock{mutex_};
            changed_.wait(lock, [&] { return !connections_.empty() || closes_.load(); });
            changed_.wait_for(lock, period, [&] { return closes_.load(); });
        }
        const auto now = Clock::now();
        for (const auto& connection : connections()) look_after(connection, now);
    }
}

inline void RemoteService::close() {
    {
        std::lock_guard lock{mutex_};
        closes_.store(true);
        changed_.notify_all();
        if (acceptor_) acceptor_->interrupt();
    }
    const RemoteAnswer farewell = failed_answer_of(
        ProcessError("multiprocessing: the manager was shut down: use its proxies before shutdown()"));
    for (const auto& connection : connections()) {
        std::unique_lock lock{connection->mutex, std::try_to_lock};
        if (lock) {
            say_farewell(*connection, farewell);
        } else { // it takes its answer, or does not
            connection->frames.shut();
        }
    }
    wait_for_threads(Deadline::after(std::chrono::seconds{2}));
    std::map<ClientToken, Known> sessions;
    {
        std::lock_guard lock{mutex_};
        sessions.swap(sessions_);
    }
    for (auto& [token, known] : sessions) known.session->end();
    registry_.clear();
}

inline bool RemoteService::wait_for_threads(Deadline deadline) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, deadline.left(std::chrono::hours{1}), [&] { return threads_ == 0; });
}

} // namespace multiprocessing::inline v1::detail
