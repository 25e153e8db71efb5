#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file served_object.hpp  An object in a manager's server, and a call of it as its method sees
/// it.

#include <multiprocessing/detail/archive/codec.hpp>
#include <multiprocessing/detail/archive/reader.hpp>
#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/code/thunk.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/managers/message.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/space/layout.hpp>
#include <multiprocessing/detail/types/fingerprint.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>

namespace multiprocessing::inline v1::detail {

class ManagerServer;

/// Which call an answer is for.
struct CallOrigin {
    /// Of a call that a thread of this process makes for a client that is none of its tree.
    static constexpr std::uint32_t no_channel = ~std::uint32_t{0};

    std::uint32_t channel = 0;
    std::uint32_t number = 0;        ///< Odd. 0: a call that code in the server makes.
    Incarnation process = 0;         ///< That asks,
    platform::ThreadName thread = 0; ///< and its thread.
};

/// A method in the server is entered with this. What it returns goes into `writer`.
struct ServedCall {
    using Clock = std::chrono::steady_clock;

    ManagerServer& server;
    void* object;                                      ///< Null: an object is to be made.
    const std::shared_ptr<class ServedObject>& served; ///< The same, as what clients refer to.
    Reader& reader;
    Writer& writer;
    CallOrigin origin;
    ManagedWriteContext& references;               ///< What `writer` writes in.
    bool deferred = false;                         ///< The answer comes later, or has come already.
    std::optional<Clock::time_point> look_at = {}; ///< See ManagedType::tick.
};

/// The thunk of what is entered with a ServedCall. A remote client of the very same build may name
/// one: only such a thing, and only of the type of the object that it calls.
struct ServedThunk {
    static constexpr std::uint64_t mark_of_served = 0x6D70'7365'7276'6564;

    Thunk thunk;
    std::uint64_t mark;
    std::uint64_t object; ///< The name of the object's type, as a hash; 0: none that remote clients may call.
};

template <class Entry>
constexpr std::uint64_t object_name_hash() {
    if constexpr (requires { typename Entry::RemotelyCallable; }) {
        return name_hash<typename Entry::RemotelyCallable>;
    } else {
        return 0;
    }
}

template <class Entry>
struct ThunkOf<Entry, ServedCall> {
    static void enter(void* frame) { Entry::run(*static_cast<ServedCall*>(frame)); }
    static constexpr ServedThunk value{
        {{Thunk::magic_words[0], Thunk::magic_words[1]}, &enter, fingerprint<Entry>()},
        ServedThunk::mark_of_served,
        object_name_hash<Entry>()};
};

/// What the server does with objects of a type besides calling them.
struct ManagedType {
    using Clock = ServedCall::Clock;

    /// A call never waits: it is carried out also where no further thread is to be had.
    bool brief;
    /// Calls may run at once: it locks for itself.
    bool concurrent;
    /// The time has come that a call named by `look_at`; returns when it comes next. May be null.
    std::optional<Clock::time_point> (*tick)(void* object, Clock::time_point now);
    /// A client has died. May be null.
    void (*gone)(void* object, Incarnation process);
};

/// One of the library's own bodies: none of its calls waits, and it may have tick() and
/// client_gone(). A class of the program's may have members of these names as well.
template <class T>
concept OwnBody = requires { typename T::multiprocessing_brief; };

/// A class that says `using multiprocessing_concurrent = void;`.
template <class T>
concept Concurrent = requires { typename T::multiprocessing_concurrent; };

template <class T>
constexpr ManagedType make_managed_type() {
    ManagedType type{OwnBody<T>, Concurrent<T>, nullptr, nullptr};
    if constexpr (OwnBody<T> && requires(T& object, ServedCall::Clock::time_point now) { object.tick(now); })
        type.tick = [](void* object, ServedCall::Clock::time_point now) {
            return static_cast<T*>(object)->tick(now);
        };
    if constexpr (OwnBody<T> && requires(T& object, Incarnation process) { object.client_gone(process); })
        type.gone = [](void* object, Incarnation process) { static_cast<T*>(object)->client_gone(process); };
    return type;
}
template <class T>
inline constexpr ManagedType managed_type = make_managed_type<T>();

/// Whether the method gives back what other clients may wait for, and never waits itself: its calls
/// find a channel though all others are in calls that wait.
template <auto Method>
inline constexpr bool gives_back = false;

class ServedObject;
struct RemoteCaller;

/// Something to be done in the server: a call, or what an object has to hear of.
struct ServerJob {
    enum class Kind { call, tick, gone, in_place };

    Kind kind = Kind::call;
    CallOrigin origin = {};
    RequestHeader request = {};
    std::span<const std::byte> payload = {}; ///< In the channel, which is not freed meanwhile.
    ProxyTargets references = {};
    std::shared_ptr<ServedObject> object = {}; ///< None: a call that makes one, or is not looked into yet.
    bool has_turn = false;                     ///< The object's.
    void (*entry)(void*) = nullptr;            ///< In place of `request.entry`, where it is known.
    RemoteCaller* caller = nullptr;            ///< A thread that makes the call itself, when it has the turn.
    bool* is_granted = nullptr;                ///< Of a call in place: set when its thread has the turn.
};

/// Whose turn it is at an object: calls of one object run one at a time, in the order in which they
/// came. Who finishes one goes on with the next, so that a thousand calls wait without a thread.
/// Guarded by the server's mutex.
struct TurnQueue {
    bool busy = false;
    std::thread::id holder = {}; ///< The thread that is in a call, if busy.
    std::deque<ServerJob> waiting = {};
};

/// An object that clients refer to. Kept by the references of clients, of running calls, and of
/// other objects here. It is destroyed as code of the program's: under no mutex.
class ServedObject {
public:
    /// `part_of`: what it is a part of, whose turns it has; or null.
    ServedObject(ManagerServer& server, ManagedId number, std::shared_ptr<void> held, const ManagedType& kind,
                 std::shared_ptr<ServedObject> part_of = nullptr)
        : type(kind), id(number), value(std::move(held)), server_(server), whole_(std::move(part_of)) {}
    ServedObject(const ServedObject&) = delete;
    ServedObject& operator=(const ServedObject&) = delete;
    ~ServedObject();

    const ManagedType& type;
    const ManagedId id;
    const std::shared_ptr<void> value;
    ManagerServer& server() const noexcept { return server_; }
    // Guarded by the server's mutex:
    TurnQueue& turns() noexcept { return whole_ ? whole_->turns() : turns_; }
    std::optional<ServedCall::Clock::time_point> tick_at = {};

private:
    ManagerServer& server_;
    const std::shared_ptr<ServedObject> whole_;
    TurnQueue turns_;
};

/// Carries out a call that code inside the server makes of one of its objects. Throws
/// `std::logic_error` in a copy of the server by fork.
ManagerAnswer call_in_place(const std::shared_ptr<ServedObject>& object, const ThunkAddress& entry,
                            std::span<const std::byte> payload, const ProxyTargets& references);

/// The answer to a call that is given later, by another call of the same object or when its time
/// has come. `R` is what the client gets. If it dies first, the answer goes nowhere.
template <class R>
class Deferred {
public:
    using Clock = ServedCall::Clock;

    explicit Deferred(ServedCall& call) : server_(&call.server), origin_(call.origin) {}

    Incarnation process() const noexcept { return origin_.process; }
    platform::ThreadName thread() const noexcept { return origin_.thread; }

    /// Returns whether the client is still there to have it, or an error if it cannot be written.
    bool answer(const R& result) const {
        ManagedWriteContext context;
        Writer writer{&context};
        try {
            detail::encode(writer, result);
        } catch (const std::exception&) { // what cannot be written is this call's failure, no other's
            return send(bytes_of_failure(capture_current_exception()), {}, true);
        }
        return send(writer.view(), context.references, false);
    }
    template <class E>
    void fail(const E& exception) const {
        try {
            throw exception;
        } catch (const E&) { send(bytes_of_failure(capture_current_exception()), {}, true); }
    }

private:
    bool send(std::span<const std::byte> payload, const ProxyTargets& references, bool failed) const;

    ManagerServer* server_;
    CallOrigin origin_;
};

} // namespace multiprocessing::inline v1::detail
