#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file type_name.hpp  The name of a type: as the compiler spells it, and as people do.

#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace multiprocessing::inline v1::detail {

template <class T>
constexpr auto signature_with() {
#if defined(_MSC_VER) && !defined(__clang__)
    return std::string_view{__FUNCSIG__};
#else
    return std::string_view{__PRETTY_FUNCTION__};
#endif
}

/// What a signature has around the name, learnt from a type whose name is known.
struct SignatureFrame {
    static constexpr std::size_t before = signature_with<double>().find("double");
    static constexpr std::size_t after = signature_with<double>().size() - before - 6;
};

/// Returns the name as the compiler spells it: equal for equal types in one program, which is all
/// that a fingerprint needs. Two lambdas of one function have the same name under g++.
template <class T>
constexpr std::string_view spelled_name() {
    constexpr std::string_view all = signature_with<T>();
    return all.substr(SignatureFrame::before, all.size() - SignatureFrame::before - SignatureFrame::after);
}

/// Rewrites the compiler's spelling for people: without inline namespaces and arguments that are
/// defaults, with `std::string` for what it is short for. Never longer than it was; returns the new
/// length.
class NameForPeople {
public:
    constexpr NameForPeople(std::string_view spelled, char* out) : in_(spelled), out_(out) {
        while (!in_.empty()) step();
        shorten("basic_string<char>", "string");
        shorten("basic_string<wchar_t>", "wstring");
        shorten("basic_string_view<char>", "string_view");
    }

    constexpr std::size_t size() const { return size_; }

private:
    constexpr bool skip(std::string_view word) {
        if (!in_.starts_with(word)) return false;
        in_.remove_prefix(word.size());
        return true;
    }

    constexpr void put(char c) { out_[size_++] = c; }

    constexpr void step() {
        switch (in_.front()) {
        case '_':
            if (skip("__cxx11::") || skip("__debug::") || skip("_V2::") || skip("__1::")) return;
            break;
        case 'v':
            if (std::string_view{out_, size_}.ends_with("multiprocessing::") && skip("v1::")) return;
            break;
        case ' ':
            if (in_.size() > 1 && std::string_view{">*&["}.find(in_[1]) != in_.npos)
                return in_.remove_prefix(1);
            break;
        case ',':
            if (skip_default()) return;
            break;
        default: break;
        }
        put(in_.front());
        in_.remove_prefix(1);
    }

    // What follows is a template argument that nobody writes.
    constexpr bool skip_default() {
        if (!skip(", std::allocator<") && !skip(", std::char_traits<") && !skip(", std::default_delete<") &&
            !skip(", std::less<") && !skip(", std::hash<") && !skip(", std::equal_to<")) {
            return false;
        }
        for (int open = 1; open > 0 && !in_.empty(); in_.remove_prefix(1)) {
            if (in_.front() == '<') ++open;
            if (in_.front() == '>') --open;
        }
        return true;
    }

    constexpr void shorten(std::string_view from, std::string_view to) {
        std::size_t size = 0;
        for (std::size_t i = 0; i < size_;) {
            if (std::string_view{out_ + i, size_ - i}.starts_with(from)) {
                for (const char c : to) out_[size++] = c;
                i += from.size();
            } else {
                out_[size++] = out_[i++];
            }
        }
        size_ = size;
    }

    std::string_view in_;
    char* out_;
    std::size_t size_ = 0;
};

/// Returns `name` for people, at run time: only texts of errors need it, so the compiler is spared
/// the work.
inline std::string readable(std::string_view name) {
    std::string result(name);
    result.resize(NameForPeople{name, result.data()}.size());
    return result;
}

template <class T>
inline constexpr auto name_for_people = [] {
    struct {
        char text[spelled_name<T>().size() + 1]{};
        std::size_t size = 0;
    } result;
    result.size = NameForPeople{spelled_name<T>(), result.text}.size();
    return result;
}();

/// Returns the name for people: `std::vector<Job>`.
template <class T>
constexpr std::string_view type_name() {
    return {name_for_people<T>.text, name_for_people<T>.size};
}

} // namespace multiprocessing::inline v1::detail
