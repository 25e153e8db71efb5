#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file catch.hpp  Catch2, version 2 or 3, by the same words.

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>

using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
#else
#include <catch2/catch.hpp>

inline auto ContainsSubstring(const std::string& text) { return Catch::Matchers::Contains(text); }
using Catch::Matchers::StartsWith;
#endif
