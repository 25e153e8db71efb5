#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file client.hpp  A process that calls a manager's server: its channels, and its references of
/// objects there.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/fork_origin.hpp>
#include <multiprocessing/detail/managers/layout.hpp>
#include <multiprocessing/detail/managers/message.hpp>
#include <multiprocessing/detail/of_this_copy.hpp>
#include <multiprocessing/detail/process_wide.hpp>
#include <multiprocessing/detail/shared_object/shared_object.hpp>
#include <multiprocessing/timeout.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

class ManagerGrip;

/// This process as a client of one manager. All its threads share the channels, of which there are
/// as many as there ever were calls at once.
class ManagerClient : public std::enable_shared_from_this<ManagerClient> {
public:
    explicit ManagerClient(ManagerLink link) : link_(std::move(link)) {}
    ManagerClient(const ManagerClient&) = delete;
    ManagerClient& operator=(const ManagerClient&) = delete;
    ~ManagerClient();

    const ManagerLink& link() const noexcept { return link_; }
    bool is_here() const noexcept { return origin_.is_here(); }

    /// Has the server carry out a request. `references` in it must be of the same server. Throws
    /// ProcessError after shutdown(), EOFError where the server was lost.
    ManagerAnswer call(CallVerb verb, ManagedId object, const ThunkAddress& entry,
                       std::span<const std::byte> payload, const ProxyTargets& references,
                       std::uint64_t number = 0);

    /// This process's reference of an object that `brought` came with, or that it is to be had of.
    /// Throws `std::logic_error` if the object is gone.
    std::shared_ptr<ManagerGrip> grip_of_answer(ManagedId id);
    std::shared_ptr<ManagerGrip> retain(ManagedId id);
    /// The same, kept as long as this process is a client: for a copy whose original has the proxy.
    ManagerGrip& retain_for_copy(ManagedId id);
    void release(ManagedId id, std::uint64_t count) noexcept;
    /// Asks the server to end, and does not wait: it may be stopped.
    void ask_to_end();

private:
    using Spans = std::initializer_list<std::span<const std::byte>>;

    std::uint32_t take_channel();
    std::uint32_t claim_channel() const;
    std::uint32_t begin_ask(std::uint32_t index, Piece piece) const;
    void ask(std::uint32_t index, Piece piece) const;
    void send(std::uint32_t index, Spans message) const;
    std::vector<std::byte> receive(std::uint32_t index) const;
    void require_open() const;
    [[noreturn]] void throw_gone() const;
    void look_after_server() const;

    const ManagerLink link_;
    const ForkOrigin origin_;
    Mutex mutex_;
    std::vector<std::uint32_t> idle_; // channels of this process that are in no call
    std::size_t channels_ = 0;        // idle_ has room for all of them
    std::unordered_map<ManagedId, std::weak_ptr<ManagerGrip>> grips_;
    std::unordered_map<ManagedId, std::shared_ptr<ManagerGrip>> kept_;
};

/// The managers that this process is a client of.
class ManagerClients : public ForkSafe {
public:
    static constexpr StateSlot slot = StateSlot::managers;

    std::shared_ptr<ManagerClient> of(const ManagerLink& link);

private:
    // A body that is used is not freed, so two managers never have one address.
    OfThisCopy<std::unordered_map<const ManagerBody*, std::weak_ptr<ManagerClient>>> clients_;
};

/// This process's reference of an object in the server, shared by its proxies here. The server
/// counts for this client, in memory of its own: a client that dies makes its counts void as a
/// whole.
class ManagerGrip final : public ProxyTarget, public std::enable_shared_from_this<ManagerGrip> {
public:
    /// `owed`: how many references the server counts for this.
    ManagerGrip(std::shared_ptr<ManagerClient> client, ManagedId id, std::uint64_t owed)
        : client_(std::move(client)), id_(id), owed_(owed) {}
    MULTIPROCESSING_INLINE ~ManagerGrip() override;

    ManagedId id() const noexcept override { return id_; }
    MULTIPROCESSING_INLINE bool is_beside(const ProxyTarget& other) const noexcept override;
    MULTIPROCESSING_INLINE ManagerAnswer call(CallVerb verb, const ThunkAddress& entry,
                                              std::span<const std::byte> payload,
                                              const ProxyTargets& references) override;
    MULTIPROCESSING_INLINE void export_to(HandleSink& sink) override;

    bool is_of(const ManagerClient& client) const noexcept;
    /// The server counts one reference more for this.
    void owe() noexcept { owed_.fetch_add(1, std::memory_order_relaxed); }

private:
    const std::shared_ptr<ManagerClient> client_;
    const ManagedId id_;
    std::atomic<std::uint64_t> owed_;
};

/// A proxy on its way to a process, as a shared object: the lease on it keeps the giver's reference
/// until the receiver has one of its own, or is gone.
class ProxyOnTheWay final : public SharedObject {
public:
    static constexpr char kind[] = "proxy";

    explicit ProxyOnTheWay(std::shared_ptr<ManagerGrip> grip)
        : SharedObject(kind, sizeof(ManagedId)), grip_(std::move(grip)) {}

    static std::shared_ptr<ProxyTarget> import_from(HandleSource& source);

protected:
    MULTIPROCESSING_INLINE void construct(void* address) override;

private:
    const std::shared_ptr<ManagerGrip> grip_;
};

// ---- One call ----

// ---- References ----

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/managers/call_list.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/parking/recovering_lock.hpp>
#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>
#include <multiprocessing/exceptions.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE ManagerClient::~ManagerClient() {
    if (!origin_.is_here()) return; // the original's channels
    // Nobody asks by them any more, so the server does not look at them.
    for (const std::uint32_t index : idle_)
        link_.body().channels[index].owner.store(0, std::memory_order_release);
}

MULTIPROCESSING_INLINE std::shared_ptr<ManagerClient> ManagerClients::of(const ManagerLink& link) {
    const ManagerBody* const key = &link.body();
    std::lock_guard lock{mutex};
    auto& clients = clients_.get();
    std::weak_ptr<ManagerClient>& known = clients[key];
    if (auto client = known.lock()) return client;
    std::erase_if(clients, [&](const auto& entry) { return entry.first != key && entry.second.expired(); });
    auto client = std::make_shared<ManagerClient>(link);
    clients[key] = client;
    return client;
}

MULTIPROCESSING_INLINE ManagerGrip::~ManagerGrip() {
    if (client_->is_here()) client_->release(id_, owed_.load(std::memory_order_relaxed));
}

MULTIPROCESSING_INLINE bool ManagerGrip::is_beside(const ProxyTarget& other) const noexcept {
    const auto* const grip = dynamic_cast<const ManagerGrip*>(&other);
    return grip && &grip->client_->link().body() == &client_->link().body();
}

MULTIPROCESSING_INLINE ManagerAnswer ManagerGrip::call(CallVerb verb, const ThunkAddress& entry,
                                                       std::span<const std::byte> payload,
                                                       const ProxyTargets& references) {
    if (!client_->is_here()) {
        // The reference is the original's; this copy takes one of its own.
        const auto client = process_wide<ManagerClients>().of(client_->link());
        return client->retain_for_copy(id_).call(verb, entry, payload, references);
    }
    return client_->call(verb, id_, entry, payload, references);
}

MULTIPROCESSING_INLINE bool ManagerGrip::is_of(const ManagerClient& client) const noexcept {
    return &client.link().body() == &client_->link().body();
}

MULTIPROCESSING_INLINE std::shared_ptr<ProxyTarget> ProxyOnTheWay::import_from(HandleSource& source) {
    const ManagerLink link = ManagerLink::import_from(source);
    auto object = source.next_known();
    if (!object) object = SharedObject::make_given(kind, source.next());
    const ManagedId id = *std::launder(static_cast<const ManagedId*>(object->address()));
    return process_wide<ManagerClients>().of(link)->retain(id);
}

MULTIPROCESSING_INLINE void ProxyOnTheWay::construct(void* address) { new (address) ManagedId{grip_->id()}; }

MULTIPROCESSING_INLINE LeaseEntry ManagedReadContext::next() {
    throw SerializationError("multiprocessing: a manager's message names a shared object that is no proxy");
}

MULTIPROCESSING_INLINE void ManagerGrip::export_to(HandleSink& sink) {
    client_->link().export_to(sink);
    sink.add(SharedObject::make_unused(std::make_unique<ProxyOnTheWay>(shared_from_this())));
}

MULTIPROCESSING_INLINE void ManagerClient::throw_gone() const {
    const ManagerBody& body = link_.body();
    if (body.stage.load(std::memory_order_acquire) == ManagerStage::lost) {
        throw EOFError("multiprocessing: the server of a manager (pid " +
                       std::to_string(body.pid.load(std::memory_order_relaxed)) +
                       ") has ended, and its objects with it: make a new manager");
    }
    throw ProcessError("multiprocessing: the manager was shut down: use its proxies before shutdown()");
}

MULTIPROCESSING_INLINE void ManagerClient::require_open() const {
    if (link_.body().stage.load(std::memory_order_acquire) >= ManagerStage::failed) [[unlikely]]
        throw_gone();
}

/// The first to see that the server has ended says so to all, who then need not wait out a slice.
MULTIPROCESSING_INLINE void ManagerClient::look_after_server() const {
    ManagerBody& body = link_.body();
    const platform::ThreadName server = body.server.load(std::memory_order_acquire);
    if (server == 0 || platform::lives(server)) return;
    ManagerStage stage = body.stage.load(std::memory_order_relaxed);
    while (stage < ManagerStage::closed &&
           !body.stage.compare_exchange_weak(stage, ManagerStage::lost, std::memory_order_seq_cst)) {}
    // Killed here: the others find it out in their own slices.
    const std::uint32_t used =
        (std::min)(body.used.load(std::memory_order_acquire), ManagerBody::channel_count);
    for (std::uint32_t i = 0; i < used; ++i) post(link_.parking(), body.channels[i].place);
}

MULTIPROCESSING_INLINE std::uint32_t ManagerClient::claim_channel() const {
    ManagerBody& body = link_.body();
    const platform::ThreadName me = this_thread();
    for (int attempt = 0; attempt < 100; ++attempt) {
        for (std::uint32_t i = 0; i < ManagerBody::channel_count; ++i) {
            CallChannel& channel = body.channels[i];
            platform::ThreadName owner = channel.owner.load(std::memory_order_relaxed);
            if (owner != 0) continue;
            std::uint32_t used = body.used.load(std::memory_order_relaxed);
            while (used <= i && !body.used.compare_exchange_weak(used, i + 1, std::memory_order_seq_cst)) {}
            // Acquire: what the last owner and the server wrote here is over.
            if (!channel.owner.compare_exchange_strong(owner, me, std::memory_order_seq_cst)) continue;
            // Killed here: no call was made by it; the server asks once a second whether the owner
            // of such a channel lives.
            channel.process.store(tree().self, std::memory_order_relaxed);
            channel.pid.store(platform::current_pid(), std::memory_order_relaxed);
            return i;
        }
        require_open();
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again),
                            "multiprocessing: all " + std::to_string(ManagerBody::channel_count) +
                                " channels of a manager are in use: let fewer threads call it at once");
}

MULTIPROCESSING_INLINE std::uint32_t ManagerClient::take_channel() {
    {
        std::lock_guard lock{mutex_};
        if (!idle_.empty()) {
            const std::uint32_t index = idle_.back();
            idle_.pop_back();
            return index;
        }
        idle_.reserve(channels_ + 1); // giving it back cannot fail
        ++channels_;
    }
    return claim_channel();
}

/// Posts what is in the page; returns the number that says that it is answered.
MULTIPROCESSING_INLINE std::uint32_t ManagerClient::begin_ask(std::uint32_t index, Piece piece) const {
    ManagerBody& body = link_.body();
    CallChannel& channel = body.channels[index];
    channel.piece = static_cast<std::uint32_t>(piece);
    const std::uint32_t answered = channel.call.load(std::memory_order_relaxed) + 2;
    channel.call.store(answered - 1, std::memory_order_relaxed); // published by the list
    push_call(body, index);
    // Killed here: the call is carried out; the bell was not rung, which the leader's slice, or
    // the next call, makes good.
    post(link_.parking(), body.bell);
    return answered;
}

/// Posts what is in the page, and waits until it is answered.
MULTIPROCESSING_INLINE void ManagerClient::ask(std::uint32_t index, Piece piece) const {
    ManagerBody& body = link_.body();
    const platform::Parking& parking = link_.parking();
    CallChannel& channel = body.channels[index];
    const std::uint32_t answered = begin_ask(index, piece);
    const auto ready = [&] {
        return channel.call.load(std::memory_order_acquire) == answered ||
               body.stage.load(std::memory_order_relaxed) >= ManagerStage::closed;
    };
    // Short slices first: so long may a leader that is stuck hold up others.
    constexpr std::chrono::milliseconds short_slice{1};
    constexpr int short_slices = 10;
    for (int looks = 0;; ++looks) {
        const auto deadline = Deadline::after(Timeout{looks < short_slices ? short_slice : slice});
        if (wait(parking, channel.place, deadline, ready)) break;
        if (body.occupied.load(std::memory_order_relaxed) != 0) {
            body.help.fetch_add(1, std::memory_order_seq_cst);
            post(parking, body.help_place);
        }
        if (looks >= short_slices) look_after_server();
    }
    if (channel.call.load(std::memory_order_acquire) != answered) throw_gone();
}

MULTIPROCESSING_INLINE void ManagerClient::send(std::uint32_t index, Spans message) const {
    CallChannel& channel = link_.body().channels[index];
    std::size_t used = 0;
    for (std::span<const std::byte> rest : message) {
        while (!rest.empty()) {
            if (used == CallChannel::page_size) {
                channel.used = static_cast<std::uint32_t>(used);
                ask(index, Piece::part);
                used = 0;
            }
            const std::size_t next = (std::min)(rest.size(), CallChannel::page_size - used);
            std::memcpy(channel.page + used, rest.data(), next);
            rest = rest.subspan(next);
            used += next;
        }
    }
    channel.used = static_cast<std::uint32_t>(used);
    ask(index, Piece::last);
}

MULTIPROCESSING_INLINE std::vector<std::byte> ManagerClient::receive(std::uint32_t index) const {
    const CallChannel& channel = link_.body().channels[index];
    const std::uint64_t size = channel.size;
    std::vector<std::byte> bytes;
    bytes.reserve(static_cast<std::size_t>(size));
    for (;;) {
        const std::size_t used = (std::min<std::size_t>)(channel.used, CallChannel::page_size);
        bytes.insert(bytes.end(), channel.page, channel.page + used);
        if (bytes.size() >= size) return bytes;
        if (used == 0)
            throw SerializationError("multiprocessing: an answer of a manager's server ends too early");
        ask(index, Piece::fetch);
    }
}

MULTIPROCESSING_INLINE ManagerAnswer ManagerClient::call(CallVerb verb, ManagedId object,
                                                         const ThunkAddress& entry,
                                                         std::span<const std::byte> payload,
                                                         const ProxyTargets& references, std::uint64_t number) {
    require_open();
    std::vector<ManagedId> ids;
    for (const auto& reference : references) {
        const auto* const grip = dynamic_cast<const ManagerGrip*>(reference.get());
        if (!grip || !grip->is_of(*this)) {
            throw std::invalid_argument("multiprocessing: a proxy of another manager was given to this one, "
                                        "which cannot call it: give a copy() of its contents");
        }
        ids.push_back(reference->id());
    }
    const bool releases = verb == CallVerb::release;
    const RequestHeader header{verb,   static_cast<std::uint32_t>(ids.size()),
                               object, releases ? number : payload.size(),
                               entry,  this_thread()};
    const std::uint32_t index = take_channel();
    const CallChannel& channel = link_.body().channels[index];
    const ScopeExit back{[&] {
        // Where the server is gone the call stays open, and the channel as it is: nobody needs it.
        if (channel.call.load(std::memory_order_relaxed) % 2 != 0) return;
        std::lock_guard lock{mutex_};
        idle_.push_back(index); // there is room
    }};
    send(index, {std::as_bytes(std::span{&header, 1}), payload, std::as_bytes(std::span{ids})});
    const std::uint32_t count = channel.references;
    ManagerAnswer answer;
    answer.failed = channel.failed != 0;
    answer.payload = receive(index);
    const std::size_t tail = count * sizeof(ManagedId);
    if (tail > answer.payload.size())
        throw SerializationError("multiprocessing: an answer of a manager's server ends too early");
    const std::size_t begin = answer.payload.size() - tail;
    for (std::size_t i = 0; i < count; ++i) {
        ManagedId id;
        std::memcpy(&id, answer.payload.data() + begin + i * sizeof id, sizeof id);
        answer.references.push_back(grip_of_answer(id));
    }
    answer.payload.resize(begin);
    return answer;
}

MULTIPROCESSING_INLINE void ManagerClient::ask_to_end() {
    if (link_.body().stage.load(std::memory_order_acquire) != ManagerStage::open) return;
    const std::uint32_t index = take_channel(); // for good
    const RequestHeader header{CallVerb::shut_down, 0, 0, 0, {}, this_thread()};
    CallChannel& channel = link_.body().channels[index];
    std::memcpy(channel.page, &header, sizeof header);
    channel.used = sizeof header;
    begin_ask(index, Piece::last);
    link_.body().help.fetch_add(1, std::memory_order_seq_cst); // the leader may be in a long call
    post(link_.parking(), link_.body().help_place);
}

MULTIPROCESSING_INLINE std::shared_ptr<ManagerGrip> ManagerClient::grip_of_answer(ManagedId id) {
    std::lock_guard lock{mutex_};
    std::weak_ptr<ManagerGrip>& known = grips_[id];
    if (auto grip = known.lock()) {
        grip->owe();
        return grip;
    }
    auto grip = std::make_shared<ManagerGrip>(shared_from_this(), id, 1);
    known = grip;
    return grip;
}

MULTIPROCESSING_INLINE std::shared_ptr<ManagerGrip> ManagerClient::retain(ManagedId id) {
    {
        std::lock_guard lock{mutex_};
        if (const auto found = grips_.find(id); found != grips_.end()) {
            if (auto grip = found->second.lock()) return grip;
        }
    }
    if (call(CallVerb::retain, id, {}, {}, {}).failed) {
        throw std::logic_error("multiprocessing: the object of a proxy is gone: who gives a proxy on keeps it "
                               "until it has arrived");
    }
    return grip_of_answer(id);
}

MULTIPROCESSING_INLINE ManagerGrip& ManagerClient::retain_for_copy(ManagedId id) {
    {
        std::lock_guard lock{mutex_};
        if (const auto found = kept_.find(id); found != kept_.end()) return *found->second;
    }
    auto grip = retain(id);
    std::lock_guard lock{mutex_};
    return *(kept_[id] = std::move(grip));
}

/// If the server is not there any more, or out of channels, its count ends with this process.
MULTIPROCESSING_INLINE void ManagerClient::release(ManagedId id, std::uint64_t count) noexcept {
    {
        std::lock_guard lock{mutex_};
        // Another grip of the object may have come meanwhile.
        if (const auto found = grips_.find(id); found != grips_.end() && found->second.expired())
            grips_.erase(found);
    }
    try {
        if (link_.body().stage.load(std::memory_order_acquire) == ManagerStage::open)
            call(CallVerb::release, id, {}, {}, {}, count);
    } catch (const std::exception&) {}
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
