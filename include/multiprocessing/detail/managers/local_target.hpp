#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file local_target.hpp  How proxies in a manager's server refer to its objects.

#include <multiprocessing/detail/archive/message_context.hpp>
#include <multiprocessing/detail/code/thunk.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/message.hpp>
#include <multiprocessing/detail/managers/served_object.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// An object of this server, as proxies in it refer to it: those inside other objects, and those
/// among the arguments and results of calls.
class LocalTarget final : public ProxyTarget {
public:
    explicit LocalTarget(std::shared_ptr<ServedObject> served) : object(std::move(served)) {}

    ManagedId id() const noexcept override { return object->id; }
    const ManagedType* type() const noexcept override { return &object->type; }
    bool is_beside(const ProxyTarget& other) const noexcept override {
        return dynamic_cast<const LocalTarget*>(&other) != nullptr;
    }
    MULTIPROCESSING_INLINE ManagerAnswer call(CallVerb, const ThunkAddress& entry,
                                              std::span<const std::byte> payload,
                                              const ProxyTargets& references) override;
    MULTIPROCESSING_INLINE void export_to(HandleSink&) override;

    const std::shared_ptr<ServedObject> object;
};

/// What a proxy refers to that has come into the server.
template <class Proxy>
const std::shared_ptr<ServedObject>& served_object_of(const Proxy& proxy) {
    return static_cast<const LocalTarget&>(target_of(proxy)).object;
}

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <stdexcept>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE ManagerAnswer LocalTarget::call(CallVerb, const ThunkAddress& entry,
                                                       std::span<const std::byte> payload,
                                                       const ProxyTargets& references) {
    return call_in_place(object, entry, payload, references);
}

MULTIPROCESSING_INLINE void LocalTarget::export_to(HandleSink&) {
    throw std::logic_error("multiprocessing: a proxy inside a manager's server cannot be passed to a process "
                           "that is started there: let a client start the process");
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
