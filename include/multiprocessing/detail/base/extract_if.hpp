#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file extract_if.hpp  Takes some elements out of a vector.

#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Moves the elements for which `wanted(element)` holds into a vector of their own; the others
/// close ranks.
///
/// One loop, in place of std::partition, std::move and erase: those make 60 functions of each type
/// that every program compiles.
template <class T, class Wanted>
std::vector<T> extract_if(std::vector<T>& elements, Wanted wanted) {
    std::vector<T> taken;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < elements.size(); ++i) {
        if (wanted(elements[i])) {
            taken.push_back(std::move(elements[i]));
        } else {
            if (kept != i) elements[kept] = std::move(elements[i]);
            ++kept;
        }
    }
    while (elements.size() > kept) elements.pop_back();
    return taken;
}

} // namespace multiprocessing::inline v1::detail
