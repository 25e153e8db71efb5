#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file file_report.hpp  What a worker finds out about one file.

#include "cksum.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <system_error>
#include <vector>

struct FileReport {
    std::uint32_t crc = 0;
    std::uint64_t bytes = 0;
    std::uint64_t lines = 0;
    std::uint64_t words = 0; ///< Runs of anything but white space.
    double entropy = 0;      ///< Shannon's, in bits per byte: 0 to 8.
    double seconds = 0;      ///< What it took.
    std::string error;       ///< Why the file could not be read; the rest is nothing then.
};

/// How often each byte occurs tells the lines and the entropy; only words need a look at neighbours.
class TextStatistics {
public:
    void update(std::span<const unsigned char> bytes) {
        for (const unsigned char byte : bytes) ++counts_[byte];
        for (const unsigned char byte : bytes) { // two plain loops are quicker than one
            const bool space = byte == ' ' || (byte >= '\t' && byte <= '\r');
            words_ += after_space_ && !space;
            after_space_ = space;
        }
    }

    std::uint64_t lines() const { return counts_['\n']; }
    std::uint64_t words() const { return words_; }
    double entropy(std::uint64_t total) const {
        double bits = 0;
        for (const std::uint64_t count : counts_) {
            if (count == 0) continue;
            const double share = static_cast<double>(count) / static_cast<double>(total);
            bits -= share * std::log2(share);
        }
        return bits;
    }

private:
    std::array<std::uint64_t, 256> counts_{};
    std::uint64_t words_ = 0;
    bool after_space_ = true;
};

/// Runs in the workers. A file that cannot be read is a result, not an exception, which would end the whole map.
inline FileReport inspect(const std::filesystem::path& path) {
    const auto begin = std::chrono::steady_clock::now();
    FileReport report;
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    static std::vector<char> buffer(256 * 1024); // one per worker
    Cksum cksum;
    TextStatistics statistics;
    while (file) {
        file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
        const std::span chunk(reinterpret_cast<const unsigned char*>(buffer.data()),
                              static_cast<std::size_t>(file.gcount()));
        cksum.update(chunk);
        statistics.update(chunk);
    }
    if (!file.eof()) { // it was not opened, or not read to its end
        report.error = errno ? std::generic_category().message(errno) : "cannot be read";
        return report;
    }
    report.crc = cksum.value();
    report.bytes = cksum.size();
    report.lines = statistics.lines();
    report.words = statistics.words();
    report.entropy = statistics.entropy(report.bytes);
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return report;
}
