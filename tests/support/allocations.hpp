#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file allocations.hpp  How much memory was asked for, granted or not: a forged length shows itself there.

#include <cstddef>

namespace support {

/// Bytes that this thread asked `operator new` for so far; always 0 under AddressSanitizer, which has its own.
std::size_t allocated_bytes();

/// While it lives, `operator new` has nothing left for this thread after `allowed` more calls; without effect under
/// AddressSanitizer.
class NoMemory {
public:
    explicit NoMemory(std::size_t allowed = 0);
    NoMemory(const NoMemory&) = delete;
    NoMemory& operator=(const NoMemory&) = delete;
    ~NoMemory();
};

/// While it lives, `operator new` of this thread has no more than `most` bytes for one piece; except under
/// AddressSanitizer.
class LittleMemory {
public:
    explicit LittleMemory(std::size_t most);
    LittleMemory(const LittleMemory&) = delete;
    LittleMemory& operator=(const LittleMemory&) = delete;
    ~LittleMemory();
};

/// While it lives, the call of `operator new` by this thread that follows `allowed` others fails, that one alone; without
/// effect under AddressSanitizer.
class OneFailure {
public:
    explicit OneFailure(std::size_t allowed);
    OneFailure(const OneFailure&) = delete;
    OneFailure& operator=(const OneFailure&) = delete;
    ~OneFailure();

    /// Whether it has come to that.
    bool seen() const;
};

} // namespace support
