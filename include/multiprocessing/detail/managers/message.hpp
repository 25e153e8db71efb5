#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file message.hpp  What a request to a manager's server and its answer consist of, and how
/// proxies travel in them.

#include <multiprocessing/detail/archive/message_context.hpp>
#include <multiprocessing/detail/code/thunk.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/thread.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// An object in a server, for its manager: counted up, never used again.
using ManagedId = std::uint64_t;

enum class CallVerb : std::uint32_t {
    invoke,    ///< A method of the object.
    give_back, ///< The same, of one that never waits: see `gives_back`.
    create,    ///< A new object; the answer names it.
    retain,    ///< One more reference of this client; fails where the object is gone.
    release,   ///< References less: the payload is of ReleasedReference.
    count,     ///< How many objects there are.
    shut_down  ///< The server ends.
};

/// Part of a `release`.
struct ReleasedReference {
    ManagedId object;
    std::uint64_t count;
};

/// How a request begins. Behind it the payload, and the ids of the proxies in it.
struct RequestHeader {
    CallVerb verb;
    std::uint32_t references; ///< How many ids there are.
    ManagedId object;
    std::uint64_t payload_size;
    ThunkAddress entry;          ///< Of invoke and create: entered with a ServedCall.
    platform::ThreadName thread; ///< That asks.
};
static_assert(std::is_trivially_copyable_v<RequestHeader>);

struct ManagedType;
class ProxyTarget;
using ProxyTargets = std::vector<std::shared_ptr<ProxyTarget>>;

/// What the server has answered.
struct ManagerAnswer {
    std::vector<std::byte> payload; ///< The result, or the exception.
    bool failed = false;
    ProxyTargets references; ///< The objects that the result names.
};

/// What a proxy refers to: an object in a server, from wherever it is looked at.
class ProxyTarget {
public:
    ProxyTarget() = default;
    ProxyTarget(const ProxyTarget&) = delete;
    ProxyTarget& operator=(const ProxyTarget&) = delete;
    virtual ~ProxyTarget() = default;

    virtual ManagedId id() const noexcept = 0;
    /// What the object is, where that is known: in its server.
    virtual const ManagedType* type() const noexcept { return nullptr; }
    /// Whether the other is an object of the same server.
    virtual bool is_beside(const ProxyTarget& other) const noexcept = 0;
    /// Has the server carry out a call of this object, and waits for that.
    virtual ManagerAnswer call(CallVerb verb, const ThunkAddress& entry, std::span<const std::byte> payload,
                               const ProxyTargets& references) = 0;
    /// A proxy is passed to a process.
    virtual void export_to(HandleSink& sink) = 0;
};

struct TargetAccess {
    template <class Proxy>
    static ProxyTarget& of(const Proxy& proxy) {
        return *proxy.present();
    }
};
/// What the proxy refers to. Throws `std::logic_error` if that is nothing.
template <class Proxy>
ProxyTarget& target_of(const Proxy& proxy) {
    return TargetAccess::of(proxy);
}

/// A request or answer that is being written. Proxies in it go by id; nothing else that is shared
/// may be in it.
class ManagedWriteContext final : public WriteContext, public HandleSink {
public:
    HandleSink* handle_sink() override { return this; }
    MULTIPROCESSING_INLINE void add(std::shared_ptr<SharedObject>) override;
    bool reaches_shared_memory() const noexcept override { return false; }

    ProxyTargets references;
};

/// One that is being read.
class ManagedReadContext final : public ReadContext, public HandleSource {
public:
    /// `remote`: of a client that is no process of this tree.
    explicit ManagedReadContext(ProxyTargets references, bool remote = false)
        : references_(std::move(references)), remote_(remote) {}

    HandleSource* handle_source() override { return this; }
    bool may_hold_code() const noexcept override { return !remote_; }
    MULTIPROCESSING_INLINE LeaseEntry next() override;
    std::shared_ptr<ProxyTarget> next_proxy();

private:
    ProxyTargets references_;
    std::size_t taken_ = 0;
    bool remote_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/shared_object/leases.hpp>
#include <multiprocessing/exceptions.hpp>

#include <stdexcept>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void ManagedWriteContext::add(std::shared_ptr<SharedObject>) {
    throw std::invalid_argument(
        "multiprocessing: what is given to a manager may hold proxies of that manager, but no other "
        "shared handle: make the Lock, Queue or Value by the manager");
}

MULTIPROCESSING_INLINE std::shared_ptr<ProxyTarget> ManagedReadContext::next_proxy() {
    if (taken_ == references_.size())
        throw SerializationError("multiprocessing: a message names a proxy that did not come with it");
    return std::move(references_[taken_++]);
}

MULTIPROCESSING_INLINE LeaseEntry ManagedReadContext::next() {
    throw SerializationError("multiprocessing: a manager's message names a shared object that is no proxy");
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
