#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file proxy_base.hpp  What every proxy of an object in a manager's server has in common.

#include <multiprocessing/detail/archive/message_context.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/client.hpp>
#include <multiprocessing/detail/managers/message.hpp>
#include <multiprocessing/detail/managers/method.hpp>
#include <multiprocessing/detail/managers/served_object.hpp>
#include <multiprocessing/exceptions.hpp>

#include <iosfwd>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// A reference of an object in a server, on its way into a proxy.
struct ReceivedProxy {
    std::shared_ptr<ProxyTarget> target;
};

/// What a proxy and its object are called in Python.
struct ProxyNames {
    std::string proxy;
    std::string type;
};

/// `hex` of a number.
MULTIPROCESSING_INLINE std::string shown_number(ManagedId id);

/// A handle of a `T` in a manager's server, as the base of the public proxies. Copies refer to the
/// same object, which lives as long as any proxy of it, in whichever process or managed object.
template <class Derived, class T>
class ProxyBase {
public:
    using multiprocessing_handle = void;  // Spawnable, but not Serializable
    using multiprocessing_managed = void; // but for what goes to the manager that it is of

    void export_to(HandleSink& sink) const {
        if (auto* const managed = dynamic_cast<ManagedWriteContext*>(&sink)) {
            managed->references.push_back(present());
        } else {
            present()->export_to(sink);
        }
    }
    static Derived import_from(HandleSource& source) {
        auto* const managed = dynamic_cast<ManagedReadContext*>(&source);
        if (!managed) return Derived(ReceivedProxy{ProxyOnTheWay::import_from(source)});
        auto target = managed->next_proxy();
        // The id may come from somebody who forges it, and calls go by what the proxy is of.
        if (const ManagedType* const type = target->type(); type && type != &managed_type<T>)
            throw SerializationError(
                "multiprocessing: a message names an object of another type than its proxy");
        return Derived(ReceivedProxy{std::move(target)});
    }

    /// Returns which object this is a proxy of: `<DictProxy object, typeid 'dict' at 0x2>`. `<<`
    /// shows what the object is, as far as that can be shown. Python: `repr(proxy)`, `str(proxy)`.
    std::string repr() const {
        const auto [proxy, type] = Derived::python_names();
        if (!target_) return "<" + proxy + " object of nothing>";
        return "<" + proxy + " object, typeid '" + type + "' at " + place() + ">";
    }
    template <class Traits>
    friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out,
                                                        const Derived& proxy) {
        return out << proxy.str();
    }

    /// Whether both are proxies of one object. Python: `is` of the referents.
    friend bool operator==(const Derived& a, const Derived& b) {
        const ProxyBase& one = a;
        const ProxyBase& other = b;
        return one.target_ == other.target_ ||
               (one.target_ && other.target_ && one.target_->id() == other.target_->id() &&
                one.target_->is_beside(*other.target_));
    }

protected:
    ProxyBase() = default;
    explicit ProxyBase(ReceivedProxy received) : target_(std::move(received.target)) {}

    template <auto Method, class... Argument>
    auto invoke(Argument&&... argument) const {
        return call_method<T, Method>(*present(), std::forward<Argument>(argument)...);
    }

    /// What stands for the address of the object: its number.
    std::string place() const { return shown_number(present()->id()); }

    /// A member of the object, see part_of_object().
    template <auto Method, class... Argument>
    std::shared_ptr<ProxyTarget> part(Argument&&... argument) const {
        return part_of_object<T, Method>(*present(), std::forward<Argument>(argument)...);
    }
    const std::shared_ptr<ProxyTarget>& present() const {
        if (!target_) [[unlikely]]
            throw std::logic_error(
                "multiprocessing: this proxy refers to nothing: assign one to it that a manager made");
        return target_;
    }

private:
    friend TargetAccess;

    std::shared_ptr<ProxyTarget> target_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <cstdio>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::string shown_number(ManagedId id) {
    char text[32];
    std::snprintf(text, sizeof text, "%#llx", static_cast<unsigned long long>(id));
    return text;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
