#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file support.hpp  What the tests of remote managers share.

#include <support/processes.hpp>

#include <multiprocessing/detail/base/byte_layer.hpp>
#include <multiprocessing/detail/connection/acceptor.hpp>
#include <multiprocessing/detail/platform/listener.hpp>
#include <multiprocessing/detail/platform/stream.hpp>
#include <multiprocessing/detail/remote_managers/frame_stream.hpp>
#include <multiprocessing/detail/remote_managers/protocol.hpp>
#include <multiprocessing/remote_managers.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace process {

using mp::connection::Address;
using mp::managers::BaseManager;

inline const std::string key = "the key of the tests";

/// What a server holds for its remote clients.
class Counter {
public:
    Counter() = default;
    explicit Counter(int start) : value_(start) {}

    int add(int amount) { return value_ += amount; }
    int value() const { return value_; }
    void fail(const std::string& text) const { throw std::out_of_range(text); }
    void sleep(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds{milliseconds}); }
    std::vector<int> numbers(int count) const { return std::vector<int>(static_cast<std::size_t>(count), 7); }
    std::size_t length_of(const std::vector<int>& numbers) const noexcept { return numbers.size(); }
    std::string join(const std::vector<std::string>& parts, int times) const {
        std::string result;
        for (int i = 0; i < times; ++i) {
            for (const std::string& part : parts) result += part;
        }
        return result;
    }
    void leave(int code) { std::_Exit(code); }
    void secret() {}

private:
    int value_ = 0;
};

/// Of which all methods are for clients of the same image.
class Open {
public:
    explicit Open(std::string text) : text_(std::move(text)) {}
    const std::string& text() const { return text_; }
    template <class F>
    int apply(F function) {
        return function(text_);
    }

private:
    std::string text_;
};

/// What both sides say.
inline void register_all(BaseManager& manager) {
    manager.register_type<Counter, &Counter::add, &Counter::value, &Counter::fail, &Counter::sleep,
                          &Counter::numbers, &Counter::length_of, &Counter::join, &Counter::leave,
                          mp::managers::constructor<>, mp::managers::constructor<int>>("counter");
    manager.register_type<Open>("open");
    manager.register_object<Counter, &Counter::add, &Counter::value>("total", 100);
    manager.register_object<mp::Queue<std::string>>("jobs");
    manager.register_object<std::map<std::string, int>>("map");
    manager.register_object<std::vector<int>>("vector");
    manager.register_object<std::set<std::string>>("set");
    manager.register_object<mp::Lock>("lock");
    manager.register_object<mp::RLock>("rlock");
    manager.register_object<mp::Event>("event");
}

inline std::vector<Address> addresses() { return {Address{}, Address{"127.0.0.1", 0}}; }

inline BaseManager started_server(mp::managers::ManagerOptions options = {}) {
    if (!options.authkey) options.authkey = key;
    BaseManager manager(std::move(options));
    register_all(manager);
    manager.start();
    return manager;
}

inline BaseManager connected_to(const Address& address) {
    BaseManager manager({.address = address, .authkey = key});
    register_all(manager);
    manager.connect();
    return manager;
}

/// Waits until `condition()` holds: for what a server notices by itself.
template <class Condition>
bool soon(Condition condition) {
    for (int i = 0; i < 3000; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(10ms);
    }
    return false;
}

/// A server in this process that loses its patience after three seconds. (For one of them an honest
/// client may not run.)
class ImpatientServer {
public:
    explicit ImpatientServer(mp::managers::ManagerOptions options = {.address = Address{"127.0.0.1", 0}},
                             mp::managers::ManagerOptions options_of_clients = {})
        : options_of_clients_(std::move(options_of_clients)) {
        namespace detail = mp::detail;
        options.authkey = key;
        detail::RemoteManager manager(options);
        manager.add({"total", &detail::interface_of<Counter, &Counter::add, &Counter::value, &Counter::numbers>,
                     &detail::ThunkOf<detail::CreateEntry<Counter>, detail::ServedCall>::enter});
        manager.add({"counter", &detail::interface_of<Counter, &Counter::add, &Counter::value>});
        auto setup = manager.whole_setup();
        setup.patience_seconds = 3;
        here_ = std::make_unique<detail::ServerHere>(detail::ManagerServer::Options{.in_program = true}, setup);
        thread_ = std::thread([this] { here_->run(); });
    }
    ~ImpatientServer() {
        here_->shut_down();
        thread_.join();
    }
    Address address() const { return mp::detail::address_of(here_->endpoint()); }
    /// Whether it still does what it is for.
    bool serves() const {
        auto options = options_of_clients_;
        options.address = address();
        options.authkey = key;
        BaseManager client(options);
        client.register_type<Counter, &Counter::add, &Counter::value>("counter");
        client.connect();
        return client.create<Counter>("counter").call<&Counter::add>(3) == 3;
    }

private:
    mp::managers::ManagerOptions options_of_clients_;
    std::unique_ptr<mp::detail::ServerHere> here_;
    std::thread thread_;
};

inline mp::detail::platform::Stream knock(const Address& address) {
    return mp::detail::platform::Stream(
        mp::detail::platform::connect(mp::detail::endpoint_of(address), mp::detail::Deadline::after(20s)));
}

inline void say(mp::detail::platform::Stream& stream, const std::string& text) {
    stream.write_all(std::as_bytes(std::span(text)), {}, {}, nullptr);
}

/// A client that says what it likes, once the server knows that it has the key.
class RawClient {
public:
    explicit RawClient(const Address& address, bool greets = true,
                       std::unique_ptr<mp::detail::ByteLayer> layer = nullptr)
        : frames_(connect(address, std::move(layer))), token_{static_cast<std::byte>(++count())} {
        mp::detail::RemoteHello hello;
        hello.token = token_;
        if (!greets) return;
        frames_.send(std::as_bytes(std::span{&hello, 1}), {});
        if (!answer()) throw std::runtime_error("not greeted");
    }

    mp::detail::FrameStream& frames() { return frames_; }
    void say(std::span<const std::byte> bytes) { frames_.send(bytes, {}); }
    /// nullopt at the end.
    std::optional<std::vector<std::byte>> answer() {
        std::vector<std::byte> message;
        const auto received =
            frames_.receive(message, std::size_t{1} << 30, mp::detail::Deadline::after(30s), 30s);
        if (received != mp::detail::FrameStream::Received::message) return std::nullopt;
        return message;
    }
    /// Whether the server closes the connection, after answers if need be.
    bool is_dismissed() {
        try {
            std::vector<std::byte> message;
            for (;;) {
                switch (frames_.receive(message, std::size_t{1} << 30, mp::detail::Deadline::after(30s), 30s)) {
                case mp::detail::FrameStream::Received::message: break;
                case mp::detail::FrameStream::Received::end: return true;
                default: return false;
                }
            }
        } catch (const std::system_error&) { return true; } // it was in the middle of something
    }

private:
    static std::atomic<int>& count() {
        static std::atomic<int> count{0};
        return count;
    }
    static mp::detail::FrameStream connect(const Address& address,
                                           std::unique_ptr<mp::detail::ByteLayer> layer) {
        auto accepted = mp::detail::connect_stream(mp::detail::endpoint_of(address), key, false,
                                                   mp::detail::Deadline::after(20s), std::move(layer));
        return mp::detail::FrameStream(std::move(accepted.bytes));
    }

    mp::detail::FrameStream frames_;
    mp::detail::ClientToken token_;
};

} // namespace process
