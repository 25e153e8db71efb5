#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file replay.hpp  What a fuzz target offers a normal test run: inputs to begin with.

#include <cstddef>
#include <cstdint>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

/// Inputs that are accepted, and some that go wrong in a way of their own.
std::vector<std::vector<std::byte>> seeds();

} // namespace fuzz
