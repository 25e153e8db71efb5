#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file client.hpp  A process that calls a manager's server: its calls, and its references of
/// objects there.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/client_channels.hpp>
#include <multiprocessing/detail/managers/client_drops.hpp>
#include <multiprocessing/detail/managers/layout.hpp>
#include <multiprocessing/detail/managers/message.hpp>
#include <multiprocessing/detail/of_this_copy.hpp>
#include <multiprocessing/detail/process_wide.hpp>
#include <multiprocessing/detail/shared_object/shared_object.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>

namespace multiprocessing::inline v1::detail {

class ManagerGrip;

/// This process as a client of one manager: its calls, and its references of objects there.
class ManagerClient : public std::enable_shared_from_this<ManagerClient> {
public:
    explicit ManagerClient(ManagerLink link) : channels_(std::move(link)) {}
    ManagerClient(const ManagerClient&) = delete;
    ManagerClient& operator=(const ManagerClient&) = delete;

    const ManagerLink& link() const noexcept { return channels_.link(); }
    bool is_here() const noexcept { return channels_.is_here(); }

    /// Has the server carry out a request. `references` in it must be of the same server. Throws
    /// ProcessError after shutdown(), EOFError where the server was lost.
    ManagerAnswer call(CallVerb verb, ManagedId object, const ThunkAddress& entry,
                       std::span<const std::byte> payload, const ProxyTargets& references);

    /// This process's reference of an object that `brought` came with, or that it is to be had of.
    /// Throws `std::logic_error` if the object is gone.
    std::shared_ptr<ManagerGrip> grip_of_answer(ManagedId id);
    std::shared_ptr<ManagerGrip> retain(ManagedId id);
    /// The same, kept as long as this process is a client: for a copy whose original has the proxy.
    ManagerGrip& retain_for_copy(ManagedId id);
    void release(ManagedId id, std::uint64_t count) noexcept;
    /// Asks the server to end, and does not wait: it may be stopped. Returns whether it was asked.
    bool ask_to_end();

private:
    ClientChannels channels_;
    ClientDrops drops_{channels_};
    Mutex mutex_; // guards what follows
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

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/parking/recovering_lock.hpp>
#include <multiprocessing/exceptions.hpp>

#include <atomic>
#include <cstring>
#include <mutex>
#include <new>
#include <stdexcept>
#include <vector>

namespace multiprocessing::inline v1::detail {

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

MULTIPROCESSING_INLINE void ManagerGrip::export_to(HandleSink& sink) {
    client_->link().export_to(sink);
    sink.add(SharedObject::make_unused(std::make_unique<ProxyOnTheWay>(shared_from_this())));
}

MULTIPROCESSING_INLINE ManagerAnswer ManagerClient::call(CallVerb verb, ManagedId object,
                                                         const ThunkAddress& entry,
                                                         std::span<const std::byte> payload,
                                                         const ProxyTargets& references) {
    channels_.require_open();
    std::vector<ManagedId> ids;
    for (const auto& reference : references) {
        const auto* const grip = dynamic_cast<const ManagerGrip*>(reference.get());
        if (!grip || !grip->is_of(*this)) {
            throw std::invalid_argument("multiprocessing: a proxy of another manager was given to this one, "
                                        "which cannot call it: give a copy() of its contents");
        }
        ids.push_back(reference->id());
    }
    const RequestHeader header{
        verb, static_cast<std::uint32_t>(ids.size()), object, payload.size(), entry, this_thread()};
    const ScopeExit take_drops_along{[&] { drops_.send_rest(); }};
    const std::uint32_t index = channels_.take(verb != CallVerb::invoke && verb != CallVerb::create);
    const CallChannel& channel = link().body().channels[index];
    const ScopeExit back{[&] { channels_.give_back(index); }};
    channels_.send(index, {std::as_bytes(std::span{&header, 1}), payload, std::as_bytes(std::span{ids})});
    const std::uint32_t count = channel.references;
    ManagerAnswer answer;
    answer.failed = channel.failed != 0;
    answer.payload = channels_.receive(index);
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

MULTIPROCESSING_INLINE bool ManagerClient::ask_to_end() {
    const ManagerStage stage = link().body().stage.load(std::memory_order_acquire);
    if (stage != ManagerStage::open) return stage >= ManagerStage::closing;
    const RequestHeader header{CallVerb::shut_down, 0, 0, 0, {}, this_thread()};
    const auto index = channels_.try_take();
    if (!index) return false;
    channels_.fill(*index, {std::as_bytes(std::span{&header, 1})});
    channels_.mark_asked(*index, Piece::notice);
    channels_.post_call(*index);
    link().body().help.fetch_add(1, std::memory_order_seq_cst); // the leader may be in a long call
    post(link().parking(), link().body().help_place);
    return true;
}

MULTIPROCESSING_INLINE std::shared_ptr<ManagerGrip> ManagerClient::grip_of_answer(ManagedId id) {
    std::lock_guard lock{mutex_};
    std::weak_ptr<ManagerGrip>& known = grips_[id];
    if (auto grip = known.lock()) {
        grip->owe();
        return grip;
    }
    drops_.expect();
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
        throw std::logic_error("multiprocessing: the object of a proxy is gone: the giver of a proxy keeps it "
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

/// If the server is not there any more, its count ends with this process.
MULTIPROCESSING_INLINE void ManagerClient::release(ManagedId id, std::uint64_t count) noexcept {
    {
        std::lock_guard lock{mutex_};
        // Another grip of the object may have come meanwhile.
        if (const auto found = grips_.find(id); found != grips_.end() && found->second.expired())
            grips_.erase(found);
    }
    if (link().body().stage.load(std::memory_order_acquire) == ManagerStage::open) drops_.drop(id, count);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
