#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file explain.hpp  One short error of the compiler that names the member at fault.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/aggregate_probe.hpp>
#include <multiprocessing/detail/types/crossing.hpp>
#include <multiprocessing/detail/types/fixed_text.hpp>
#include <multiprocessing/detail/types/reasons.hpp>
#include <multiprocessing/detail/types/reflection.hpp>
#include <multiprocessing/detail/types/type_name.hpp>

#include <cstddef>
#include <string_view>
#include <utility>

// Nothing of this is instantiated while all types cross.
namespace multiprocessing::inline v1::detail {

#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-var-template"
#pragma clang diagnostic ignored "-Wundefined-internal"
#endif

/// An object that exists only in the compiler's mind: the name of its field's address contains the
/// field's name.
template <class T>
struct GhostBox {
    T value;
};
template <class T>
extern const GhostBox<T> ghost_of;

template <class Field>
struct FieldAddress {
    const Field* address;
};

template <std::size_t Index>
struct AddressOfField {
    template <class... Field>
    constexpr auto operator()(const Field&... field) const {
        return pick<0>(field...);
    }

private:
    template <std::size_t At, class First, class... Rest>
    static constexpr auto pick(const First& first, const Rest&... rest) {
        if constexpr (At == Index) {
            return FieldAddress<First>{&first};
        } else {
            return pick<At + 1>(rest...);
        }
    }
};

template <auto Address>
constexpr auto signature_with_address() {
#if defined(_MSC_VER) && !defined(__clang__)
    return std::string_view{__FUNCSIG__};
#else
    return std::string_view{__PRETTY_FUNCTION__};
#endif
}

/// Returns the name of a field: what stands after the last '.' or ':' in "...{(&
/// ghost_of<Job>.GhostBox<Job>::value.Job::at)}". Empty where the compiler has no address to name:
/// of a reference.
template <class T, std::size_t Count, std::size_t Index>
constexpr std::string_view field_name() {
    using All = Members<Count>;
    if constexpr (requires {
                      signature_with_address<All::apply(ghost_of<T>.value, AddressOfField<Index>{})>();
                  }) {
        constexpr std::string_view all =
            signature_with_address<All::apply(ghost_of<T>.value, AddressOfField<Index>{})>();
        constexpr std::string_view address = all.substr(0, all.find_last_not_of(")} ", all.rfind('}')) + 1);
        return address.substr(address.find_last_of(".:") + 1);
    } else {
        return {};
    }
}

#if defined(__clang__)
#pragma clang diagnostic pop
#endif

/// "field 2 'at' of Job: " and its kin: how `Part` number `Index`, of a type of that many parts,
/// belongs to T.
template <class T, std::size_t Count, std::size_t Index>
constexpr void say_step(TextBuilder& text) {
    constexpr Kind K = kind_of<T>;
    if constexpr (K == Kind::aggregate) {
        text.add("field ").add(Index);
        constexpr std::string_view name = field_name<T, Count, Index>();
        if (!name.empty()) text.add(" '").add(name).add("'");
    } else if constexpr (K == Kind::tuple) {
        text.add("element ").add(Index);
    } else if constexpr (K == Kind::partial) {
        text.add(Index == 0 ? "function" : "fixed argument");
    } else if constexpr (K == Kind::variant) {
        text.add("alternative ").add(Index);
    } else if constexpr (K == Kind::container && Count == 2) {
        text.add(Index == 0 ? "key" : "value");
    } else if constexpr (K == Kind::container || K == Kind::array) {
        text.add("element");
    } else if constexpr (K == Kind::unique || K == Kind::shared) {
        text.add("pointee");
    } else {
        text.add("value");
    }
    text.add(" of ").add(type_name<T>()).add(": ");
}

template <class T, Crossing C, class... Around>
constexpr void say_why(TextBuilder& text);

/// Walks to the first part at fault; false if there is none.
template <class T, Crossing C, class... Around, class... Part, std::size_t... Index>
constexpr bool say_why_of_parts(TextBuilder& text, Types<Part...>, std::index_sequence<Index...>) {
    bool said = false;
    [[maybe_unused]] const auto look = [&]<class Each, std::size_t At>() {
        if constexpr (!can_cross_within<Each, C, Around..., T>()) {
            if (said) return;
            said = true;
            say_step<T, sizeof...(Part), At>(text);
            say_why<Each, C, Around..., T>(text);
        }
    };
    (look.template operator()<Part, Index>(), ...);
    return said;
}

template <class T, Crossing C, class... Around>
constexpr bool say_why_of_probed_fields(TextBuilder& text) {
    constexpr std::size_t count = probed_field_count<T>();
    if constexpr (count > 0 && !has_bit_field<T, count>()) {
        return detail::say_why_of_parts<T, C, Around...>(text, FieldTypes<T, count>{},
                                                         std::make_index_sequence<count>{});
    } else {
        return false;
    }
}

template <class T, Crossing C, class... Around>
constexpr void say_why(TextBuilder& text) {
    constexpr Refusal refusal = refusal_of<T, C>;
    if constexpr (refusal == Refusal::none || refusal == Refusal::immovable) {
        if constexpr (kind_of<T> != Kind::none) {
            constexpr auto indexes = std::make_index_sequence<Parts<T>::count>{};
            if (detail::say_why_of_parts<T, C, Around...>(text, Parts<T>{}, indexes)) return;
        }
    } else if constexpr (refusal == Refusal::not_empty_constructible || refusal == Refusal::uncounted_field) {
        if (say_why_of_probed_fields<T, C, Around...>(text)) return;
    }
    constexpr Words words = words_for(refusal, type_name<T>());
    text.add(type_name<T>()).add(" cannot cross a process boundary (");
    text.add(words.reason).add(words.advice).add(")");
}

template <class T, Crossing C>
constexpr TextBuilder build_why() {
    TextBuilder text;
    say_why<T, C>(text);
    return text;
}

/// Returns a text that `Build` makes, `constexpr TextBuilder operator()() const`, with no room to
/// spare.
template <class Build>
constexpr auto fixed_text_of(Build) {
    constexpr TextBuilder text = Build{}();
    return text.template fixed<text.size()>();
}

/// "field 2 'at' of Job: ... cannot cross a process boundary (...)".
template <class T, Crossing C>
inline constexpr auto why_not = detail::fixed_text_of([] { return build_why<T, C>(); });

// How to make each compiler print a text that it computed, whole, and little else.
#if defined(__cpp_static_assert) && __cpp_static_assert >= 202306L
template <FixedText Why>
struct WhyNot {
    static constexpr std::size_t size() { return Why.view().size(); }
    static constexpr const char* data() { return Why.text; }
};
template <FixedText Why>
constexpr void refuse() {
    static_assert(Why.empty(), WhyNot<Why>{});
}
#elif defined(__clang__)
// clang shortens the text everywhere but in the note that begins with "because".
template <FixedText Why>
    requires(Why.empty())
constexpr void refuse() {}
#else
// g++ prints it whole in "use of deleted function".
/// A compile error that says `Why`. A caller does nothing else in that case, as a second error
/// would bury the first: `if constexpr (!can_cross<T, C>()) refuse<why_not<T, C>>(); else ...`. The
/// call stands in the body of the public function, so that the compiler shows the user's line next.
template <FixedText Why>
void refuse() = delete;
#endif

/// The same, where T does not cross.
template <class T, Crossing C>
constexpr void require_crossing() {
    if constexpr (!can_cross<T, C>()) refuse<why_not<T, C>>();
}

} // namespace multiprocessing::inline v1::detail
