#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file shared_names.hpp  Names of shared memory that no other test has, and that do not stay.

#include <multiprocessing/shared_memory.hpp>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace support {

/// A name for shared memory that nobody has.
inline std::string fresh_name() {
    std::random_device random;
    return "mp_test_" + std::to_string(random()) + "_" + std::to_string(random());
}

/// Takes the name away at the end of a case.
class [[nodiscard]] Unlinked {
public:
    explicit Unlinked(multiprocessing::shared_memory::SharedMemory shm) : shm_(std::move(shm)) {}
    Unlinked(const Unlinked&) = delete;
    ~Unlinked() { shm_.unlink(); }

private:
    multiprocessing::shared_memory::SharedMemory shm_;
};

/// Bytes written as text: "ab", 0x01 as "\x01".
inline std::vector<std::byte> bytes_of(const std::string& text) {
    std::vector<std::byte> bytes;
    for (const char letter : text) bytes.push_back(static_cast<std::byte>(letter));
    return bytes;
}

} // namespace support
