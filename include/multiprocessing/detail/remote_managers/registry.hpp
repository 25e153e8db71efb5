#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file registry.hpp  What a manager's server offers to remote clients: types and objects, by
/// name.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/served_object.hpp>
#include <multiprocessing/detail/remote_managers/interface.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What a program has registered, on its way to the server, which may be a process that is spawned.
struct RemoteDeclaration {
    std::string name;
    RemoteInterface (*interface)() = nullptr;
    /// Of an object: makes it, entered with a ServedCall that reads `arguments`. Null: of a type.
    void (*make)(void*) = nullptr;
    std::vector<std::byte> arguments = {};
};

/// Nothing else can be reached from elsewhere. Complete before the first client connects, and
/// constant from then on, so that threads look into it without a lock.
class RemoteRegistry {
public:
    struct Type {
        std::string name;
        RemoteInterface interface;
        std::uint32_t first_number = 0; ///< Of its constructors, then its methods.
        bool is_of_object = false;      ///< Clients make no more of them.
    };
    /// What a number stands for.
    struct Callable {
        const Type* type;
        const RemoteMethod* method;
        bool is_constructor;
    };

    /// Throws `std::invalid_argument` if the name is taken.
    void add(std::string name, RemoteInterface interface, std::shared_ptr<ServedObject> object = {});

    /// The number of a method or constructor. Throws `std::logic_error` that says whether type,
    /// member or signature is not there.
    std::uint32_t bind(const std::string& type, const std::string& member, std::uint64_t signature,
                       const std::string& text) const;
    /// Throws `std::logic_error` if the number stands for nothing.
    const Callable& at(std::uint32_t number) const;
    /// Throws `std::logic_error` if there is none of the name.
    const std::shared_ptr<ServedObject>& object(const std::string& name) const;
    /// One of the objects, by id; null if it is none.
    std::shared_ptr<ServedObject> object(ManagedId id) const;
    /// Throws as bind().
    const Type& type(const std::string& name) const;
    /// The type whose objects are of this one, where all methods are for clients of the same
    /// image; null if there is none.
    const Type* unlisted_type(const ManagedType& type) const;

    /// What weighs an object of the type; null if it has no contents that are counted.
    void (*weigh_entry(const ManagedType& type) const)(void*);

    /// Lets go of the objects.
    void clear() { objects_.clear(); }

private:
    std::map<std::string, std::unique_ptr<Type>> types_;
    std::vector<Callable> callables_;
    std::map<std::string, std::shared_ptr<ServedObject>> objects_;
};

inline void RemoteRegistry::add(std::string name, RemoteInterface interface,
                                std::shared_ptr<ServedObject> object) {
    std::unique_ptr<Type>& type = types_[name];
    if (type) {
        throw std::invalid_argument("multiprocessing: '" + name +
                                    "' is registered twice: each type and object needs a name of its own");
    }
    type = std::make_unique<Type>();
    type->name = name;
    type->interface = std::move(interface);
    type->first_number = static_cast<std::uint32_t>(callables_.size());
    type->is_of_object = object != nullptr;
    for (const RemoteMethod& method : type->interface.constructors)
        callables_.push_back({type.get(), &method, true});
    for (const RemoteMethod& method : type->interface.methods)
        callables_.push_back({type.get(), &method, false});
    if (object) objects_[std::move(name)] = std::move(object);
}

inline const RemoteRegistry::Type& RemoteRegistry::type(const std::string& name) const {
    const auto found = types_.find(name);
    if (found == types_.end())
        throw std::logic_error("multiprocessing: nothing is registered as '" + name +
                               "' in the manager's server: register it there before it starts");
    return *found->second;
}

inline std::uint32_t RemoteRegistry::bind(const std::string& name, const std::string& member,
                                          std::uint64_t signature, const std::string& text) const {
    const Type& found = type(name);
    const bool is_constructor = member.empty();
    const std::string what = is_constructor ? "a constructor of '" + name + "'" : name + "." + member;
    if (is_constructor && found.is_of_object)
        throw std::logic_error("multiprocessing: '" + name +
                               "' is one object for all clients: ask for it by object(), not create()");
    const auto& methods = is_constructor ? found.interface.constructors : found.interface.methods;
    std::string others;
    for (std::size_t i = 0; i < methods.size(); ++i) {
        if (methods[i].name != member) continue;
        const std::size_t before = is_constructor ? 0 : found.interface.constructors.size();
        if (methods[i].signature == signature)
            return found.first_number + static_cast<std::uint32_t>(before + i);
        (others += others.empty() ? "" : " or ") += methods[i].text;
    }
    if (others.empty())
        throw std::logic_error("multiprocessing: " + what +
                               " is not among what register_type() lists in the manager's server");
    throw std::logic_error("multiprocessing: " + what + " takes " + others + " in the manager's server, and " +
                           text + " here");
}

inline const RemoteRegistry::Callable& RemoteRegistry::at(std::uint32_t number) const {
    if (number >= callables_.size())
        throw std::logic_error("multiprocessing: a request to a manager names no method that it has");
    return callables_[number];
}

inline const std::shared_ptr<ServedObject>& RemoteRegistry::object(const std::string& name) const {
    const auto found = objects_.find(name);
    if (found == objects_.end())
        throw std::logic_error("multiprocessing: no object is registered as '" + name +
                               "' in the manager's server");
    return found->second;
}

inline std::shared_ptr<ServedObject> RemoteRegistry::object(ManagedId id) const {
    for (const auto& [name, object] : objects_) {
        if (object->id == id) return object;
    }
    return nullptr;
}

inline void (*RemoteRegistry::weigh_entry(const ManagedType& type) const)(void*) {
    for (const auto& [name, known] : types_) {
        if (known->interface.type == &type) return known->interface.weigh;
    }
    return nullptr;
}

inline const RemoteRegistry::Type* RemoteRegistry::unlisted_type(const ManagedType& type) const {
    for (const auto& [name, known] : types_) {
        if (known->interface.type == &type && !known->interface.is_listed) return known.get();
    }
    return nullptr;
}

} // namespace multiprocessing::inline v1::detail
