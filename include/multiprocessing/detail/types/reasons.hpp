#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file reasons.hpp  In words: why a type does not cross, and what to do instead.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/crossing.hpp>

#include <string_view>

namespace multiprocessing::inline v1::detail {

/// Types without structure that tells what they are, known by name: only words depend on it, never
/// the verdict.
struct KnownByName {
    std::string_view begin;
    std::string_view reason;
};

inline constexpr std::string_view erased_reason = "its callable is known only at run time: use a function "
                                                  "pointer, multiprocessing::partial(function, values...), or "
                                                  "a struct with operator() by its own type";
inline constexpr std::string_view bind_reason =
    "what it binds cannot be inspected: use multiprocessing::partial(function, values...), or a struct with "
    "operator() "
    "that has the values as members";
inline constexpr std::string_view maker_reason =
    "it belongs to the process that made it: make one there, or pass what it is to work on";

inline constexpr KnownByName known_by_name[] = {
    {"std::string_view", "view of a string that stays behind: use std::string"},
    {"std::basic_string_view<", "view of a string that stays behind: use std::basic_string"},
    {"std::span<", "view of elements that stay behind: use std::vector"},
    {"std::initializer_list<", "view of elements that stay behind: use std::vector"},
    {"std::reference_wrapper<",
     "reference: the object stays behind; hold the object itself, or a std::shared_ptr"},
    {"std::weak_ptr<", "weak_ptr: its object has other owners here; lock() it and hold the std::shared_ptr"},
    {"std::unique_ptr<",
     "unique_ptr to an array, or with a deleter of its own: use std::vector or std::default_delete"},
    {"std::shared_ptr<", "shared_ptr to an array: use std::vector"},
    {"std::function<", erased_reason},
    {"std::move_only_function<", erased_reason},
    {"std::_Bind<", bind_reason},
    {"std::_Bind_result<", bind_reason},
    {"std::_Bind_front<", bind_reason},
    {"std::_Bind_back<", bind_reason},
    {"std::_Mem_fn<",
     "function object of the standard library: use a lambda without captures that calls the member"},
    {"std::_Not_fn<", "function object of the standard library: use a lambda without captures"},
    {"std::any", "its content is known only at run time: use std::variant"},
    {"std::stack<", "container adaptor: use the container that is in it"},
    {"std::queue<", "container adaptor: use the container that is in it"},
    {"std::priority_queue<", "container adaptor: use the container that is in it"},
    {"std::mutex", "neither copyable nor movable, and a lock of one process: use multiprocessing::Lock"},
    {"std::recursive_mutex",
     "neither copyable nor movable, and a lock of one process: use multiprocessing::RLock"},
    {"std::timed_mutex", "neither copyable nor movable, and a lock of one process: use multiprocessing::Lock"},
    {"std::shared_mutex", "neither copyable nor movable, and a lock of one process: use multiprocessing::Lock"},
    {"std::unique_lock<", "lock of one process: use multiprocessing::Lock"},
    {"std::condition_variable",
     "neither copyable nor movable, and of one process: use multiprocessing::Condition"},
    {"std::atomic", "neither copyable nor movable, and of one process: use multiprocessing::Value"},
    {"std::thread", "thread of one process"},
    {"std::jthread", "thread of one process"},
    {"std::future<", "its result arrives in one process: send the result itself"},
    {"std::promise<", "its result arrives in one process: send the result itself"},
    {"std::__exception_ptr::exception_ptr",
     "what it points to is known only at run time: let the function throw, that crosses"},
    {"std::valarray<", "no container: use std::vector"},
    {"std::basic_regex<", "made at run time: send its text"},
    {"std::basic_", "stream: send its text, or the path to open it by"},
    {"multiprocessing::futures::Future<", "result of this process: send what its result() gives"},
    {"multiprocessing::AsyncResult<", "result of this process: send what its get() gives"},
    {"multiprocessing::", maker_reason},
};

inline constexpr std::string_view lambda_reason = "lambda with captures (or a capture-default [&]/[=]): "
                                                  "captures cannot be inspected; pass them as arguments, fix "
                                                  "them by multiprocessing::partial(function, values...), or "
                                                  "write a struct with operator() that has them as members";

inline constexpr std::string_view hook_advice =
    "give it template <class Archive> void serialize(Archive& ar) { ar(member, ...); }";

/// Why a type of that (readable) name does not cross: `reason`, then `advice`.
struct Words {
    std::string_view reason;
    std::string_view advice = {};
};

// Not string_view::find(): with -fsanitize=undefined g++ 12 cannot evaluate it at compile time.
constexpr bool mentions(std::string_view text, std::string_view word) {
    for (; !text.empty(); text.remove_prefix(1)) {
        if (text.starts_with(word)) return true;
    }
    return false;
}

constexpr Words words_for(Refusal refusal, std::string_view name) {
    switch (refusal) {
    case Refusal::none: return {};
    case Refusal::reference:
        return {"reference: the object stays behind; hold the object itself, or a std::shared_ptr"};
    case Refusal::constant:
        return {"const, or a reference to const: it could not be set on the other side; leave out the const"};
    case Refusal::is_volatile: return {"volatile: leave that out"};
    case Refusal::function: return {"a function itself: use a pointer to it, &f"};
    case Refusal::nothing_to_hold: return {"there are no values of this type"};
    case Refusal::incomplete: return {"incomplete here: include its definition before"};
    case Refusal::pointer:
        return {"raw pointer: an address means nothing in another process; use the object itself, "
                "std::unique_ptr or std::shared_ptr"};
    case Refusal::c_string: return {"C string pointer: use std::string"};
    case Refusal::member_pointer:
        return {"pointer to member: use a lambda without captures, or a functor, that calls it"};
    case Refusal::is_union: return {"union: which member is active is not known; use std::variant"};
    case Refusal::abstract: return {"abstract: there are no objects of this class itself"};
    case Refusal::handle:
        return {"shared handle: may only be passed to a child process or task as an argument"};
    case Refusal::owned_handle:
        return {"it belongs to one process: move it to a Process, to an initializer, or over a Connection"};
    case Refusal::inherited_hook:
        return {"its serialize() or save() is inherited, and does not know of the members that it adds: ",
                hook_advice};
    case Refusal::hook_needs_default_constructor:
        return {"its hook needs a default constructor, which may be private if it has friend struct "
                "multiprocessing::access; or save() and a static load() that returns it"};
    case Refusal::const_hook:
        return {
            "its hook serialize(Archive&) or load(Archive&) is const, so it cannot set the members where they "
            "arrive: leave out the const behind its parameters"};
    case Refusal::polymorphic_pointee:
        return {"pointer to a polymorphic class: only the base would cross; use std::variant of the derived "
                "classes"};
    case Refusal::stateful_parameter:
        return {"its comparison or hash has a state, which would be lost: use a stateless functor"};
    case Refusal::adds_to_container:
        return {"derived from a container, its own members would be lost: ", hook_advice};
    case Refusal::not_empty_constructible:
        return {"aggregate with a reference, or with a member that has no default constructor: ", hook_advice};
    case Refusal::base: return {"aggregate with a base class: ", hook_advice};
    case Refusal::too_many_fields: return {"aggregate of more than 64 members: group them, or ", hook_advice};
    case Refusal::uncounted_field:
        return {"aggregate with a reference, or with a member that {} does not initialise: ", hook_advice};
    case Refusal::anonymous_field:
        return {"aggregate with an anonymous union or struct, which cannot be taken apart: ", hook_advice};
    case Refusal::bit_field: return {"aggregate with a bit-field: ", hook_advice};
    case Refusal::no_type: return {"no type was given: say what it holds, as in mp::Queue<int> q"};
    case Refusal::immovable:
    case Refusal::no_hook: break;
    }
    for (const auto& known : known_by_name) {
        if (name.starts_with(known.begin)) return {known.reason};
    }
    if (refusal == Refusal::immovable) return {"neither copyable nor movable"};
    if (mentions(name, "<lambda(") || mentions(name, "(lambda at")) return {lambda_reason};
    if (name.starts_with("std::")) return {"this class of the standard library is not among those that cross"};
    return {"class with private members or constructors: ", hook_advice};
}

} // namespace multiprocessing::inline v1::detail
