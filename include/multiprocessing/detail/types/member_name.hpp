#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file member_name.hpp  The name of a member function, as its class declares it.

#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace multiprocessing::inline v1::detail {

/// The compiler's own words. No string_view: g++ would spell that, too.
template <auto Member>
constexpr const char* signature_with_member() {
#if defined(_MSC_VER) && !defined(__clang__)
    return __FUNCSIG__;
#else
    return __PRETTY_FUNCTION__;
#endif
}

/// The last component of what stands behind "Member = ": all compilers spell that alike, but not
/// what is around it.
inline std::string member_name_in(std::string_view signature) {
    const std::size_t begin = signature.find("Member = ");
    std::string_view name = signature.substr(begin == signature.npos ? 0 : begin + 9);
    while (name.ends_with(']') && !name.ends_with("[]")) name.remove_suffix(1);
    while (name.ends_with(')') && !name.ends_with("()")) name.remove_suffix(1); // g++: (& A::f)
    if (const std::size_t at = name.rfind("::operator"); at != name.npos)
        return std::string(name.substr(at + 2));
    if (name.ends_with('>')) {
        std::size_t open = 0;
        for (std::size_t i = name.size(); i-- > 0;) {
            if (name[i] == '>') ++open;
            if (name[i] == '<' && --open == 0) {
                name = name.substr(0, i);
                break;
            }
        }
    }
    const std::size_t colon = name.rfind("::");
    return std::string(colon == name.npos ? name : name.substr(colon + 2));
}

template <auto Member>
std::string member_name() {
    return member_name_in(signature_with_member<Member>());
}

} // namespace multiprocessing::inline v1::detail
