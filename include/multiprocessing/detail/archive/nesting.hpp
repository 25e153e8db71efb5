#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file nesting.hpp  How deep values may lie within values.

#include <multiprocessing/detail/config.hpp>

namespace multiprocessing::inline v1::detail {

/// The deepest that values may lie within containers, pointers and hooks. Encoding and decoding are
/// recursive: beyond this the stack would be in danger.
inline constexpr unsigned deepest_level = 1000;

/// One level of nesting, of a Writer or a Reader.
template <class Archive>
class Level {
public:
    explicit Level(Archive& archive) : archive_(archive) { archive_.enter(); }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    ~Level() { archive_.leave(); }

private:
    Archive& archive_;
};

} // namespace multiprocessing::inline v1::detail
