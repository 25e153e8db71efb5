#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file acceptor.hpp  Many handshakes at once, none of which can hold up the others.

#include <multiprocessing/detail/base/byte_layer.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/connection/greeting.hpp>
#include <multiprocessing/detail/connection/handshake.hpp>
#include <multiprocessing/detail/connection/layered_stream.hpp>
#include <multiprocessing/detail/connection/stream_transport.hpp>
#include <multiprocessing/detail/platform/doorbell.hpp>
#include <multiprocessing/detail/platform/listener.hpp>
#include <multiprocessing/detail/platform/stream.hpp>
#include <multiprocessing/detail/platform/wait.hpp>
#include <multiprocessing/detail/space/note_names.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/timeout.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What came of one connection.
struct Accepted {
    LayeredStream bytes; ///< With what was read ahead of it.
    platform::Endpoint peer;

    /// If it has no layer.
    std::unique_ptr<Transport> into_transport() && {
        return std::make_unique<StreamTransport>(std::move(bytes.stream()), std::move(bytes.inbox()),
                                                 StreamTransport::Options{.both_ways = true});
    }
};

/// Accepts connections at one place. Of one thread at a time, but for interrupt().
class Acceptor {
public:
    /// Makes the layer of a connection, of those that have a key.
    using MakeLayer = std::function<std::unique_ptr<ByteLayer>()>;

    Acceptor(const platform::Endpoint& endpoint, int backlog, std::optional<std::string> key, bool allow_md5,
             Timeout patience, MakeLayer make_layer = {})
        : listening_(endpoint, backlog, note_),
          key_(std::move(key)),
          allow_md5_(allow_md5),
          patience_(patience),
          make_layer_(std::move(make_layer)) {}
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;

    const platform::Listening& listening() const noexcept { return listening_; }

    /// Makes accept() return nullopt from now on, at once.
    void interrupt() noexcept {
        interrupted_.store(true);
        bell_.ring();
    }

    /// Returns the next connection whose other side has shown that it knows the key. Throws
    /// AuthenticationError for one that has not: the others are not affected. nullopt when the
    /// deadline passed, or at interrupt().
    std::optional<Accepted> accept(Deadline deadline) {
        for (;;) {
            const auto ready = wait(deadline);
            if (interrupted_.load()) return std::nullopt;
            // First those that are there, then those whose time is over: nobody may have called for
            // longer than that.
            for (std::size_t i = 0; i < guests_.size(); ++i) {
                if (!ready.at(i + before_guests)) continue;
                if (auto accepted = advance(i)) return accepted;
                if (i >= guests_.size()) break;
            }
            for (std::size_t i = 0; i < guests_.size(); ++i) {
                if (guests_[i]->greeting.deadline().passed()) dismiss(i, "did not answer in time");
            }
            if (ready[0]) {
                if (auto accepted = welcome()) return accepted;
            } else if (deadline.passed()) {
                return std::nullopt;
            }
        }
    }

private:
    struct Guest {
        Greeting greeting;
        platform::Endpoint peer;
    };

    // If there are more, the oldest goes: an honest client needs a moment only.
    static constexpr std::size_t most_guests = 256;
    static constexpr std::size_t before_guests = 2;

    /// Returns which are ready: the listening end first, then the bell, then the guests.
    std::vector<bool> wait(Deadline deadline) {
        std::vector<platform::NativeHandle> handles{listening_.handle(), bell_.handle().native()};
        for (const auto& guest : guests_) {
            deadline = deadline.sooner(guest->greeting.deadline());
            if (guest->greeting.has_read_ahead()) deadline = Deadline::after(std::chrono::seconds{0});
            handles.push_back(guest->greeting.watch());
        }
        const auto came = platform::wait_any({handles.data(), handles.size()}, deadline);
        std::vector<bool> ready(handles.size(), false);
        for (const std::size_t i : came) ready[i] = true;
        for (std::size_t i = 0; i < guests_.size(); ++i) {
            Greeting& greeting = guests_[i]->greeting;
            if (greeting.has_read_ahead()) ready[i + before_guests] = true;
            if (ready[i + before_guests]) greeting.unwatch();
        }
        return ready;
    }

    std::optional<Accepted> advance(std::size_t i) {
        Guest& guest = *guests_[i];
        try {
            if (!guest.greeting.step(Deadline::after(std::chrono::seconds{0}))) return std::nullopt;
        } catch (...) {
            remove(i);
            throw;
        }
        const std::unique_ptr<Guest> greeted = remove(i);
        return Accepted{greeted->greeting.into_stream(), std::move(greeted->peer)};
    }

    std::optional<Accepted> welcome() {
        platform::Endpoint peer;
        std::optional<platform::Handle> handle;
        try {
            handle = listening_.accept(peer);
        } catch (const std::system_error& error) {
            if (error.code() != std::errc::too_many_files_open || guests_.empty()) throw;
            dismiss(0, "had to make room, as no more files can be open here (`ulimit -n`)");
        }
        if (!handle) return std::nullopt;
        if (!key_)
            return Accepted{LayeredStream(platform::Stream(std::move(*handle)), {}, nullptr), std::move(peer)};
        Greeting greeting(std::move(*handle), Handshake::Side::listener, *key_, allow_md5_,
                          Deadline::after(patience_), make_layer_ ? make_layer_() : nullptr);
        guests_.push_back(std::unique_ptr<Guest>(new Guest{std::move(greeting), std::move(peer)}));
        listening_.include(guests_.back()->greeting.handle());
        if (guests_.size() > most_guests) dismiss(0, "had to make room, as too many did not answer");
        return std::nullopt;
    }

    [[noreturn]] void dismiss(std::size_t i, const char* why) {
        remove(i);
        throw AuthenticationError(std::string("multiprocessing: one that connected to a Listener ") + why);
    }

    std::unique_ptr<Guest> remove(std::size_t i) {
        std::unique_ptr<Guest> guest = std::move(guests_[i]);
        guests_.erase(guests_.begin() + static_cast<std::ptrdiff_t>(i));
        listening_.exclude(guest->greeting.handle());
        return guest;
    }

    platform::Doorbell bell_;
    std::atomic<bool> interrupted_{false};
    NameNote note_; // goes after what it is of
    platform::Listening listening_;
    const std::optional<std::string> key_;
    const bool allow_md5_;
    const Timeout patience_;
    const MakeLayer make_layer_;
    std::vector<std::unique_ptr<Guest>> guests_; // the oldest first
};

/// Connects, and goes through the handshake if there is a key: of the layer, if there is one, and
/// in it.
inline Accepted connect_stream(const platform::Endpoint& endpoint, const std::optional<std::string>& key,
                               bool allow_md5, Deadline deadline, std::unique_ptr<ByteLayer> layer = nullptr) {
    platform::Handle handle = platform::connect(endpoint, deadline);
    if (!key) return Accepted{LayeredStream(platform::Stream(std::move(handle)), {}, nullptr), endpoint};
    Greeting greeting(std::move(handle), Handshake::Side::client, *key, allow_md5, deadline, std::move(layer));
    while (!greeting.step(deadline)) {
        if (deadline.passed()) greeting.give_up();
    }
    return Accepted{greeting.into_stream(), endpoint};
}

/// The same, as what carries messages.
inline std::unique_ptr<Transport> connect_transport(const platform::Endpoint& endpoint,
                                                    const std::optional<std::string>& key, bool allow_md5,
                                                    Deadline deadline) {
    return connect_stream(endpoint, key, allow_md5, deadline).into_transport();
}

} // namespace multiprocessing::inline v1::detail
