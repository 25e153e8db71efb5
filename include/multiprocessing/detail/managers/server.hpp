#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file server.hpp  The server of a manager: which call comes next, and what a client's death
/// does.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/code/thunk.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/managers/client_sessions.hpp>
#include <multiprocessing/detail/managers/layout.hpp>
#include <multiprocessing/detail/managers/lead.hpp>
#include <multiprocessing/detail/managers/message.hpp>
#include <multiprocessing/detail/managers/object_table.hpp>
#include <multiprocessing/detail/managers/outcome.hpp>
#include <multiprocessing/detail/managers/remote_caller.hpp>
#include <multiprocessing/detail/managers/served_object.hpp>
#include <multiprocessing/detail/platform/doorbell.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// The server of one manager: once in a process that is made for it, and then never destroyed, as
/// threads may be in calls to the end; or in the program itself, see Options.
///
/// The leader takes the calls in the order in which they were posted, over all clients, and carries
/// them out itself, so a call costs no wake in the server. A call that blocks holds up nobody but
/// callers of the same object, as a spare takes the lead over; so there is a thread for each call
/// that blocks, none for clients.
///
/// All state is private to this process and guarded by one mutex, which is never held while code of
/// the program's runs: calls, destructors. A channel is freed by its owner, or here when the owner
/// has died and no thread is in a call of it.
class ManagerServer {
public:
    using Clock = ServedCall::Clock;
    using Lock = Lead::Lock;

    struct Options {
        std::uint32_t max_calls = 256;
        std::chrono::nanoseconds shutdown_timeout = std::chrono::seconds{1};
        bool in_program = false; ///< In a process of the program's, not in one that is made for it.
    };

    ManagerServer(ManagerLink link, Options options);

    /// The server whose call this thread is in, else that of this process; null where there is
    /// none, and in the copies of a server by fork.
    static ManagerServer* current() noexcept;
    /// Whether this process is the server, no copy of it.
    bool is_here() const noexcept { return origin_.is_here(); }

    /// Serves until shutdown(). Called by the main thread, which watches the clients meanwhile.
    void run();
    /// run() comes to its end. Of any thread, or a signal handler.
    void shut_down() noexcept;
    /// After run(), in a process that goes on: ends the threads. Returns whether none is left, so
    /// that this may be destroyed.
    bool end_threads();
    /// Before run().
    void attach(std::shared_ptr<RemoteSide> remote) { remote_ = std::move(remote); }

    /// A new object, which lives as long as it is referred to. Of code in a call.
    /// `part_of`: the object whose part it is.
    std::shared_ptr<ServedObject> add(std::shared_ptr<void> value, const ManagedType& type,
                                      std::shared_ptr<ServedObject> part_of = nullptr);
    /// Of ~ServedObject().
    void forget(const ServedObject& object) noexcept;
    /// The answer of a deferred call. Returns whether its client is still there to have it.
    bool answer(const CallOrigin& origin, std::span<const std::byte> payload, const ProxyTargets& references,
                bool failed);
    /// A call that code in the server makes, of an object of the same server.
    ManagerAnswer call_in_place(const std::shared_ptr<ServedObject>& object, const ThunkAddress& entry,
                                std::span<const std::byte> payload, const ProxyTargets& references);
    /// A call that the calling thread makes for a remote client: at the object's turn, in this
    /// thread. Returns what came of it, also where the answer is given later. Throws ProcessError
    /// after shutdown(), `std::system_error` where too many calls run.
    CallOutcome call_for_remote(ServerJob job, RemoteCaller& caller);
    /// Somebody else has told the client that its call takes too long. Returns false if the answer
    /// has come before.
    bool abandon(RemoteCaller& caller);
    /// A thread is at a request of a remote client, from before the call until the answer is sent:
    /// shutdown() has some patience with it.
    void begin_request();
    void end_request() noexcept;
    /// A remote client is gone: what waits for it is forgotten, what it holds released.
    void forget_remote(Incarnation process);
    /// Null if it is gone.
    std::shared_ptr<ServedObject> find(ManagedId id);
    std::size_t number_of_objects();

private:
    // Those with a lock hold the mutex before and after.
    void serve();
    void lead(Lock& lock);
    void sleep(Lock& lock);
    void bury(Lock& lock);
    void stir() noexcept { stirred_.store(true, std::memory_order_seq_cst); }

    // Calls
    void drain();
    void take_up(ServerJob job, Lock& lock);
    bool look_into(ServerJob& job, Lock& lock);
    bool look_into_request(ServerJob& job, std::span<const std::byte> message, Lock& lock);
    void read_request(ServerJob& job, std::span<const std::byte> message);
    void run_at_turn(ServerJob job, Lock& lock);
    void run(ServerJob job, Lock& lock);
    std::optional<ServerJob> finish(ServerJob& job, CallOutcome& outcome);
    std::optional<ServerJob> pass_turn(ServedObject& object);
    bool wait_for_turn(ServerJob& job, RemoteCaller& caller, Lock& lock);
    void wait_for_answer(RemoteCaller& caller, Lock& lock);
    bool answer_remote(std::uint32_t number, std::span<const std::byte> payload, const ProxyTargets& references,
                       bool failed);
    void tell_gone(Incarnation process);
    void schedule(ServedObject& object, Clock::time_point at);
    void run_timers();
    void drop(ServerJob job);

    // Answers, of which the waiting client is told by tell(), without the mutex
    void place_answer(std::uint32_t channel, const CallOutcome& outcome) noexcept;
    void refuse(const ServerJob& job, const std::exception_ptr& error, Lock& lock);
    void free_notice(std::uint32_t channel, Lock& lock);
    void tell(std::uint32_t channel) const;
    void tell(std::uint32_t channel, Lock& lock) const;

    // Clients
    void end_session(ClientSession& session);
    void wait_for_ends();
    void look_after_clients();
    void refuse_waiting(const CallOutcome& refusal, Lock& lock);
    void close();

    static ManagerServer*& first() noexcept;

    const ForkOrigin origin_;
    const ManagerLink link_;
    ManagerBody& body_;
    const Options options_;
    platform::Doorbell supervisor_; // rung for a new client, and for the end

    Mutex mutex_; // guards what follows
    std::condition_variable_any turn_passed_;
    Lead lead_;
    ClientSessions clients_;
    ObjectTable objects_;
    std::deque<ServerJob> backlog_;
    std::vector<std::uint32_t> drained_;
    std::vector<std::shared_ptr<void>> graveyard_;    // to be let go of without the mutex
    std::vector<std::shared_ptr<ServedObject>> kept_; // at the end, as a call may be in them
    std::uint32_t busy_ = 0;                          // threads in calls
    std::shared_ptr<RemoteSide> remote_;
    std::unordered_map<std::uint32_t, RemoteCaller*> remote_callers_; // by the number of their call
    std::uint32_t last_remote_call_ = 1;                              // odd
    std::uint32_t remote_calls_ = 0;                                  // that are in code of the program's
    std::atomic<bool> stirred_{false}; // there is something in the backlog, or the graveyard
};

template <class R>
bool Deferred<R>::send(std::span<const std::byte> payload, const ProxyTargets& references, bool failed) const {
    return server_->answer(origin_, payload, references, failed);
}

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/managers/call_list.hpp>
#include <multiprocessing/detail/managers/local_target.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/exceptions.hpp>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE ManagerServer*& ManagerServer::first() noexcept {
    static constinit ManagerServer* server = nullptr;
    return server;
}

MULTIPROCESSING_INLINE ManagerServer* ManagerServer::current() noexcept {
    ManagerServer* const of_call = server_of_this_thread();
    ManagerServer* const server = of_call ? of_call : first();
    return server && server->is_here() ? server : nullptr;
}

MULTIPROCESSING_INLINE ManagerAnswer call_in_place(const std::shared_ptr<ServedObject>& object,
                                                   const ThunkAddress& entry,
                                                   std::span<const std::byte> payload,
                                                   const ProxyTargets& references) {
    ManagerServer& server = object->server();
    if (!server.is_here())
        throw std::logic_error("multiprocessing: a proxy inside a manager's server does not work in a copy of "
                               "that process: start a process by a client, and pass it a proxy");
    return server.call_in_place(object, entry, payload, references);
}

MULTIPROCESSING_INLINE ServedObject::~ServedObject() {
    if (server_.is_here()) server_.forget(*this);
}

/// Appends to the backlog what was posted since. Whoever holds the mutex may do it: the order
/// stays that of the list.
MULTIPROCESSING_INLINE void ManagerServer::drain() {
    drained_.clear();
    take_calls(body_, drained_);
    for (const std::uint32_t channel : drained_) {
        if (clients_.bind(channel, [&](ClientSession& old) { end_session(old); })) supervisor_.ring();
        ServerChannel& state = clients_.channel(channel);
        const CallChannel& asked = body_.channels[channel];
        ServerJob job;
        job.origin.channel = channel;
        job.origin.number = asked.call.load(std::memory_order_relaxed);
        job.origin.process = state.session->process;
        if (job.origin.number % 2 == 0) continue; // a wild write
        state.in_hand = job.origin.number;
        backlog_.push_back(std::move(job));
    }
}

MULTIPROCESSING_INLINE void ManagerServer::take_up(ServerJob job, Lock& lock) {
    if (job.kind == ServerJob::Kind::call && !job.has_turn) {
        // Its client may have died meanwhile.
        if (clients_.channel(job.origin.channel).in_hand != job.origin.number) return;
        if (!look_into(job, lock)) return drop(std::move(job));
    }
    run_at_turn(std::move(job), lock);
}

MULTIPROCESSING_INLINE void ManagerServer::place_answer(std::uint32_t channel,
                                                        const CallOutcome& outcome) noexcept {
    clients_.channel(channel).place_answer(body_.channels[channel], outcome.payload, outcome.references,
                                           outcome.failed);
}

MULTIPROCESSING_INLINE void ManagerServer::tell(std::uint32_t channel) const {
    post(link_.parking(), body_.channels[channel].place);
}

MULTIPROCESSING_INLINE void ManagerServer::tell(std::uint32_t channel, Lock& lock) const {
    lock.unlock();
    tell(channel);
    lock.lock();
}

/// Reads what is in the page. Returns false if it is dealt with.
MULTIPROCESSING_INLINE bool ManagerServer::look_into(ServerJob& job, Lock& lock) {
    const std::uint32_t index = job.origin.channel;
    ServerChannel& state = clients_.channel(index);
    CallChannel& channel = body_.channels[index];
    const std::size_t used = (std::min<std::size_t>)(channel.used, CallChannel::page_size);
    const std::span<const std::byte> page{channel.page, used};
    std::exception_ptr error;
    try {
        switch (static_cast<Piece>(channel.piece)) {
        case Piece::fetch:
            state.place_next_piece(channel);
            tell(index, lock);
            return false;
        case Piece::part:
            state.request.insert(state.request.end(), page.begin(), page.end());
            state.accept_piece(channel);
            tell(index, lock);
            return false;
        default: break;
        }
        if (state.request.empty()) return look_into_request(job, page, lock);
        state.request.insert(state.request.end(), page.begin(), page.end());
        return look_into_request(job, state.request, lock);
    } catch (const std::exception&) { // a request that is none, or of a gone object; no memory
        error = std::current_exception();
    }
    refuse(job, error, lock);
    return false;
}

MULTIPROCESSING_INLINE void ManagerServer::refuse(const ServerJob& job, const std::exception_ptr& error,
                                                  Lock& lock) {
    const std::uint32_t channel = job.origin.channel;
    if (body_.channels[channel].piece == static_cast<std::uint32_t>(Piece::notice))
        return free_notice(channel, lock);
    lock.unlock();
    CallOutcome failure;
    try {
        std::rethrow_exception(error);
    } catch (...) { failure = current_failure(); }
    lock.lock();
    // The client may have died meanwhile.
    if (clients_.channel(channel).in_hand != job.origin.number) return;
    place_answer(channel, failure);
    tell(channel, lock);
}

/// Nobody waits for an answer, but perhaps for the channel to be free.
MULTIPROCESSING_INLINE void ManagerServer::free_notice(std::uint32_t channel, Lock& lock) {
    clients_.free_channel(channel);
    tell(channel, lock);
}

/// The same of a whole request.
MULTIPROCESSING_INLINE bool ManagerServer::look_into_request(ServerJob& job, std::span<const std::byte> message,
                                                             Lock& lock) {
    RequestHeader& request = job.request;
    if (message.size() < sizeof request) throw SerializationError("multiprocessing: a request is too short");
    std::memcpy(&request, message.data(), sizeof request);
    job.origin.thread = request.thread;
    ClientSession& client = *clients_.channel(job.origin.channel).session;
    CallOutcome outcome;
    switch (request.verb) {
    case CallVerb::release: {
        auto entries = message.subspan(sizeof request);
        for (ReleasedReference entry; entries.size() >= sizeof entry; entries = entries.subspan(sizeof entry)) {
            std::memcpy(&entry, entries.data(), sizeof entry);
            if (auto object = client.release(entry.object, entry.count))
                graveyard_.push_back(std::move(object));
        }
        break;
    }
    case CallVerb::retain:
        outcome.failed = !client.retain(request.object, objects_.find(request.object));
        break;
    case CallVerb::count: {
        const std::uint64_t count = objects_.size();
        const auto bytes = std::as_bytes(std::span{&count, 1});
        outcome.payload.assign(bytes.begin(), bytes.end());
        break;
    }
    case CallVerb::shut_down:
        body_.stage.store(ManagerStage::closing, std::memory_order_seq_cst);
        supervisor_.ring();
        break;
    case CallVerb::invoke:
    case CallVerb::give_back:
    case CallVerb::create: read_request(job, message.subspan(sizeof request)); return true;
    default: throw SerializationError("multiprocessing: a request asks for what there is not");
    }
    const std::uint32_t channel = job.origin.channel;
    if (body_.channels[channel].piece == static_cast<std::uint32_t>(Piece::notice)) {
        free_notice(channel, lock);
        return false;
    }
    place_answer(channel, outcome);
    tell(channel, lock);
    return false;
}

/// What follows the header of a call that is to be carried out.
MULTIPROCESSING_INLINE void ManagerServer::read_request(ServerJob& job, std::span<const std::byte> message) {
    const RequestHeader& request = job.request;
    if (body_.stage.load(std::memory_order_relaxed) != ManagerStage::open)
        throw ProcessError("multiprocessing: the manager was shut down: use its proxies before shutdown()");
    if (request.payload_size > message.size() ||
        request.references != (message.size() - request.payload_size) / sizeof(ManagedId))
        throw SerializationError("multiprocessing: a request has another length than it says");
    job.payload = message.first(static_cast<std::size_t>(request.payload_size));
    const auto find = [&](ManagedId id) {
        auto object = objects_.find(id);
        if (!object) throw std::logic_error("multiprocessing: the object of a proxy is gone");
        return object;
    };
    if (request.verb != CallVerb::create) job.object = find(request.object);
    for (std::size_t i = 0; i < request.references; ++i) {
        ManagedId id;
        std::memcpy(&id, message.data() + job.payload.size() + i * sizeof id, sizeof id);
        job.references.push_back(std::make_shared<LocalTarget>(find(id)));
    }
}

/// Now, or when the calls of its object that came before are through.
MULTIPROCESSING_INLINE void ManagerServer::run_at_turn(ServerJob job, Lock& lock) {
    if (job.object && !job.has_turn && !job.object->type.concurrent) {
        TurnQueue& turns = job.object->turns();
        if (turns.busy) {
            turns.waiting.push_back(std::move(job));
            return;
        }
        turns.busy = true;
        job.has_turn = true;
    }
    run(std::move(job), lock);
}

MULTIPROCESSING_INLINE void ManagerServer::run(ServerJob job, Lock& lock) {
    for (std::uint64_t mine = lead_.number();;) {
        const bool leads = lead_.number() == mine;
        const bool is_call = job.kind == ServerJob::Kind::call;
        // The last thread that is free never enters what may block: who leads then would be gone.
        const bool refused =
            leads && !lead_.has_spare() && !lead_.make_spare() && !(job.object && job.object->type.brief);
        if (leads) lead_.enter_program();
        if (job.has_turn) job.object->turns().holder = std::this_thread::get_id();
        if (is_call) clients_.channel(job.origin.channel).running = job.origin.number;
        ++busy_;
        lock.unlock();
        CallOutcome outcome =
            refused ? failed_outcome(std::system_error(
                          std::make_error_code(std::errc::resource_unavailable_try_again),
                          "multiprocessing: all threads of a manager's server are in calls that block"))
                    : carry_out(*this, job);
        lock.lock();
        std::optional<ServerJob> next = finish(job, outcome);
        lock.unlock();
        if (is_call && !outcome.deferred) tell(job.origin.channel);
        if (outcome.look_at) post(link_.parking(), body_.bell); // where another thread leads by now
        job = {};                                               // may destroy objects: as code of the program's
        outcome = {};
        lock.lock();
        --busy_; // now: the end of the server waits for what is destroyed
        lead_.leave_program(mine);
        if (!next) return;
        if (lead_.number() == mine) {
            backlog_.push_front(std::move(*next));
            return;
        }
        job = std::move(*next); // this thread is free for it
    }
}

/// Answers, and passes the turn on: returns the job that has it next.
MULTIPROCESSING_INLINE std::optional<ServerJob> ManagerServer::finish(ServerJob& job, CallOutcome& outcome) {
    if (job.kind == ServerJob::Kind::call) {
        ServerChannel& state = clients_.channel(job.origin.channel);
        if (state.running == job.origin.number) {
            state.running = 0;
            if (state.is_orphan) clients_.free_channel(job.origin.channel);
        }
        if (!outcome.deferred && state.in_hand == job.origin.number) place_answer(job.origin.channel, outcome);
    }
    if (!job.object) return std::nullopt;
    if (outcome.look_at) schedule(*job.object, *outcome.look_at);
    return job.has_turn ? pass_turn(*job.object) : std::nullopt;
}

MULTIPROCESSING_INLINE std::optional<ServerJob> ManagerServer::pass_turn(ServedObject& object) {
    TurnQueue& turns = object.turns();
    turns.holder = {};
    while (!turns.waiting.empty()) {
        ServerJob next = std::move(turns.waiting.front());
        turns.waiting.pop_front();
        if (next.kind == ServerJob::Kind::in_place) { // its thread goes on
            *next.is_granted = true;
            turn_passed_.notify_all();
            return std::nullopt;
        }
        if (next.kind == ServerJob::Kind::call && !next.caller &&
            clients_.channel(next.origin.channel).in_hand != next.origin.number) {
            drop(std::move(next)); // of a client that died
            continue;
        }
        next.has_turn = true;
        if (next.caller) { // goes on with it itself
            next.caller->has_turn = true;
            next.caller->changed.notify_one();
            return std::nullopt;
        }
        // From here on: its client may die before a thread is in it, and the channel, which holds
        // the request, stays until the call is through.
        if (next.kind == ServerJob::Kind::call)
            clients_.channel(next.origin.channel).running = next.origin.number;
        return next;
    }
    turns.busy = false;
    return std::nullopt;
}

MULTIPROCESSING_INLINE void ManagerServer::schedule(ServedObject& object, Clock::time_point at) {
    if (objects_.schedule(object, at)) stir(); // the leader may sleep for longer
}

MULTIPROCESSING_INLINE void ManagerServer::run_timers() {
    if (!objects_.next_time()) return;
    const auto now = Clock::now();
    while (auto object = objects_.take_due(now)) {
        ServerJob job;
        job.kind = ServerJob::Kind::tick;
        job.object = std::move(object);
        backlog_.push_back(std::move(job));
    }
}

/// What it refers to may be destroyed with it.
MULTIPROCESSING_INLINE void ManagerServer::drop(ServerJob job) {
    if (job.object) graveyard_.push_back(std::move(job.object));
    for (auto& reference : job.references) graveyard_.push_back(std::move(reference));
}

MULTIPROCESSING_INLINE bool ManagerServer::answer(const CallOrigin& origin, std::span<const std::byte> payload,
                                                  const ProxyTargets& references, bool failed) {
    if (origin.channel == CallOrigin::no_channel)
        return answer_remote(origin.number, payload, references, failed);
    {
        std::lock_guard lock{mutex_};
        ServerChannel& state = clients_.channel(origin.channel);
        // The client has died, or was told that the manager is shut down.
        if (origin.number == 0 || state.in_hand != origin.number) return false;
        // What is given to a call that has waited should not be lost with a client that has died:
        // one question to the system, where the client is woken anyway.
        if (state.running != origin.number && clients_.has_ended(*state.session)) return false;
        state.place_answer(body_.channels[origin.channel], payload, references, failed);
    }
    tell(origin.channel);
    return true;
}

MULTIPROCESSING_INLINE std::shared_ptr<ServedObject> ManagerServer::add(std::shared_ptr<void> value,
                                                                        const ManagedType& type,
                                                                        std::shared_ptr<ServedObject> part_of) {
    ManagedId id;
    {
        std::lock_guard lock{mutex_};
        id = objects_.next_id();
    }
    auto object = std::make_shared<ServedObject>(*this, id, std::move(value), type, std::move(part_of));
    std::lock_guard lock{mutex_};
    objects_.add(object);
    return object;
}

MULTIPROCESSING_INLINE void ManagerServer::forget(const ServedObject& object) noexcept {
    std::lock_guard lock{mutex_};
    objects_.remove(object);
}

/// A thread that is in a call of the object already goes on with it; another waits for its turn, so
/// two objects that call each other can deadlock as two mutexes do.
MULTIPROCESSING_INLINE ManagerAnswer ManagerServer::call_in_place(const std::shared_ptr<ServedObject>& object,
                                                                  const ThunkAddress& entry,
                                                                  std::span<const std::byte> payload,
                                                                  const ProxyTargets& references) {
    ServerJob job;
    job.object = object;
    job.request.entry = entry;
    job.payload = payload;
    job.references = references;
    Lock lock{mutex_};
    TurnQueue& turns = object->turns();
    const auto me = std::this_thread::get_id();
    const bool has_turn = !object->type.concurrent && !(turns.busy && turns.holder == me);
    if (has_turn) {
        if (turns.busy) {
            bool is_granted = false;
            ServerJob turn;
            turn.kind = ServerJob::Kind::in_place;
            turn.is_granted = &is_granted;
            turns.waiting.push_back(std::move(turn));
            turn_passed_.wait(lock, [&] { return is_granted; });
        }
        turns.busy = true;
        turns.holder = me;
    }
    lock.unlock();
    CallOutcome outcome = carry_out(*this, job);
    if (has_turn) {
        lock.lock();
        if (outcome.look_at) schedule(*object, *outcome.look_at);
        const bool must_look = outcome.look_at.has_value();
        auto next = pass_turn(*object);
        if (next) {
            backlog_.push_back(std::move(*next)); // this thread has other things to do
            stir();
        }
        lock.unlock();
        if (next || must_look) post(link_.parking(), body_.bell);
    }
    return {std::move(outcome.payload), outcome.failed, std::move(outcome.references)};
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
