#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file client.hpp  This program as a remote client of a manager's server: its connections, its
/// calls, and its references of objects there.

#include <multiprocessing/detail/archive/reader.hpp>
#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/base/endpoint.hpp>
#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/connection/acceptor.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/managers/message.hpp>
#include <multiprocessing/detail/managers/method.hpp>
#include <multiprocessing/detail/parking/recovering_lock.hpp>
#include <multiprocessing/detail/platform/error.hpp>
#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/remote_managers/credentials.hpp>
#include <multiprocessing/detail/remote_managers/frame_stream.hpp>
#include <multiprocessing/detail/remote_managers/interface.hpp>
#include <multiprocessing/detail/remote_managers/protocol.hpp>
#include <multiprocessing/exceptions.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

class RemoteGrip;
class Writer;

/// This process as a remote client of one server. Each call that runs has a connection of its own,
/// which the next one takes over.
class RemoteClient : public std::enable_shared_from_this<RemoteClient> {
public:
    RemoteClient(platform::Endpoint endpoint, std::optional<std::string> key, RemoteLimits limits,
                 SharedTlsContext tls = {});
    RemoteClient(const RemoteClient&) = delete;
    RemoteClient& operator=(const RemoteClient&) = delete;

    /// Before connect(): what this program calls by which name.
    void declare(const std::string& name, const RemoteInterface& interface);
    /// Makes the first connection. Throws `std::system_error` if no server is there,
    /// AuthenticationError if it has another key, or another certificate than it should.
    void connect();

    bool is_here() const noexcept { return origin_.is_here(); }
    std::size_t number_of_objects();
    /// The object that is registered by that name.
    std::shared_ptr<ProxyTarget> object(const std::string& name);
    /// Makes an object of the type that is registered by that name. `signature`: of the arguments;
    /// `entry`: for a type without a list.
    std::shared_ptr<ProxyTarget> create(const std::string& name, std::uint64_t signature,
                                        const std::string& text, const ThunkAddress& entry,
                                        std::span<const std::byte> payload, const ProxyTargets& references);
    ManagerAnswer invoke(ManagedId id, const ThunkAddress& entry, std::span<const std::byte> payload,
                         const ProxyTargets& references);
    void release(ManagedId id, std::uint64_t count) noexcept;

private:
    using Connection = std::unique_ptr<FrameStream>;

    /// A method as this program knows it.
    struct Bound {
        std::string type;
        std::string member;
        std::uint64_t signature = 0;
        std::string text;
        std::optional<std::uint32_t> number = {};
    };
    using Key = std::pair<std::uint64_t, std::uint64_t>; // of a thunk: offset and fingerprint

    static Key key_of(const ThunkAddress& entry) { return {entry.place.offset, entry.fingerprint}; }
    Connection open();
    /// Throws EOFError if the server has gone since connect(), like the calls that it left.
    Connection take();
    [[noreturn]] static void throw_gone(const std::exception& why);
    void give_back(Connection connection) noexcept;
    ManagerAnswer ask(std::span<const std::byte> head, std::span<const std::byte> payload);
    ManagerAnswer read_answer(std::span<const std::byte> message, RemoteAnswerKind& kind);
    [[noreturn]] void lose(std::exception_ptr why);
    void require_usable();
    std::uint32_t bind(const Bound& method);
    std::optional<std::uint32_t> number_of(const ThunkAddress& entry);
    static void write_thunk(Writer& writer, const ThunkAddress& entry);
    void write_call(Writer& writer, const ProxyTargets& references) const;
    std::shared_ptr<ProxyTarget> only_reference(ManagerAnswer answer) const;
    std::shared_ptr<RemoteGrip> grip_of_answer(ManagedId id);

    const platform::Endpoint endpoint_;
    const std::optional<std::string> key_;
    const SharedTlsContext tls_;
    const RemoteLimits limits_;
    std::atomic<std::size_t> max_message_; // or what the server says, if that is more
    const ForkOrigin origin_;
    ClientToken token_{};
    bool has_unlisted_ = false;
    std::map<std::string, bool> listed_; // by the names of types

    Mutex mutex_; // guards what follows
    std::vector<Connection> idle_;
    std::size_t connections_ = 0; // idle_ has room for all of them
    std::map<Key, Bound> methods_;
    std::map<std::pair<std::string, std::uint64_t>, std::uint32_t> constructors_;
    std::map<ManagedId, std::weak_ptr<RemoteGrip>> grips_;
    std::exception_ptr lost_; // why no call works any more
};

/// This process's reference of an object of a remote server, shared by its proxies here.
class RemoteGrip final : public ProxyTarget {
public:
    RemoteGrip(std::shared_ptr<RemoteClient> client, ManagedId id) : client_(std::move(client)), id_(id) {}
    ~RemoteGrip() override;

    ManagedId id() const noexcept override { return id_; }
    bool is_beside(const ProxyTarget& other) const noexcept override;
    ManagerAnswer call(CallVerb verb, const ThunkAddress& entry, std::span<const std::byte> payload,
                       const ProxyTargets& references) override;
    void export_to(HandleSink& sink) override;

    bool is_of(const RemoteClient& client) const noexcept { return client_.get() == &client; }
    void owe() noexcept { owed_.fetch_add(1, std::memory_order_relaxed); }

private:
    const std::shared_ptr<RemoteClient> client_;
    const ManagedId id_;
    std::atomic<std::uint64_t> owed_{1}; // how many references the server counts for this
};

inline RemoteClient::RemoteClient(platform::Endpoint endpoint, std::optional<std::string> key,
                                  RemoteLimits limits, SharedTlsContext tls)
    : endpoint_(std::move(endpoint)),
      key_(std::move(key)),
      tls_(std::move(tls)),
      limits_(limits),
      max_message_(limits.max_message) {
    platform::fill_random(token_);
}

inline void RemoteClient::declare(const std::string& name, const RemoteInterface& interface) {
    listed_[name] = interface.is_listed;
    if (!interface.is_listed) has_unlisted_ = true;
    for (const RemoteMethod& method : interface.methods)
        methods_.try_emplace(key_of(method.thunk), Bound{name, method.name, method.signature, method.text});
}

inline void RemoteClient::connect() { give_back(open()); }

inline RemoteClient::Connection RemoteClient::open() {
    const auto patience = Deadline::after(std::chrono::seconds{20});
    auto accepted = connect_stream(endpoint_, key_, false, patience,
                                   tls_ ? tls_->open(host_to_verify(endpoint_)) : nullptr);
    auto connection = std::make_unique<FrameStream>(std::move(accepted.bytes));
    platform::keep_alive(connection->handle());
    RemoteHello hello;
    hello.token = token_;
    connection->send(std::as_bytes(std::span{&hello, 1}), {});
    std::vector<std::byte> message;
    const auto received = connection->receive(message, max_message_.load(), patience, limits_.patience);
    if (received != FrameStream::Received::message)
        throw EOFError(
            "multiprocessing: what this manager has connected to does not greet as a manager's server "
            "does");
    RemoteAnswerKind kind{};
    const ManagerAnswer answer = read_answer(message, kind);
    throw_if_failed(answer); // the connections that there are go on
    RemoteWelcome welcome;
    if (answer.payload.size() != sizeof welcome)
        throw SerializationError("multiprocessing: the greeting of a manager's server has another length");
    std::memcpy(&welcome, answer.payload.data(), sizeof welcome);
    std::lock_guard lock{mutex_};
    max_message_.store((std::max)(max_message_.load(), static_cast<std::size_t>(welcome.max_message)));
    idle_.reserve(connections_ + 1); // giving it back cannot fail
    ++connections_;
    return connection;
}

inline RemoteClient::Connection RemoteClient::take() {
    {
        std::lock_guard lock{mutex_};
        if (!idle_.empty()) {
            Connection connection = std::move(idle_.back());
            idle_.pop_back();
            return connection;
        }
    }
    try {
        return open();
    } catch (const AuthenticationError& error) { throw_gone(error); } catch (const std::system_error& error) {
        if (!platform::is_peer_gone(error.code())) throw; // such as no file left here
        throw_gone(error);
    }
}

inline void RemoteClient::throw_gone(const std::exception& why) {
    throw EOFError(std::string("multiprocessing: the server of a manager, to which this program was "
                               "connected, takes no further connection: it has ended, or lacks the means: ") +
                   why.what());
}

inline void RemoteClient::give_back(Connection connection) noexcept {
    std::lock_guard lock{mutex_};
    idle_.push_back(std::move(connection)); // there is room
}

inline void RemoteClient::lose(std::exception_ptr why) {
    std::vector<Connection> idle;
    {
        std::lock_guard lock{mutex_};
        if (!lost_) lost_ = why;
        why = lost_;
        idle.swap(idle_); // they are of no use
    }
    std::rethrow_exception(why);
}

inline void RemoteClient::require_usable() {
    origin_.require_here("a manager that has connected to a server",
                         "connect() another one in this process, by the same address and key");
    std::lock_guard lock{mutex_};
    if (lost_) std::rethrow_exception(lost_);
}

inline ManagerAnswer RemoteClient::read_answer(std::span<const std::byte> message, RemoteAnswerKind& kind) {
    Reader reader{message};
    reader.set_subject("answer of a manager");
    kind = static_cast<RemoteAnswerKind>(reader.raw<std::uint8_t>());
    const auto count = reader.raw<std::uint32_t>();
    if (count > reader.left() / sizeof(ManagedId))
        reader.fail("more objects are claimed than there are bytes for");
    ManagerAnswer answer;
    for (std::uint32_t i = 0; i < count; ++i)
        answer.references.push_back(grip_of_answer(reader.raw<ManagedId>()));
    const auto rest = reader.bytes(reader.left());
    answer.payload.assign(rest.begin(), rest.end());
    answer.failed = kind != RemoteAnswerKind::result;
    return answer;
}

/// Sends a request, and waits for the answer to it.
inline ManagerAnswer RemoteClient::ask(std::span<const std::byte> head, std::span<const std::byte> payload) {
    if (head.size() + payload.size() > max_message_.load()) {
        throw std::length_error("multiprocessing: a call of " + std::to_string(head.size() + payload.size()) +
                                " bytes exceeds .max_message of the manager, " +
                                std::to_string(max_message_.load()));
    }
    require_usable();
    Connection connection = take();
    std::vector<std::byte> message;
    try {
        try {
            connection->send(head, payload);
        } catch (const std::system_error& error) {
            if (error.code() != std::errc::broken_pipe) throw;
        } // it may have said why
        if (connection->receive(message, max_message_.load(), Deadline{}, limits_.patience) !=
            FrameStream::Received::message) {
            throw EOFError(
                "multiprocessing: the server of a manager has ended, or closed the connection, and its "
                "objects with it");
        }
    } catch (const EOFError&) { lose(std::current_exception()); } catch (const std::system_error& error) {
        lose(std::make_exception_ptr(EOFError(
            std::string("multiprocessing: the connection to a manager's server is lost: ") + error.what())));
    }
    RemoteAnswerKind kind{};
    ManagerAnswer answer = read_answer(message, kind);
    if (kind == RemoteAnswerKind::farewell) lose(rebuild(failure_of(answer.payload)));
    give_back(std::move(connection));
    return answer;
}

inline std::shared_ptr<RemoteGrip> RemoteClient::grip_of_answer(ManagedId id) {
    std::lock_guard lock{mutex_};
    std::weak_ptr<RemoteGrip>& known = grips_[id];
    if (auto grip = known.lock()) {
        grip->owe();
        return grip;
    }
    auto grip = std::make_shared<RemoteGrip>(shared_from_this(), id);
    known = grip;
    return grip;
}

inline std::shared_ptr<ProxyTarget> RemoteClient::only_reference(ManagerAnswer answer) const {
    throw_if_failed(answer);
    if (answer.references.size() != 1)
        throw SerializationError(
            "multiprocessing: a manager's server has not named the object that was asked for");
    return std::move(answer.references.front());
}

inline std::size_t RemoteClient::number_of_objects() {
    Writer writer;
    writer.raw(RemoteRequest::count);
    const ManagerAnswer answer = ask(writer.view(), {});
    throw_if_failed(answer);
    std::uint64_t count = 0;
    if (answer.payload.size() == sizeof count) std::memcpy(&count, answer.payload.data(), sizeof count);
    return static_cast<std::size_t>(count);
}

inline std::shared_ptr<ProxyTarget> RemoteClient::object(const std::string& name) {
    Writer writer;
    writer.raw(RemoteRequest::object);
    writer.text(name);
    return only_reference(ask(writer.view(), {}));
}

/// Asks for the number of a method or constructor, which it has as long as the server lives.
inline std::uint32_t RemoteClient::bind(const Bound& method) {
    Writer writer;
    writer.raw(RemoteRequest::bind);
    writer.text(method.type);
    writer.text(method.member);
    writer.raw(method.signature);
    writer.text(method.text);
    const ManagerAnswer answer = ask(writer.view(), {});
    throw_if_failed(answer);
    std::uint32_t number = 0;
    if (answer.payload.size() != sizeof number)
        throw SerializationError("multiprocessing: a manager's server has not said the number of a method");
    std::memcpy(&number, answer.payload.data(), sizeof number);
    return number;
}

/// The number of the method that a proxy of this program names so; nullopt: it is in no list, and
/// goes by its thunk.
inline std::optional<std::uint32_t> RemoteClient::number_of(const ThunkAddress& entry) {
    Bound method;
    {
        std::lock_guard lock{mutex_};
        const auto found = methods_.find(key_of(entry));
        if (found == methods_.end()) {
            if (has_unlisted_) return std::nullopt;
            throw std::logic_error("multiprocessing: this method is not among those that register_type() or "
                                   "register_object() of this manager lists, with parameters of these types");
        }
        if (found->second.number) return found->second.number;
        method = found->second;
    }
    const std::uint32_t number = bind(method);
    std::lock_guard lock{mutex_};
    methods_[key_of(entry)].number = number;
    return number;
}

inline void RemoteClient::write_thunk(Writer& writer, const ThunkAddress& entry) {
    writer.raw(entry.place.image.bytes);
    writer.raw(entry.place.offset);
    writer.raw(entry.fingerprint);
}

inline void RemoteClient::write_call(Writer& writer, const ProxyTargets& references) const {
    writer.raw(this_thread());
    writer.raw(static_cast<std::uint32_t>(references.size()));
    for (const auto& reference : references) {
        const auto* const grip = dynamic_cast<const RemoteGrip*>(reference.get());
        if (!grip || !grip->is_of(*this)) {
            throw std::invalid_argument("multiprocessing: a proxy of another manager was given to this one, "
                                        "which cannot call it: give a copy() of its contents");
        }
        writer.raw(grip->id());
    }
}

inline std::shared_ptr<ProxyTarget> RemoteClient::create(const std::string& name, std::uint64_t signature,
                                                         const std::string& text, const ThunkAddress& entry,
                                                         std::span<const std::byte> payload,
                                                         const ProxyTargets& references) {
    const auto declared = listed_.find(name);
    if (declared == listed_.end())
        throw std::logic_error("multiprocessing: '" + name +
                               "' is not registered in this manager: register_type() it before connect()");
    Writer writer;
    if (declared->second) {
        std::optional<std::uint32_t> number;
        {
            std::lock_guard lock{mutex_};
            const auto found = constructors_.find({name, signature});
            if (found != constructors_.end()) number = found->second;
        }
        if (!number) {
            number = bind({name, "", signature, text});
            std::lock_guard lock{mutex_};
            constructors_[{name, signature}] = *number;
        }
        writer.raw(RemoteRequest::create);
        writer.raw(*number);
    } else {
        writer.raw(RemoteRequest::create_here);
        writer.text(name);
        write_thunk(writer, entry);
    }
    write_call(writer, references);
    return only_reference(ask(writer.view(), payload));
}

inline ManagerAnswer RemoteClient::invoke(ManagedId id, const ThunkAddress& entry,
                                          std::span<const std::byte> payload, const ProxyTargets& references) {
    Writer writer;
    if (const auto number = number_of(entry)) {
        writer.raw(RemoteRequest::invoke);
        writer.raw(id);
        writer.raw(*number);
    } else {
        writer.raw(RemoteRequest::invoke_here);
        writer.raw(id);
        write_thunk(writer, entry);
    }
    write_call(writer, references);
    return ask(writer.view(), payload);
}

/// If the server is not there any more, its count has ended with the connections.
inline void RemoteClient::release(ManagedId id, std::uint64_t count) noexcept {
    try {
        {
            std::lock_guard lock{mutex_};
            // Another grip of the object may have come meanwhile.
            if (const auto found = grips_.find(id); found != grips_.end() && found->second.expired())
                grips_.erase(found);
            if (lost_) return;
        }
        Writer writer;
        writer.raw(RemoteRequest::release);
        writer.raw(id);
        writer.raw(count);
        ask(writer.view(), {});
    } catch (const std::exception&) {}
}

inline RemoteGrip::~RemoteGrip() {
    if (client_->is_here()) client_->release(id_, owed_.load(std::memory_order_relaxed));
}

inline bool RemoteGrip::is_beside(const ProxyTarget& other) const noexcept {
    const auto* const grip = dynamic_cast<const RemoteGrip*>(&other);
    return grip && grip->client_ == client_;
}

inline ManagerAnswer RemoteGrip::call(CallVerb, const ThunkAddress& entry, std::span<const std::byte> payload,
                                      const ProxyTargets& references) {
    return client_->invoke(id_, entry, payload, references);
}

inline void RemoteGrip::export_to(HandleSink&) {
    throw std::invalid_argument("multiprocessing: a proxy of an object in another program's manager cannot be "
                                "passed to a process: let that process connect() and ask for the object()");
}

} // namespace multiprocessing::inline v1::detail
