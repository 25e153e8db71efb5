#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file parcel.hpp  Bytes that a pool and its workers pass to each other.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/space/layout.hpp>

#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// Bytes in the Space; none if `block` is 0.
struct Parcel {
    Position block = 0;
    std::uint64_t bytes = 0;
};

} // namespace multiprocessing::inline v1::detail
