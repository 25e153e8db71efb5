#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file server.hpp  The server of a manager: which thread serves, whose call comes next, and what
/// a client's death does.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/code/thunk.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/managers/layout.hpp>
#include <multiprocessing/detail/managers/message.hpp>
#include <multiprocessing/detail/managers/served_object.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/platform/doorbell.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/space/layout.hpp>
#include <multiprocessing/timeout.hpp>
#include <multiprocessing/util.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// The server of one manager, once in its process, which is made for it; never destroyed, as
/// threads may be in calls to the end.
///
/// One thread leads: it takes the calls in the order in which they were posted, over all clients,
/// and carries them out itself, so a call costs no wake in the server. While it is in code that may
/// take long it says so; a client that has waited for a millisecond then calls a spare thread,
/// which takes the lead over. So a call that blocks holds up nobody but callers of the same object,
/// and there is a thread for each call that blocks, none for clients.
///
/// All state is private to this process and guarded by one mutex, which is never held while code of
/// the program's runs: calls, destructors. A channel is freed by its owner, or here when the owner
/// has died and no thread is in a call of it.
class ManagerServer {
public:
    using Clock = ServedCall::Clock;
    using Lock = std::unique_lock<Mutex>;

    struct Options {
        std::uint32_t max_calls = 256;
        std::chrono::nanoseconds shutdown_timeout = std::chrono::seconds{1};
    };

    ManagerServer(ManagerLink link, Options options);

    /// The server of this process; null in others.
    static ManagerServer*& current() noexcept;

    /// Serves until shutdown(). Called by the main thread, which watches the clients meanwhile.
    void run();

    /// A new object, which lives as long as it is referred to. Of code in a call.
    std::shared_ptr<ServedObject> add(std::shared_ptr<void> value, const ManagedType& type);
    /// Of ~ServedObject().
    void forget(const ServedObject& object) noexcept;
    /// The answer of a deferred call. Returns whether its client is still there to have it.
    bool answer(const CallOrigin& origin, std::span<const std::byte> payload, const ProxyTargets& references,
                bool failed);
    /// A call that code in the server makes, of an object of the same server.
    ManagerAnswer call_in_place(const std::shared_ptr<ServedObject>& object, const ThunkAddress& entry,
                                std::span<const std::byte> payload, const ProxyTargets& references);

private:
    /// A client, from its first call until the server knows that it has ended.
    struct Session {
        struct Reference {
            std::shared_ptr<ServedObject> object;
            std::uint64_t count = 0;
        };

        Incarnation process = 0;
        int pid = 0;
        platform::Handle end; ///< Ready when it has ended; invalid: looked at once a second.
        bool has_ended = false;
        std::unordered_map<ManagedId, Reference> references;
    };

    /// What the server knows of a channel.
    struct ChannelState {
        platform::ThreadName owner = 0; ///< By whose claim it was used last.
        Session* session = nullptr;     ///< The owner's.
        std::uint32_t in_hand = 0;      ///< The call that is not answered; 0: none.
        /// The call that a thread is in. Named by its number: when that thread is done, the client
        /// may have asked again.
        std::uint32_t running = 0;
        bool is_orphan = false; ///< Its owner died while a thread was in its call: that thread frees it.
        std::vector<std::byte> request; ///< The pieces before the last.
        std::vector<std::byte> answer;  ///< What did not fit into the page.
        std::size_t answered = 0;       ///< How much of it has gone.
    };

    /// What came of a job.
    struct Outcome {
        std::vector<std::byte> payload;
        ProxyTargets references;
        bool failed = false;
        bool deferred = false;
        std::optional<Clock::time_point> look_at;
    };

    // Threads. Those with a lock hold the mutex before and after.
    void serve();
    bool make_spare();
    bool wait_for_lead(Lock& lock);
    void lead(Lock& lock);
    void sleep(Lock& lock);
    void enter_program();
    void leave_program(std::uint64_t epoch);

    // Calls
    void drain();
    void take_up(ServerJob job, Lock& lock);
    bool look_into(ServerJob& job, Lock& lock);
    void run_at_turn(ServerJob job, Lock& lock);
    void run(ServerJob job, Lock& lock);
    Outcome carry_out(ServerJob& job) noexcept;
    std::optional<ServerJob> finish(ServerJob& job, Outcome& outcome);
    std::optional<ServerJob> pass_turn(ServedObject& object);
    void schedule(ServedObject& object, Clock::time_point at);
    void run_timers();
    void drop(ServerJob job);

    // Answers, of which the waiting client is told by post() without the mutex
    void place_answer(std::uint32_t channel, std::span<const std::byte> payload, const ProxyTargets& references,
                      bool failed) noexcept;
    void place_next_piece(std::uint32_t channel) noexcept;
    template <class E>
    static Outcome failure(const E& exception);

    // Clients
    void bind(std::uint32_t channel);
    void end_session(Session& session);
    void free_channel(std::uint32_t channel) noexcept;
    void look_after_strangers();
    void wait_for_ends();
    void look_after_clients();
    void bury(Lock& lock);
    void close();

    const ManagerLink link_;
    ManagerBody& body_;
    const Options options_;
    platform::Doorbell supervisor_; // rung for a new client, and for the end

    Mutex mutex_;
    std::condition_variable_any turn_passed_;
    std::vector<ChannelState> channels_;
    std::unordered_map<Incarnation, std::unique_ptr<Session>> sessions_;
    std::unordered_map<ManagedId, std::weak_ptr<ServedObject>> objects_;
    ManagedId last_id_ = 0;
    std::deque<ServerJob> backlog_;
    std::vector<std::uint32_t> drained_;
    std::set<std::pair<Clock::time_point, ManagedId>> timers_;
    std::vector<std::shared_ptr<void>> graveyard_;    // to be let go of without the mutex
    std::vector<std::shared_ptr<ServedObject>> kept_; // at the end, as a call may be in them
    std::unordered_map<ManagedId, std::weak_ptr<ServedObject>> watchers_; // that hear of dead clients
    std::vector<platform::Handle> ends_; // of sessions that are over, to be closed by the supervisor
    std::uint64_t lead_ = 0; // counts who leads: a thread that led by another number leads no longer
    bool has_leader_ = false;
    bool is_in_program_ = false;    // the leader
    std::uint32_t help_before_ = 0; // body_.help when it went there
    std::uint32_t threads_ = 0;
    std::uint32_t idle_ = 0; // spares that wait for the lead
    std::uint32_t busy_ = 0; // threads in calls
    std::uint32_t local_waiters_ = 0;
    std::atomic<bool> stirred_{false}; // there is something in the backlog, or the graveyard
};

/// An object of this server, as proxies in it refer to it: those inside other objects, and those
/// among the arguments and results of calls.
class LocalTarget final : public ProxyTarget {
public:
    explicit LocalTarget(std::shared_ptr<ServedObject> served) : object(std::move(served)) {}

    ManagedId id() const noexcept override { return object->id; }
    bool is_beside(const ProxyTarget& other) const noexcept override {
        return dynamic_cast<const LocalTarget*>(&other) != nullptr;
    }
    MULTIPROCESSING_INLINE ManagerAnswer call(CallVerb, const ThunkAddress& entry,
                                              std::span<const std::byte> payload,
                                              const ProxyTargets& references) override;
    MULTIPROCESSING_INLINE void export_to(HandleSink&) override;

    const std::shared_ptr<ServedObject> object;
};

template <class R>
bool Deferred<R>::send(std::span<const std::byte> payload, const ProxyTargets& references, bool failed) const {
    return server_->answer(origin_, payload, references, failed);
}

// ---- Threads ----

// ---- Calls ----

// ---- Answers ----

template <class E>
ManagerServer::Outcome ManagerServer::failure(const E& exception) {
    Outcome outcome;
    outcome.failed = true;
    try {
        throw exception;
    } catch (...) { outcome.payload = bytes_of_failure(capture_current_exception()); }
    return outcome;
}

// ---- Objects ----

// ---- Clients ----

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/managers/call_list.hpp>
#include <multiprocessing/detail/parking/recovering_lock.hpp>
#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/process_watch.hpp>
#include <multiprocessing/detail/platform/signals.hpp>
#include <multiprocessing/detail/platform/wait.hpp>
#include <multiprocessing/detail/this_process.hpp>
#include <multiprocessing/exceptions.hpp>

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE ManagerServer::ManagerServer(ManagerLink link, Options options)
    : link_(std::move(link)), body_(link_.body()), options_(options), channels_(ManagerBody::channel_count) {}

MULTIPROCESSING_INLINE ManagerServer*& ManagerServer::current() noexcept {
    static constinit ManagerServer* server = nullptr;
    return server;
}

MULTIPROCESSING_INLINE ManagerAnswer LocalTarget::call(CallVerb, const ThunkAddress& entry,
                                                       std::span<const std::byte> payload,
                                                       const ProxyTargets& references) {
    return ManagerServer::current()->call_in_place(object, entry, payload, references);
}

MULTIPROCESSING_INLINE void LocalTarget::export_to(HandleSink&) {
    throw std::logic_error("multiprocessing: a proxy inside a manager's server cannot be passed to a process "
                           "that is started there: let a client start the process");
}

MULTIPROCESSING_INLINE ServedObject::~ServedObject() { server_.forget(*this); }

MULTIPROCESSING_INLINE bool ManagerServer::make_spare() {
    if (threads_ >= options_.max_calls + 1) return false;
    const platform::AllSignalsBlocked program_handles_signals;
    ++this_process().own_threads;
    ++threads_;
    ++idle_; // it is one as soon as it runs
    try {
        std::thread([this] {
            platform::name_this_thread("mp-manager");
            serve();
            --this_process().own_threads;
        }).detach();
        return true;
    } catch (const std::system_error&) {
        --this_process().own_threads;
        --threads_;
        --idle_;
        return false;
    }
}

MULTIPROCESSING_INLINE void ManagerServer::serve() {
    Lock lock{mutex_};
    while (wait_for_lead(lock)) {
        lead(lock);
        ++idle_;
    }
}

/// As one of the idle. Returns false if this thread is needed no longer.
MULTIPROCESSING_INLINE bool ManagerServer::wait_for_lead(Lock& lock) {
    constexpr std::chrono::seconds patience{10};
    for (;;) {
        const std::uint32_t help = body_.help.load(std::memory_order_seq_cst);
        if (!has_leader_ || (is_in_program_ && help != help_before_)) {
            has_leader_ = true;
            is_in_program_ = false;
            body_.occupied.store(0, std::memory_order_relaxed);
            ++lead_;
            --idle_;
            return true;
        }
        lock.unlock();
        const bool called = wait(link_.parking(), body_.help_place, Deadline::after(patience),
                                 [&] { return body_.help.load(std::memory_order_seq_cst) != help; });
        lock.lock();
        if (!called && idle_ > 2) {
            --idle_;
            --threads_;
            return false;
        }
    }
}

MULTIPROCESSING_INLINE void ManagerServer::lead(Lock& lock) {
    const std::uint64_t mine = lead_;
    while (lead_ == mine) {
        drain();
        run_timers();
        if (!graveyard_.empty()) {
            bury(lock);
        } else if (!backlog_.empty()) {
            ServerJob job = std::move(backlog_.front());
            backlog_.pop_front();
            take_up(std::move(job), lock);
        } else {
            sleep(lock);
        }
    }
}

/// Nothing can be lost in it: whoever posts a call rings the bell after it, and a waiter looks
/// again after a slice.
MULTIPROCESSING_INLINE void ManagerServer::sleep(Lock& lock) {
    Deadline deadline;
    if (!timers_.empty())
        deadline = Deadline::after((std::max<Clock::duration>)(timers_.begin()->first - Clock::now(), {}));
    lock.unlock();
    wait(link_.parking(), body_.bell, deadline, [&] {
        return body_.head.load(std::memory_order_seq_cst) != 0 || stirred_.load(std::memory_order_seq_cst);
    });
    lock.lock();
    stirred_.store(false, std::memory_order_relaxed);
}

/// The leader says that it may be long, so that others know whom to call.
MULTIPROCESSING_INLINE void ManagerServer::enter_program() {
    is_in_program_ = true;
    help_before_ = body_.help.load(std::memory_order_seq_cst);
    body_.occupied.store(1, std::memory_order_seq_cst);
}

/// It is back, if it still leads.
MULTIPROCESSING_INLINE void ManagerServer::leave_program(std::uint64_t mine) {
    if (lead_ != mine) return;
    is_in_program_ = false;
    body_.occupied.store(0, std::memory_order_relaxed);
}

MULTIPROCESSING_INLINE void ManagerServer::bury(Lock& lock) {
    const std::uint64_t mine = lead_;
    if (idle_ == 0) make_spare(); // where there is none to be had, what is buried holds up the others
    auto dead = std::exchange(graveyard_, {});
    enter_program();
    ++busy_;
    lock.unlock();
    require_no_mutex();
    dead.clear();
    lock.lock();
    --busy_;
    leave_program(mine);
}

/// Appends to the backlog what was posted since. Whoever holds the mutex may do it: the order
/// stays that of the list.
MULTIPROCESSING_INLINE void ManagerServer::drain() {
    drained_.clear();
    take_calls(body_, drained_);
    for (const std::uint32_t channel : drained_) {
        bind(channel);
        ChannelState& state = channels_[channel];
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
        if (channels_[job.origin.channel].in_hand != job.origin.number) return;
        if (!look_into(job, lock)) return drop(std::move(job));
    }
    run_at_turn(std::move(job), lock);
}

/// Reads the request. Returns false if it is dealt with.
MULTIPROCESSING_INLINE bool ManagerServer::look_into(ServerJob& job, Lock& lock) {
    const std::uint32_t index = job.origin.channel;
    ChannelState& state = channels_[index];
    const CallChannel& channel = body_.channels[index];
    const auto reply = [&](Outcome outcome) {
        place_answer(index, outcome.payload, {}, outcome.failed);
        lock.unlock();
        post(link_.parking(), body_.channels[index].place);
        lock.lock();
        return false;
    };
    const std::size_t used = (std::min<std::size_t>)(channel.used, CallChannel::page_size);
    const std::span<const std::byte> page{channel.page, used};
    if (channel.piece == static_cast<std::uint32_t>(Piece::fetch)) {
        place_next_piece(index);
        lock.unlock();
        post(link_.parking(), body_.channels[index].place);
        lock.lock();
        return false;
    }
    std::span<const std::byte> message = page;
    try {
        if (channel.piece == static_cast<std::uint32_t>(Piece::part)) {
            state.request.insert(state.request.end(), page.begin(), page.end());
            place_next_piece(index); // of nothing
            lock.unlock();
            post(link_.parking(), body_.channels[index].place);
            lock.lock();
            return false;
        }
        if (!state.request.empty()) {
            state.request.insert(state.request.end(), page.begin(), page.end());
            message = state.request;
        }
        RequestHeader& request = job.request;
        if (message.size() < sizeof request)
            throw SerializationError("multiprocessing: a request is too short");
        std::memcpy(&request, message.data(), sizeof request);
        message = message.subspan(sizeof request);
        job.origin.thread = request.thread;
        auto& references = state.session->references;
        switch (request.verb) {
        case CallVerb::release: {
            const auto found = references.find(request.object);
            if (found != references.end()) {
                Session::Reference& reference = found->second;
                reference.count -= (std::min)(reference.count, request.payload_size);
                if (reference.count == 0) {
                    graveyard_.push_back(std::move(reference.object));
                    references.erase(found);
                }
            }
            return reply({});
        }
        case CallVerb::retain: {
            Session::Reference& reference = references[request.object];
            if (!reference.object) {
                const auto found = objects_.find(request.object);
                if (found != objects_.end()) reference.object = found->second.lock();
            }
            if (!reference.object) {
                references.erase(request.object);
                Outcome gone;
                gone.failed = true;
                return reply(std::move(gone));
            }
            ++reference.count;
            return reply({});
        }
        case CallVerb::count: {
            const std::uint64_t count = objects_.size();
            const auto bytes = std::as_bytes(std::span{&count, 1});
            Outcome outcome;
            outcome.payload.assign(bytes.begin(), bytes.end());
            return reply(std::move(outcome));
        }
        case CallVerb::shut_down:
            body_.stage.store(ManagerStage::closing, std::memory_order_seq_cst);
            supervisor_.ring();
            return reply({});
        case CallVerb::invoke:
        case CallVerb::create: break;
        default: throw SerializationError("multiprocessing: a request asks for what there is not");
        }
        if (body_.stage.load(std::memory_order_relaxed) != ManagerStage::open)
            throw ProcessError("multiprocessing: the manager was shut down: use its proxies before shutdown()");
        if (request.payload_size > message.size() ||
            request.references != (message.size() - request.payload_size) / sizeof(ManagedId))
            throw SerializationError("multiprocessing: a request has another length than it says");
        job.payload = message.first(static_cast<std::size_t>(request.payload_size));
        const auto find = [&](ManagedId id) {
            const auto found = objects_.find(id);
            auto object = found == objects_.end() ? nullptr : found->second.lock();
            if (!object) throw std::logic_error("multiprocessing: the object of a proxy is gone");
            return object;
        };
        if (request.verb == CallVerb::invoke) job.object = find(request.object);
        for (std::size_t i = 0; i < request.references; ++i) {
            ManagedId id;
            std::memcpy(&id, message.data() + job.payload.size() + i * sizeof id, sizeof id);
            job.references.push_back(std::make_shared<LocalTarget>(find(id)));
        }
    } catch (const SerializationError& error) {
        return reply(failure(error));
    } catch (const ProcessError& error) {
        return reply(failure(error));
    } catch (const std::logic_error& error) {
        return reply(failure(std::logic_error(error.what())));
    } catch (const std::bad_alloc& error) {
        state.request = {};
        return reply(failure(error));
    }
    return true;
}

/// Now, or when the calls of its object that came before are through.
MULTIPROCESSING_INLINE void ManagerServer::run_at_turn(ServerJob job, Lock& lock) {
    if (job.object && !job.has_turn) {
        TurnQueue& turns = job.object->turns;
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
    for (std::uint64_t mine = lead_;;) {
        const bool leads = lead_ == mine;
        const bool is_call = job.kind == ServerJob::Kind::call;
        // The last thread that is free never enters what may block: who leads then would be gone.
        const bool refused = leads && idle_ == 0 && !make_spare() && !(job.object && job.object->type.brief);
        if (leads) enter_program();
        if (job.object) job.object->turns.holder = std::this_thread::get_id();
        if (is_call) channels_[job.origin.channel].running = job.origin.number;
        ++busy_;
        lock.unlock();
        Outcome outcome =
            refused ? failure(std::system_error(
                          std::make_error_code(std::errc::resource_unavailable_try_again),
                          "multiprocessing: all threads of a manager's server are in calls that block"))
                    : carry_out(job);
        lock.lock();
        --busy_;
        std::optional<ServerJob> next = finish(job, outcome);
        lock.unlock();
        if (is_call && !outcome.deferred) post(link_.parking(), body_.channels[job.origin.channel].place);
        if (outcome.look_at) post(link_.parking(), body_.bell); // where another thread leads by now
        job = {};                                               // may destroy objects: as code of the program's
        outcome = {};
        lock.lock();
        leave_program(mine);
        if (!next) return;
        if (lead_ == mine) {
            backlog_.push_front(std::move(*next));
            return;
        }
        job = std::move(*next); // this thread is free for it
    }
}

MULTIPROCESSING_INLINE ManagerServer::Outcome ManagerServer::carry_out(ServerJob& job) noexcept {
    require_no_mutex();
    Outcome outcome;
    try {
        void* const object = job.object ? job.object->value.get() : nullptr;
        if (job.kind == ServerJob::Kind::tick) {
            outcome.look_at = job.object->type.tick(object, Clock::now());
            return outcome;
        }
        if (job.kind == ServerJob::Kind::gone) {
            job.object->type.gone(object, job.origin.process);
            return outcome;
        }
        ManagedReadContext received{job.references};
        Reader reader{job.payload, &received};
        ManagedWriteContext context;
        Writer writer{&context};
        ServedCall call{*this, object, reader, writer, job.origin, context};
        resolve(job.request.entry).entry(&call);
        outcome.deferred = call.deferred;
        outcome.look_at = call.look_at;
        if (!call.deferred) {
            outcome.payload = writer.release();
            outcome.references = std::move(context.references);
        }
    } catch (...) {
        outcome = {};
        outcome.failed = true;
        try {
            outcome.payload = bytes_of_failure(capture_current_exception());
        } catch (const std::exception&) {} // no memory: the client cannot read it, and throws
    }
    return outcome;
}

/// Answers, and passes the turn on: returns the job that has it next.
MULTIPROCESSING_INLINE std::optional<ServerJob> ManagerServer::finish(ServerJob& job, Outcome& outcome) {
    if (job.kind == ServerJob::Kind::call) {
        ChannelState& state = channels_[job.origin.channel];
        if (state.running == job.origin.number) {
            state.running = 0;
            if (state.is_orphan) free_channel(job.origin.channel);
        }
        if (!outcome.deferred && state.in_hand == job.origin.number)
            place_answer(job.origin.channel, outcome.payload, outcome.references, outcome.failed);
    }
    if (!job.object) return std::nullopt;
    if (outcome.look_at) schedule(*job.object, *outcome.look_at);
    return pass_turn(*job.object);
}

MULTIPROCESSING_INLINE std::optional<ServerJob> ManagerServer::pass_turn(ServedObject& object) {
    TurnQueue& turns = object.turns;
    turns.holder = {};
    while (!turns.waiting.empty()) {
        ServerJob next = std::move(turns.waiting.front());
        turns.waiting.pop_front();
        if (next.kind == ServerJob::Kind::call &&
            channels_[next.origin.channel].in_hand != next.origin.number) {
            drop(std::move(next)); // of a client that died
            continue;
        }
        next.has_turn = true;
        return next;
    }
    turns.busy = false;
    if (local_waiters_) turn_passed_.notify_all();
    return std::nullopt;
}

MULTIPROCESSING_INLINE void ManagerServer::schedule(ServedObject& object, Clock::time_point at) {
    if (object.tick_at) {
        if (*object.tick_at <= at) return;
        timers_.erase({*object.tick_at, object.id});
    }
    object.tick_at = at;
    timers_.insert({at, object.id});
    stirred_.store(true, std::memory_order_seq_cst); // the leader may sleep for longer
}

MULTIPROCESSING_INLINE void ManagerServer::run_timers() {
    if (timers_.empty()) return;
    const auto now = Clock::now();
    while (!timers_.empty() && timers_.begin()->first <= now) {
        const ManagedId id = timers_.begin()->second;
        timers_.erase(timers_.begin());
        const auto found = objects_.find(id);
        auto object = found == objects_.end() ? nullptr : found->second.lock();
        if (!object) continue;
        object->tick_at.reset();
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

/// Writes the answer to the call in hand, and counts the client's references before it can know of
/// them.
MULTIPROCESSING_INLINE void ManagerServer::place_answer(std::uint32_t index, std::span<const std::byte> payload,
                                                        const ProxyTargets& references, bool failed) noexcept {
    ChannelState& state = channels_[index];
    CallChannel& channel = body_.channels[index];
    // What a big message took is not kept.
    constexpr std::size_t kept = 64 * 1024;
    state.request.clear();
    if (state.request.capacity() > kept) state.request.shrink_to_fit();
    state.answer.clear();
    channel.failed = failed;
    try {
        std::vector<ManagedId> ids;
        for (const auto& target : references) {
            ids.push_back(target->id());
            Session::Reference& reference = state.session->references[target->id()];
            reference.object = static_cast<const LocalTarget&>(*target).object;
            ++reference.count;
        }
        const auto tail = std::as_bytes(std::span{ids});
        channel.references = static_cast<std::uint32_t>(ids.size());
        channel.size = payload.size() + tail.size();
        if (channel.size <= CallChannel::page_size) {
            channel.used = static_cast<std::uint32_t>(channel.size);
            if (!payload.empty()) std::memcpy(channel.page, payload.data(), payload.size());
            if (!tail.empty()) std::memcpy(channel.page + payload.size(), tail.data(), tail.size());
        } else {
            state.answer.reserve(payload.size() + tail.size());
            state.answer.assign(payload.begin(), payload.end());
            state.answer.insert(state.answer.end(), tail.begin(), tail.end());
            state.answered = 0;
        }
    } catch (const std::bad_alloc&) { // an exception that the client cannot read, so it throws all the same
        channel.failed = 1;
        channel.references = 0;
        channel.size = 0;
        channel.used = 0;
        state.answer.clear();
    }
    if (!state.answer.empty()) return place_next_piece(index);
    // Release: the client, which sees the number, sees the answer.
    channel.call.store(std::exchange(state.in_hand, 0) + 1, std::memory_order_seq_cst);
}

MULTIPROCESSING_INLINE void ManagerServer::place_next_piece(std::uint32_t index) noexcept {
    ChannelState& state = channels_[index];
    CallChannel& channel = body_.channels[index];
    const std::size_t next = (std::min)(state.answer.size() - state.answered, CallChannel::page_size);
    if (next != 0) std::memcpy(channel.page, state.answer.data() + state.answered, next);
    channel.used = static_cast<std::uint32_t>(next);
    state.answered += next;
    if (state.answered == state.answer.size()) {
        state.answer = {};
        state.answered = 0;
    }
    channel.call.store(std::exchange(state.in_hand, 0) + 1, std::memory_order_seq_cst);
}

MULTIPROCESSING_INLINE bool ManagerServer::answer(const CallOrigin& origin, std::span<const std::byte> payload,
                                                  const ProxyTargets& references, bool failed) {
    {
        std::lock_guard lock{mutex_};
        ChannelState& state = channels_[origin.channel];
        // The client has died, or was told that the manager is shut down.
        if (origin.number == 0 || state.in_hand != origin.number) return false;
        place_answer(origin.channel, payload, references, failed);
    }
    post(link_.parking(), body_.channels[origin.channel].place);
    return true;
}

MULTIPROCESSING_INLINE std::shared_ptr<ServedObject> ManagerServer::add(std::shared_ptr<void> value,
                                                                        const ManagedType& type) {
    ManagedId id;
    {
        std::lock_guard lock{mutex_};
        id = ++last_id_;
    }
    auto object = std::make_shared<ServedObject>(*this, id, std::move(value), type);
    std::lock_guard lock{mutex_};
    objects_[id] = object;
    if (type.gone) watchers_[id] = object;
    return object;
}

MULTIPROCESSING_INLINE void ManagerServer::forget(const ServedObject& object) noexcept {
    std::lock_guard lock{mutex_};
    objects_.erase(object.id);
    watchers_.erase(object.id);
    if (object.tick_at) timers_.erase({*object.tick_at, object.id});
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
    TurnQueue& turns = object->turns;
    const auto me = std::this_thread::get_id();
    const bool nested = turns.busy && turns.holder == me;
    if (!nested) {
        ++local_waiters_;
        turn_passed_.wait(lock, [&] { return !turns.busy; });
        --local_waiters_;
        turns.busy = true;
        turns.holder = me;
    }
    lock.unlock();
    Outcome outcome = carry_out(job);
    if (!nested) {
        lock.lock();
        if (outcome.look_at) schedule(*object, *outcome.look_at);
        const bool stir = outcome.look_at.has_value();
        auto next = pass_turn(*object);
        if (next) {
            backlog_.push_back(std::move(*next)); // this thread has other things to do
            stirred_.store(true, std::memory_order_seq_cst);
        }
        lock.unlock();
        if (next || stir) post(link_.parking(), body_.bell);
    }
    return {std::move(outcome.payload), outcome.failed, std::move(outcome.references)};
}

/// Finds, or begins, the session of the process that has called by this channel.
MULTIPROCESSING_INLINE void ManagerServer::bind(std::uint32_t index) {
    ChannelState& state = channels_[index];
    const CallChannel& channel = body_.channels[index];
    const platform::ThreadName owner = channel.owner.load(std::memory_order_relaxed);
    const Incarnation process = channel.process.load(std::memory_order_relaxed);
    const int pid = channel.pid.load(std::memory_order_relaxed);
    if (state.session && state.owner == owner && state.session->process == process && state.session->pid == pid)
        return;
    state.owner = owner;
    state.request.clear();
    state.answer.clear();
    if (const auto found = sessions_.find(process); found != sessions_.end() && found->second->pid != pid)
        end_session(*found->second); // the number of a dead one, used again
    std::unique_ptr<Session>& session = sessions_[process];
    if (!session) {
        session = std::make_unique<Session>();
        session->process = process;
        session->pid = pid;
        auto end = platform::watch_process(pid);
        // The pid may be another's by now; while the thread that claimed the channel lives, it is
        // not.
        session->has_ended = !end || !platform::lives(owner);
        if (end) session->end = std::move(*end);
        supervisor_.ring();
    }
    state.session = session.get();
}

/// Its process has ended, so nobody posts by its channels any more. What it posted before is on
/// the list or in the backlog, and is carried out or not as it comes; what waits is not.
MULTIPROCESSING_INLINE void ManagerServer::end_session(Session& session) {
    const std::uint32_t used =
        (std::min)(body_.used.load(std::memory_order_acquire), ManagerBody::channel_count);
    for (std::uint32_t i = 0; i < used; ++i) {
        ChannelState& state = channels_[i];
        if (state.session != &session) continue;
        const bool is_its = body_.channels[i].owner.load(std::memory_order_relaxed) == state.owner &&
                            body_.channels[i].process.load(std::memory_order_relaxed) == session.process &&
                            body_.channels[i].pid.load(std::memory_order_relaxed) == session.pid;
        state.session = nullptr;
        if (!is_its) continue; // given back, and perhaps claimed by another process
        state.in_hand = 0;
        if (state.running != 0) {
            state.is_orphan = true;
        } else {
            free_channel(i);
        }
    }
    for (auto& [id, reference] : session.references) graveyard_.push_back(std::move(reference.object));
    for (const auto& [id, known] : watchers_) {
        ServerJob job;
        job.kind = ServerJob::Kind::gone;
        job.origin.process = session.process;
        job.object = known.lock();
        if (job.object) backlog_.push_back(std::move(job));
    }
    ends_.push_back(std::move(session.end));
    sessions_.erase(session.process);
    stirred_.store(true, std::memory_order_seq_cst);
}

/// Nobody uses it: not its owner, which is dead, nor a thread here.
MULTIPROCESSING_INLINE void ManagerServer::free_channel(std::uint32_t index) noexcept {
    CallChannel& channel = body_.channels[index];
    channels_[index] = {};
    const std::uint32_t call = channel.call.load(std::memory_order_relaxed);
    if (call % 2 != 0) channel.call.store(call + 1, std::memory_order_relaxed);
    channel.owner.store(0, std::memory_order_release);
}

/// Channels that were claimed, and never used: the claimer may have been killed between.
MULTIPROCESSING_INLINE void ManagerServer::look_after_strangers() {
    const std::uint32_t used =
        (std::min)(body_.used.load(std::memory_order_acquire), ManagerBody::channel_count);
    for (std::uint32_t i = 0; i < used; ++i) {
        const platform::ThreadName owner = body_.channels[i].owner.load(std::memory_order_acquire);
        const auto is_known = [&] { return channels_[i].session && channels_[i].owner == owner; };
        if (owner == 0 || is_known() || channels_[i].running != 0) continue;
        if (platform::lives(owner)) continue;
        drain(); // it may have asked meanwhile: then it has a session
        if (!is_known() && channels_[i].running == 0 &&
            body_.channels[i].owner.load(std::memory_order_relaxed) == owner)
            free_channel(i);
    }
}

MULTIPROCESSING_INLINE void ManagerServer::wait_for_ends() {
    std::vector<platform::NativeHandle> handles{supervisor_.handle().native()};
    {
        std::lock_guard lock{mutex_};
        ends_.clear();
        for (const auto& [process, session] : sessions_) {
            if (session->end.valid()) handles.push_back(session->end.native());
        }
    }
    // Only this thread closes one of them.
    const auto ready = platform::wait_any(handles, Deadline::after(std::chrono::seconds{1}));
    supervisor_.silence();
    std::lock_guard lock{mutex_};
    for (const std::size_t at : ready) {
        for (const auto& [process, session] : sessions_) {
            if (at != 0 && session->end.valid() && session->end.native() == handles[at])
                session->has_ended = true;
        }
    }
}

MULTIPROCESSING_INLINE void ManagerServer::look_after_clients() {
    {
        std::lock_guard lock{mutex_};
        for (const auto& [process, session] : sessions_) {
            if (!session->end.valid() && !session->has_ended)
                session->has_ended = !platform::watch_process(session->pid);
        }
        drain(); // what they posted before comes before what follows from their end
        for (bool found = true; found;) {
            found = false;
            for (const auto& [process, session] : sessions_) {
                if (!session->has_ended) continue;
                end_session(*session);
                found = true;
                break;
            }
        }
        look_after_strangers();
        if (!stirred_.load(std::memory_order_relaxed) && backlog_.empty()) return;
        stirred_.store(true, std::memory_order_seq_cst);
        if (is_in_program_) { // nobody may be there to call for help
            body_.help.fetch_add(1, std::memory_order_seq_cst);
        }
    }
    post(link_.parking(), body_.bell);
    post(link_.parking(), body_.help_place);
}

MULTIPROCESSING_INLINE void ManagerServer::run() {
    current() = this;
    platform::ignore_interrupt(true);
    body_.pid.store(platform::current_pid(), std::memory_order_relaxed);
    body_.server.store(this_thread(), std::memory_order_release);
    {
        std::lock_guard lock{mutex_};
        if (!make_spare() || !make_spare())
            throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again),
                                    "multiprocessing: starting the threads of a manager's server");
    }
    body_.stage.store(ManagerStage::open, std::memory_order_seq_cst);
    post(link_.parking(), body_.stage_place);
    while (body_.stage.load(std::memory_order_acquire) == ManagerStage::open) {
        wait_for_ends();
        look_after_clients();
    }
    close();
}

MULTIPROCESSING_INLINE void ManagerServer::close() {
    const auto deadline = Clock::now() + options_.shutdown_timeout;
    Lock lock{mutex_};
    // Who waits for another client is told; who is in a call has some time.
    const Outcome refusal =
        failure(ProcessError("multiprocessing: the manager was shut down: use its proxies before shutdown()"));
    const auto refuse_waiting = [&] {
        drain();
        for (std::uint32_t i = 0; i < ManagerBody::channel_count; ++i) {
            if (channels_[i].in_hand == 0 || channels_[i].running != 0) continue;
            place_answer(i, refusal.payload, {}, true);
            lock.unlock();
            post(link_.parking(), body_.channels[i].place);
            lock.lock();
        }
    };
    refuse_waiting();
    while ((busy_ != 0 || !graveyard_.empty()) && Clock::now() < deadline) {
        lock.unlock();
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
        lock.lock();
    }
    refuse_waiting();
    // The latest first.
    std::vector<std::shared_ptr<ServedObject>> objects;
    for (auto& [process, session] : sessions_) {
        for (auto& [id, reference] : session->references) objects.push_back(std::move(reference.object));
        session->references.clear();
    }
    const bool all_are_idle = busy_ == 0;
    lock.unlock();
    std::sort(objects.begin(), objects.end(), [](const auto& a, const auto& b) { return a->id > b->id; });
    if (all_are_idle) {
        for (auto& object : objects) object.reset();
    } else {
        kept_ = std::move(objects);
    }
    body_.stage.store(ManagerStage::closed, std::memory_order_seq_cst);
    const std::uint32_t used =
        (std::min)(body_.used.load(std::memory_order_acquire), ManagerBody::channel_count);
    for (std::uint32_t i = 0; i < used; ++i) post(link_.parking(), body_.channels[i].place);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
