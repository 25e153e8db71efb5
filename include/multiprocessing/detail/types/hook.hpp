#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file hook.hpp  How a class of the user's says what of it crosses: serialize(), or save() and
/// load().

#include <multiprocessing/detail/config.hpp>

#include <concepts>
#include <type_traits>

namespace multiprocessing::inline v1 {

namespace detail {

/// Stands for the archive while a class is asked for its hooks. It takes everything, as the body of
/// a hook that returns `auto` is compiled by the question.
template <bool Saving>
struct ProbeArchive {
    using is_saving = std::bool_constant<Saving>;
    using is_loading = std::bool_constant<!Saving>;

    template <class... Values>
    ProbeArchive& operator()(Values&&...) {
        return *this;
    }
    template <class Value>
    ProbeArchive& operator&(Value&&) {
        return *this;
    }
    template <class Value>
    ProbeArchive& operator<<(Value&&) {
        return *this;
    }
    template <class Value>
    ProbeArchive& operator>>(Value&&) {
        return *this;
    }
};

using SavingProbe = ProbeArchive<true>;
using LoadingProbe = ProbeArchive<false>;

/// Returns the class of a pointer to member.
template <class Class, class Function>
std::type_identity<Class> class_of(Function Class::*);

/// Returns whether a member function is const, given a pointer to it.
template <class Class, class... Parameter>
std::true_type is_const_member(void (Class::*)(Parameter...) const);
template <class Class, class... Parameter>
std::false_type is_const_member(void (Class::*)(Parameter...));

/// How a function of the hook is called. Those with a version are Boost.Serialization's; it is
/// always 0 here.
enum class Form { none, member, member_with_version, free, free_with_version, static_member };

/// Hooks that are functions beside the class. Calls of them stand here, where functions of the same
/// names, which nobody can call, hide whatever a program declared in no namespace before it
/// included this.
namespace free_hooks {

void serialize() = delete;
void save() = delete;
void load() = delete;

template <class Archive, class T>
constexpr Form form_of_serialize() {
    if constexpr (requires(Archive& ar, T& value) { serialize(ar, value); }) {
        return Form::free;
    } else {
        constexpr bool found = requires(Archive& ar, T& value) { serialize(ar, value, 0U); };
        return found ? Form::free_with_version : Form::none;
    }
}

template <class Archive, class T>
constexpr Form form_of_save() {
    if constexpr (requires(Archive& ar, const T& value) { save(ar, value); }) {
        return Form::free;
    } else {
        constexpr bool found = requires(Archive& ar, const T& value) { save(ar, value, 0U); };
        return found ? Form::free_with_version : Form::none;
    }
}

template <class Archive, class T>
constexpr Form form_of_load() {
    if constexpr (requires(Archive& ar, T& value) { load(ar, value); }) {
        return Form::free;
    } else {
        constexpr bool found = requires(Archive& ar, T& value) { load(ar, value, 0U); };
        return found ? Form::free_with_version : Form::none;
    }
}

template <Form form, class Archive, class T>
void call_serialize(Archive& ar, T& value) {
    if constexpr (form == Form::free) serialize(ar, value);
    if constexpr (form == Form::free_with_version) serialize(ar, value, 0U);
}

template <Form form, class Archive, class T>
void call_save(Archive& ar, const T& value) {
    if constexpr (form == Form::free) save(ar, value);
    if constexpr (form == Form::free_with_version) save(ar, value, 0U);
}

template <Form form, class Archive, class T>
void call_load(Archive& ar, T& value) {
    if constexpr (form == Form::free) load(ar, value);
    if constexpr (form == Form::free_with_version) load(ar, value, 0U);
}

} // namespace free_hooks

} // namespace detail

/// Befriended by a class whose serialize() (or save(), load(), default constructor) is private:
/// `friend struct multiprocessing::access;`. Its members are the library's own business.
struct access {
    template <class Archive, class T>
    static constexpr detail::Form form_of_serialize() {
        if constexpr (requires(Archive& ar, T& value) { value.serialize(ar); }) {
            return detail::Form::member;
        } else if constexpr (requires(Archive& ar, T& value) { value.serialize(ar, 0U); }) {
            return detail::Form::member_with_version;
        } else {
            return detail::free_hooks::form_of_serialize<Archive, T>();
        }
    }

    template <class Archive, class T>
    static constexpr detail::Form form_of_save() {
        if constexpr (requires(Archive& ar, const T& value) { value.save(ar); }) {
            return detail::Form::member;
        } else if constexpr (requires(Archive& ar, const T& value) { value.save(ar, 0U); }) {
            return detail::Form::member_with_version;
        } else {
            return detail::free_hooks::form_of_save<Archive, T>();
        }
    }

    template <class Archive, class T>
    static constexpr detail::Form form_of_load() {
        if constexpr (requires(Archive& ar) {
                          { T::load(ar) } -> std::same_as<T>;
                      }) {
            return detail::Form::static_member;
        } else if constexpr (requires(Archive& ar, T& value) { value.load(ar); }) {
            return detail::Form::member;
        } else if constexpr (requires(Archive& ar, T& value) { value.load(ar, 0U); }) {
            return detail::Form::member_with_version;
        } else {
            return detail::free_hooks::form_of_load<Archive, T>();
        }
    }

    template <detail::Form form, class Archive, class T>
    static void call_serialize(Archive& ar, T& value) {
        if constexpr (form == detail::Form::member) {
            value.serialize(ar);
        } else if constexpr (form == detail::Form::member_with_version) {
            value.serialize(ar, 0U);
        } else {
            detail::free_hooks::call_serialize<form>(ar, value);
        }
    }

    template <detail::Form form, class Archive, class T>
    static void call_save(Archive& ar, const T& value) {
        if constexpr (form == detail::Form::member) {
            value.save(ar);
        } else if constexpr (form == detail::Form::member_with_version) {
            value.save(ar, 0U);
        } else {
            detail::free_hooks::call_save<form>(ar, value);
        }
    }

    template <detail::Form form, class Archive, class T>
    static void call_load(Archive& ar, T& value) {
        if constexpr (form == detail::Form::member) {
            value.load(ar);
        } else if constexpr (form == detail::Form::member_with_version) {
            value.load(ar, 0U);
        } else {
            detail::free_hooks::call_load<form>(ar, value);
        }
    }

    template <class T, class Archive>
    static T load_new(Archive& ar) {
        return T::load(ar);
    }

    template <class T>
    static constexpr bool can_make() {
        return requires { T(); };
    }

    template <class T>
    static T make() {
        return T();
    }

    /// Returns whether the member that is to set the members of a T, load() or serialize(), is
    /// const.
    template <class T>
    static constexpr bool is_hook_const() {
        if constexpr (requires { detail::is_const_member(&T::template load<detail::LoadingProbe>); }) {
            return decltype(detail::is_const_member(&T::template load<detail::LoadingProbe>))::value;
        } else if constexpr (requires {
                                 detail::is_const_member(&T::template serialize<detail::LoadingProbe>);
                             }) {
            return decltype(detail::is_const_member(&T::template serialize<detail::LoadingProbe>))::value;
        } else {
            return false;
        }
    }

    /// Returns the class that declares the member serialize() of T, or else save(); void if that is
    /// not one template.
    template <class T>
    static constexpr auto declarer_of_hook() {
        // Not evaluated: that would compile the hook's body for the probe.
        if constexpr (requires { detail::class_of(&T::template serialize<detail::SavingProbe>); }) {
            return decltype(detail::class_of(&T::template serialize<detail::SavingProbe>)){};
        } else if constexpr (requires { detail::class_of(&T::template save<detail::SavingProbe>); }) {
            return decltype(detail::class_of(&T::template save<detail::SavingProbe>)){};
        } else {
            return std::type_identity<void>{};
        }
    }
};

namespace detail {

/// The hooks of T, all `none` if it has none. A pair of save and load goes before serialize: where
/// there are all three, as under BOOST_SERIALIZATION_SPLIT_MEMBER, serialize only calls the others.
struct Hooks {
    Form serialize = Form::none;
    Form save = Form::none;
    Form load = Form::none;

    constexpr bool any() const { return serialize != Form::none || save != Form::none; }
};

template <class T>
constexpr Hooks find_hooks() {
    constexpr Form save = access::form_of_save<SavingProbe, T>();
    if constexpr (save != Form::none) {
        constexpr Form load = access::form_of_load<LoadingProbe, T>();
        if constexpr (load != Form::none) return {Form::none, save, load};
    }
    constexpr Form serialize = access::form_of_serialize<SavingProbe, T>();
    if constexpr (serialize != Form::none && serialize == access::form_of_serialize<LoadingProbe, T>()) {
        return {serialize, Form::none, Form::none};
    }
    return {};
}

template <class T>
inline constexpr Hooks hooks_of = find_hooks<T>();

template <class Class, class T>
inline constexpr bool is_made_for = false;
template <template <class...> class Base, class... Argument, class T>
inline constexpr bool is_made_for<Base<Argument...>, T> = (std::is_same_v<Argument, T> || ...);

/// Returns whether T inherits its member hook from a class that is smaller, and so cannot know of
/// all of T's members. A base that has T as its argument may well know of them.
template <class T>
constexpr bool inherits_hook() {
    using Declarer = typename decltype(access::declarer_of_hook<T>())::type;
    if constexpr (std::is_void_v<Declarer> || std::is_same_v<Declarer, T> || is_made_for<Declarer, T>) {
        return false;
    } else {
        return sizeof(Declarer) != sizeof(T);
    }
}

} // namespace detail

} // namespace multiprocessing::inline v1
