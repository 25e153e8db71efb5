#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file method.hpp  A method of an object in a manager's server: how a call of it is written here,
/// and carried out there.

#include <multiprocessing/detail/archive/codec.hpp>
#include <multiprocessing/detail/archive/reader.hpp>
#include <multiprocessing/detail/archive/writer.hpp>
#include <multiprocessing/detail/call/argument.hpp>
#include <multiprocessing/detail/call/refused.hpp>
#include <multiprocessing/detail/code/thunk.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/remote_exception.hpp>
#include <multiprocessing/detail/managers/local_target.hpp>
#include <multiprocessing/detail/managers/message.hpp>
#include <multiprocessing/detail/managers/served_object.hpp>
#include <multiprocessing/detail/managers/server.hpp>
#include <multiprocessing/detail/types/crossing.hpp>
#include <multiprocessing/detail/types/explain.hpp>
#include <multiprocessing/reduction.hpp>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// What a member function is declared as.
template <class C, class R, class... P>
struct Signature {
    using Class = C;
    using Result = R;
    using Parameters = ParameterList<P...>;
};
template <class C, class R, class... P>
Signature<C, R, P...> signature_of(R (C::*)(P...));
template <class C, class R, class... P>
Signature<const C, R, P...> signature_of(R (C::*)(P...) const);
template <class C, class R, class... P>
Signature<C, R, P...> signature_of(R (C::*)(P...) &);
template <class C, class R, class... P>
Signature<const C, R, P...> signature_of(R (C::*)(P...) const&);
template <auto Method>
using SignatureOf = decltype(signature_of(Method));

/// How clients see it: a method that answers later takes what it answers by as its first parameter.
template <class Signature>
struct CallableAs;
template <class C, class R, class... P>
struct CallableAs<Signature<C, R, P...>> {
    using Result = std::remove_cvref_t<R>;
    using Parameters = ParameterList<P...>;
    static constexpr bool defers = false;
};
template <class C, class R, class Later, class... P>
struct CallableAs<Signature<C, R, Deferred<Later>, P...>> {
    using Result = Later;
    using Parameters = ParameterList<P...>;
    static constexpr bool defers = true;
};

/// Carries out `(object.*Method)(arguments...)` in the server.
template <class T, auto Method, class... Carried>
struct MethodEntry {
    using RemotelyCallable = T;
    using Callable = CallableAs<SignatureOf<Method>>;

    static void run(ServedCall& call) {
        std::tuple<Carried...> arguments{decode<Carried>(call.reader)...}; // braces: in order
        call.reader.finish();
        invoke(call, *static_cast<T*>(call.object), arguments, std::index_sequence_for<Carried...>{});
    }

private:
    template <std::size_t... Index>
    static void invoke(ServedCall& call, T& object, [[maybe_unused]] std::tuple<Carried...>& arguments,
                       std::index_sequence<Index...>) {
        using Parameters = typename Callable::Parameters;
        if constexpr (Callable::defers) {
            if (call.origin.number == 0) {
                throw std::logic_error(
                    "multiprocessing: code in a manager's server waits for an object of that "
                    "server, which would hold up its clients: wait in a client");
            }
            call.deferred = true;
            try {
                call.look_at = (object.*Method)(
                    Deferred<typename Callable::Result>(call),
                    pass_on<typename Parameters::template At<Index>>(std::get<Index>(arguments))...);
            } catch (...) {
                call.deferred = false;
                throw;
            }
        } else if constexpr (std::is_void_v<typename Callable::Result>) {
            (object.*Method)(pass_on<typename Parameters::template At<Index>>(std::get<Index>(arguments))...);
        } else {
            encode<typename Callable::Result>(call.writer,
                                              (object.*Method)(pass_on<typename Parameters::template At<Index>>(
                                                  std::get<Index>(arguments))...));
        }
    }
};

/// The parameters of `Method`, and what it refers to: an `X&` that it returns, or the data member.
template <auto Method, class = decltype(Method)>
struct PartOf;
template <auto Member, class C, class X>
    requires(!std::is_function_v<X>)
struct PartOf<Member, X C::*> {
    using Class = C;
    using Part = X;
    using Parameters = ParameterList<>;
};
template <auto Method, class C, class F>
    requires(std::is_function_v<F>)
struct PartOf<Method, F C::*> {
    using Class = std::remove_const_t<typename SignatureOf<Method>::Class>;
    using Part = std::remove_reference_t<typename SignatureOf<Method>::Result>;
    using Parameters = typename SignatureOf<Method>::Parameters;
    static_assert(std::is_lvalue_reference_v<typename SignatureOf<Method>::Result> && !std::is_const_v<Part>,
                  "multiprocessing: member<&T::method>: the method has to return a non-const reference to a "
                  "member of the object");
};

/// Throws `std::invalid_argument` if what begins at `part` is not within the object.
MULTIPROCESSING_INLINE void require_within(const void* part, std::size_t part_size, const void* object,
                                           std::size_t size);

/// Makes a member of an object one that clients refer to by itself.
template <class T, auto Method, class... Carried>
struct PartEntry {
    using Part = typename PartOf<Method>::Part;

    static void run(ServedCall& call) {
        std::tuple<Carried...> arguments{decode<Carried>(call.reader)...};
        call.reader.finish();
        T& object = *static_cast<T*>(call.object);
        Part* const part = &std::apply(
            [&](auto&... argument) -> Part& {
                if constexpr (std::is_member_object_pointer_v<decltype(Method)>) {
                    return object.*Method;
                } else {
                    return (object.*Method)(std::move(argument)...);
                }
            },
            arguments);
        require_within(part, sizeof(Part), &object, sizeof(T));
        std::shared_ptr<void> held(call.served->value, part);
        call.references.references.push_back(
            std::make_shared<LocalTarget>(call.server.add(std::move(held), managed_type<Part>, call.served)));
    }
};

/// Makes an object in the server.
template <class T, class... Carried>
struct CreateEntry {
    using RemotelyCallable = T;

    static void run(ServedCall& call) {
        std::tuple<Carried...> arguments{decode<Carried>(call.reader)...};
        call.reader.finish();
        auto value = std::apply(
            [](Carried&... argument) {
                if constexpr (requires { T::whole_of(argument...); }) {
                    return std::make_shared<T>(argument...);
                } else if constexpr (std::is_constructible_v<T, Carried...>) {
                    return std::make_shared<T>(std::move(argument)...);
                } else {
                    return std::shared_ptr<T>(new T{std::move(argument)...});
                }
            },
            arguments);
        std::shared_ptr<ServedObject> whole;
        if constexpr (requires(const Carried&... given) { T::whole_of(given...); })
            whole = std::apply([](const auto&... given) { return T::whole_of(given...); }, arguments);
        call.references.references.push_back(std::make_shared<LocalTarget>(
            call.server.add(std::move(value), managed_type<T>, std::move(whole))));
    }
};

/// What the server has answered, if it is no exception.
MULTIPROCESSING_INLINE void throw_if_failed(const ManagerAnswer& answer);

template <class Carried, class Given>
void encode_carried(Writer& writer, Given&& given) {
    if constexpr (is_written_as<Carried, Given>) {
        encode_as_given<Carried>(writer, given);
    } else {
        encode<Carried>(writer, static_cast<Carried>(std::forward<Given>(given)));
    }
}

template <class T, auto Method, class List, class... Argument>
struct MethodCall;
template <class T, auto Method, class... Declared, class... Argument>
struct MethodCall<T, Method, ParameterList<Declared...>, Argument...> {
    using Entry = MethodEntry<T, Method, CarriedType<Declared, Argument>...>;
    using Result = typename Entry::Callable::Result;

    static Result make(ProxyTarget& target, Argument&&... argument) {
        (require_crossing<CarriedType<Declared, Argument>, Crossing::managed>(), ...);
        if constexpr (!std::is_void_v<Result>) require_crossing<Result, Crossing::managed>();
        if constexpr (all_cross()) return make_checked(target, std::forward<Argument>(argument)...);
        throw std::logic_error("multiprocessing: refused by the compiler");
    }

private:
    static constexpr bool all_cross() {
        bool result = (can_cross<CarriedType<Declared, Argument>, Crossing::managed>() && ...);
        if constexpr (!std::is_void_v<Result>) result = result && can_cross<Result, Crossing::managed>();
        return result;
    }
    static Result make_checked(ProxyTarget& target, Argument&&... argument) {
        ManagedWriteContext context;
        Writer writer{&context};
        (encode_carried<CarriedType<Declared, Argument>>(writer, std::forward<Argument>(argument)), ...);
        constexpr CallVerb verb = gives_back<Method> ? CallVerb::give_back : CallVerb::invoke;
        ManagerAnswer answer =
            target.call(verb, thunk_address<Entry, ServedCall>(), writer.view(), context.references);
        throw_if_failed(answer);
        if constexpr (!std::is_void_v<Result>) {
            ManagedReadContext received{std::move(answer.references)};
            Reader reader{answer.payload, &received};
            return decode<Result>(reader);
        }
    }
};

/// Calls `Method` of the T that `target` is, there, with the arguments converted to what it takes.
template <class T, auto Method, class... Argument>
auto call_method(ProxyTarget& target, Argument&&... argument) {
    using Callable = CallableAs<SignatureOf<Method>>;
    static_assert(std::is_base_of_v<std::remove_const_t<typename SignatureOf<Method>::Class>, T>,
                  "multiprocessing: call<&C::method> of a proxy whose object is no C");
    static_assert(
        Callable::Parameters::count == sizeof...(Argument),
        "multiprocessing: the method takes another number of arguments: give all of them, as defaults "
        "are unknown here");
    if constexpr (Callable::Parameters::count == sizeof...(Argument)) {
        return MethodCall<T, Method, typename Callable::Parameters, Argument...>::make(
            target, std::forward<Argument>(argument)...);
    } else {
        return Refused{};
    }
}

/// The object that an answer names.
MULTIPROCESSING_INLINE std::shared_ptr<ProxyTarget> named_object(ManagerAnswer answer);

template <class T, auto Method, class List, class... Argument>
struct PartCall;
template <class T, auto Method, class... Declared, class... Argument>
struct PartCall<T, Method, ParameterList<Declared...>, Argument...> {
    static std::shared_ptr<ProxyTarget> make(ProxyTarget& target, Argument&&... argument) {
        (require_crossing<CarriedType<Declared, Argument>, Crossing::managed>(), ...);
        using Entry = PartEntry<T, Method, CarriedType<Declared, Argument>...>;
        ManagedWriteContext context;
        Writer writer{&context};
        (encode_carried<CarriedType<Declared, Argument>>(writer, std::forward<Argument>(argument)), ...);
        return named_object(target.call(CallVerb::invoke, thunk_address<Entry, ServedCall>(), writer.view(),
                                        context.references));
    }
};

/// The member of the T that `target` is which `Method` returns a reference to, or which it points
/// to.
template <class T, auto Method, class... Argument>
std::shared_ptr<ProxyTarget> part_of_object(ProxyTarget& target, Argument&&... argument) {
    static_assert(std::is_base_of_v<typename PartOf<Method>::Class, T>,
                  "multiprocessing: member<&C::method> of a proxy whose object is no C");
    static_assert(PartOf<Method>::Parameters::count == sizeof...(Argument),
                  "multiprocessing: the method takes another number of arguments: give all of them");
    return PartCall<T, Method, typename PartOf<Method>::Parameters, Argument...>::make(
        target, std::forward<Argument>(argument)...);
}

/// Makes a T in the server; `ask(entry, payload, references)` has it do that.
template <class T, class Ask, class... Argument>
auto create_object(const Ask& ask, Argument&&... argument) {
    static_assert(
        std::is_constructible_v<T, OwnCarriedType<Argument>...> || requires {
            T{std::declval<OwnCarriedType<Argument>>()...};
        }, "multiprocessing: create<T>(arguments...): there is no such constructor of T");
    (require_crossing<OwnCarriedType<Argument>, Crossing::managed>(), ...);
    ManagedWriteContext context;
    Writer writer{&context};
    (encode_carried<OwnCarriedType<Argument>>(writer, std::forward<Argument>(argument)), ...);
    return ask(thunk_address<CreateEntry<T, OwnCarriedType<Argument>...>, ServedCall>(), writer.view(),
               context.references);
}

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/exceptions.hpp>

#include <cstdint>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void throw_if_failed(const ManagerAnswer& answer) {
    if (answer.failed) [[unlikely]]
        throw_remote(failure_of(answer.payload));
}

MULTIPROCESSING_INLINE std::shared_ptr<ProxyTarget> named_object(ManagerAnswer answer) {
    throw_if_failed(answer);
    if (answer.references.size() != 1)
        throw SerializationError("multiprocessing: a manager's server has not named the object that it made");
    return std::move(answer.references.front());
}

MULTIPROCESSING_INLINE void require_within(const void* part, std::size_t part_size, const void* object,
                                           std::size_t size) {
    const auto begin = reinterpret_cast<std::uintptr_t>(object);
    const auto at = reinterpret_cast<std::uintptr_t>(part);
    if (at < begin || part_size > size || at - begin > size - part_size)
        throw std::invalid_argument("multiprocessing: member<&T::method>: the method returned a reference to "
                                    "what is no member of the object, and may go before it");
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
