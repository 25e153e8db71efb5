#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file value_body.hpp  A managed Value and Array, in the server.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/compound.hpp>
#include <multiprocessing/detail/managers/bodies/list_body.hpp>
#include <multiprocessing/detail/managers/message.hpp>

#include <memory>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// A lock that goes with a value, made when a client asks for it.
class BodyWithLock {
public:
    template <class LockProxy>
    LockProxy get_lock() {
        if (!lock_) lock_ = make_lock();
        ManagedReadContext source{{lock_}};
        return LockProxy::import_from(source);
    }

private:
    static std::shared_ptr<ProxyTarget> make_lock();

    std::shared_ptr<ProxyTarget> lock_;
};

template <class T>
class ValueBody : public BodyWithLock {
public:
    using multiprocessing_brief = void;

    explicit ValueBody(T value) : value_(std::move(value)) {}

    T get() const { return value_; }
    void set(T value) { value_ = std::move(value); }
    template <Compound Operation, class Operand>
    T compound(const Operand& operand) {
        apply_compound<Operation>(value_, operand);
        return value_;
    }
    template <class F, class... A>
    auto update_with(F function, A... arguments) {
        return function(value_, std::move(arguments)...);
    }

private:
    T value_;
};

template <class T>
class ArrayBody : public ListBody<T>, public BodyWithLock {
public:
    using ListBody<T>::ListBody;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/managers/bodies/monitor_body.hpp>
#include <multiprocessing/detail/managers/local_target.hpp>
#include <multiprocessing/detail/managers/server.hpp>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::shared_ptr<ProxyTarget> BodyWithLock::make_lock() {
    return std::make_shared<LocalTarget>(
        ManagerServer::current()->add(std::make_shared<MonitorBody>(true), managed_type<MonitorBody>));
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
