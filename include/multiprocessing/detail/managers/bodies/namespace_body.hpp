#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file namespace_body.hpp  A managed Namespace, in the server: values of any type, by name.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/shown_value.hpp>
#include <multiprocessing/detail/types/fingerprint.hpp>
#include <multiprocessing/detail/types/type_name.hpp>
#include <multiprocessing/exceptions.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Each method is one step for its clients.
class NamespaceBody {
public:
    using multiprocessing_brief = void;

    template <class T>
    void set(const std::string& name, T value) {
        attributes_[name] = {std::make_shared<T>(std::move(value)), fingerprint<T>(),
                             readable(spelled_name<T>()),
                             [](const void* held) { return shown_value(*static_cast<const T*>(held)); }};
    }
    template <class T>
    T get(const std::string& name) const {
        return value<T>(name);
    }
    template <class T, class F, class... A>
    auto update_with(const std::string& name, F function, A... arguments) {
        return function(value<T>(name), std::move(arguments)...);
    }
    bool contains(const std::string& name) const { return attributes_.count(name) != 0; }
    bool erase(const std::string& name) { return attributes_.erase(name) != 0; }
    std::vector<std::string> names() const;
    std::string text() const;

private:
    struct Attribute {
        std::shared_ptr<void> value;
        std::uint64_t type = 0;
        std::string type_name;
        std::string (*shown)(const void* value) = nullptr;
    };

    template <class T>
    T& value(const std::string& name) const {
        const auto found = attributes_.find(name);
        if (found == attributes_.end())
            throw std::out_of_range("multiprocessing: a Namespace has no attribute " + name);
        if (found->second.type != fingerprint<T>()) {
            throw SerializationError("multiprocessing: the attribute " + name + " of a Namespace is a " +
                                     found->second.type_name + ", not a " + readable(spelled_name<T>()));
        }
        return *static_cast<T*>(found->second.value.get());
    }

    std::map<std::string, Attribute> attributes_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::vector<std::string> NamespaceBody::names() const {
    std::vector<std::string> result;
    for (const auto& [name, attribute] : attributes_) result.push_back(name);
    return result;
}

MULTIPROCESSING_INLINE std::string NamespaceBody::text() const {
    return shown_items(attributes_, "Namespace(", ")", [](const auto& item) {
        return item.first + "=" + item.second.shown(item.second.value.get());
    });
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
