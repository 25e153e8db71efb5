#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file interface.hpp  Which methods of a type remote clients may call: by name and signature, so
/// that another build of the program finds them.

#include <multiprocessing/detail/archive/codec.hpp>
#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/code/thunk.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/message.hpp>
#include <multiprocessing/detail/managers/method.hpp>
#include <multiprocessing/detail/managers/served_object.hpp>
#include <multiprocessing/detail/types/crossing.hpp>
#include <multiprocessing/detail/types/explain.hpp>
#include <multiprocessing/detail/types/member_name.hpp>
#include <multiprocessing/detail/types/type_name.hpp>
#include <multiprocessing/detail/types/wire_type.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// A method, or a constructor, which has no name.
struct RemoteMethod {
    std::string name;
    std::uint64_t signature = 0;
    std::string text;               ///< The signature for people.
    void (*entry)(void*) = nullptr; ///< Entered with a ServedCall.
    ThunkAddress thunk;             ///< By which proxies name it.
    bool adds = false;              ///< What it is given may stay in the object.
};

struct RemoteInterface {
    const ManagedType* type = nullptr;
    std::uint64_t object = 0; ///< The name of the type, as a hash, as ServedThunk has it.
    /// Only what is in the lists may be called; else all, by clients of the very same image.
    bool is_listed = true;
    std::vector<RemoteMethod> methods = {};
    std::vector<RemoteMethod> constructors = {};
    /// Of an object that has contents: entered with a ServedCall, answers with their size in bytes.
    void (*weigh)(void*) = nullptr;
};

/// Answers with the size of what `Contents(object)` gives, a range, as its elements travel.
template <class T, auto Contents>
struct WeighEntry {
    static void run(ServedCall& call) {
        call.reader.finish();
        std::uint64_t size = 0;
        for (const auto& element : Contents(*static_cast<const T*>(call.object))) {
            ManagedWriteContext context;
            Writer writer{&context};
            encode(writer, element);
            size += writer.size() + overhead;
        }
        call.writer.raw(size);
    }

private:
    static constexpr std::uint64_t overhead = 32; // of a node, about
};

/// As what an argument for a parameter travels.
template <class Declared>
constexpr auto remotely_carried() {
    using Type = std::remove_cvref_t<Declared>;
    if constexpr (std::is_same_v<Type, std::string_view>) {
        return std::type_identity<std::string>{};
    } else if constexpr (can_cross<Type, Crossing::managed>()) {
        return std::type_identity<Type>{};
    } else {
        return std::type_identity<OwnCarriedType<Declared>>{};
    }
}
template <class Declared>
using RemotelyCarried = typename decltype(remotely_carried<Declared>())::type;

template <class R, class... P>
std::string text_of_call() {
    std::string text = "(";
    ((text += (text.size() == 1 ? "" : ", "), text += type_name<P>()), ...);
    text += ')';
    if constexpr (!std::is_void_v<R>) (text += " -> ") += type_name<R>();
    return text;
}

template <class T, auto Member, class List>
struct RemoteMethodOf;
template <class T, auto Member, class... Declared>
struct RemoteMethodOf<T, Member, ParameterList<Declared...>> {
    using Entry = MethodEntry<T, Member, RemotelyCarried<Declared>...>;
    using Result = typename Entry::Callable::Result;

    static RemoteMethod make(std::string name) {
        (require_crossing<RemotelyCarried<Declared>, Crossing::managed>(), ...);
        if constexpr (!std::is_void_v<Result>) require_crossing<Result, Crossing::managed>();
        return {std::move(name), wire_type_of_call<Result, RemotelyCarried<Declared>...>(),
                text_of_call<Result, RemotelyCarried<Declared>...>(), &ThunkOf<Entry, ServedCall>::enter,
                thunk_address<Entry, ServedCall>()};
    }
};

/// `managers::constructor<A...>`: a constructor in a list of methods.
template <class... A>
struct ConstructorMark {
    friend constexpr bool operator==(const ConstructorMark&, const ConstructorMark&) = default;
};

template <class T, class... A>
RemoteMethod make_remote_constructor(ConstructorMark<A...>) {
    (require_crossing<RemotelyCarried<A>, Crossing::managed>(), ...);
    static_assert(
        std::is_constructible_v<T, RemotelyCarried<A>...> || requires {
            T{std::declval<RemotelyCarried<A>>()...};
        }, "multiprocessing: register_type<T, constructor<A...>>: there is no such constructor of T");
    using Entry = CreateEntry<T, RemotelyCarried<A>...>;
    return {"", wire_type_of_call<void, RemotelyCarried<A>...>(), text_of_call<void, RemotelyCarried<A>...>(),
            &ThunkOf<Entry, ServedCall>::enter, thunk_address<Entry, ServedCall>()};
}

/// Puts an interface together.
template <class T>
class InterfaceOf {
public:
    InterfaceOf() {
        interface_.type = &managed_type<T>;
        interface_.object = name_hash<T>;
    }

    /// A method by another name than its own, as those that are templates need.
    template <auto Member>
    InterfaceOf& add(std::string name) {
        using Callable = CallableAs<SignatureOf<Member>>;
        interface_.methods.push_back(
            RemoteMethodOf<T, Member, typename Callable::Parameters>::make(std::move(name)));
        return *this;
    }
    template <auto Member>
    InterfaceOf& add() {
        if constexpr (std::is_member_function_pointer_v<decltype(Member)>) {
            static_assert(std::is_base_of_v<std::remove_const_t<typename SignatureOf<Member>::Class>, T>,
                          "multiprocessing: register_type<T, &C::method> where T is no C");
            return add<Member>(member_name<Member>());
        } else {
            interface_.constructors.push_back(make_remote_constructor<T>(Member));
            return *this;
        }
    }
    /// What the last method is given stays in the object.
    InterfaceOf& which_adds() {
        interface_.methods.back().adds = true;
        return *this;
    }
    template <auto Contents>
    InterfaceOf& weigh() {
        interface_.weigh = &ThunkOf<WeighEntry<T, Contents>, ServedCall>::enter;
        return *this;
    }
    InterfaceOf& all() {
        interface_.is_listed = false;
        return *this;
    }
    RemoteInterface release() { return std::move(interface_); }

private:
    RemoteInterface interface_;
};

/// Of a class of the program's. `Members`: methods and constructors; none: all, for the very same
/// image.
template <class T, auto... Members>
RemoteInterface interface_of() {
    InterfaceOf<T> interface;
    (interface.template add<Members>(), ...);
    if constexpr (sizeof...(Members) == 0) {
        interface.all();
    } else if constexpr (std::is_default_constructible_v<T> &&
                         (std::is_member_function_pointer_v<decltype(Members)> && ...)) {
        interface.template add<ConstructorMark<>{}>(); // the list says nothing of constructors
    }
    return interface.release();
}

} // namespace multiprocessing::inline v1::detail
