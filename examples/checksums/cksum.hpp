#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file cksum.hpp  The CRC of POSIX's `cksum`, eight bytes at a time ("slicing by 8").

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

class Cksum {
public:
    void update(std::span<const unsigned char> bytes) {
        size_ += bytes.size();
        for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
            const unsigned char* b = bytes.data();
            const std::uint32_t first = crc_ ^ (std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 |
                                                std::uint32_t{b[2]} << 8 | b[3]);
            crc_ = tables[7][first >> 24] ^ tables[6][first >> 16 & 255] ^ tables[5][first >> 8 & 255] ^
                   tables[4][first & 255] ^ tables[3][b[4]] ^ tables[2][b[5]] ^ tables[1][b[6]] ^
                   tables[0][b[7]];
        }
        for (const unsigned char byte : bytes) crc_ = next(crc_, byte);
    }

    std::uint64_t size() const { return size_; }

    /// The CRC of what came so far: the length counts as well, least significant byte first.
    std::uint32_t value() const {
        std::uint32_t crc = crc_;
        for (std::uint64_t rest = size_; rest != 0; rest >>= 8)
            crc = next(crc, static_cast<unsigned char>(rest));
        return ~crc;
    }

private:
    using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

    /// tables[k][byte]: what `byte` contributes when k more bytes follow it.
    static constexpr Tables make_tables() {
        Tables made{};
        for (std::uint32_t byte = 0; byte < 256; ++byte) {
            std::uint32_t crc = byte << 24;
            for (int bit = 0; bit < 8; ++bit) crc = crc << 1 ^ (crc >> 31 ? 0x04C11DB7u : 0u);
            made[0][byte] = crc;
        }
        for (std::size_t k = 1; k < 8; ++k) {
            for (std::size_t byte = 0; byte < 256; ++byte)
                made[k][byte] = made[k - 1][byte] << 8 ^ made[0][made[k - 1][byte] >> 24];
        }
        return made;
    }
    static const Tables tables;

    static std::uint32_t next(std::uint32_t crc, unsigned char byte) {
        return crc << 8 ^ tables[0][crc >> 24 ^ byte];
    }

    std::uint32_t crc_ = 0;
    std::uint64_t size_ = 0;
};

inline constexpr Cksum::Tables Cksum::tables = make_tables();
