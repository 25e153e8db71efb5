#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file printing.hpp  What is told about the files of a folder.

#include "file_report.hpp"
#include "folder.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

/// As `cksum` prints them.
inline void print_list(const Folder& folder, const std::vector<FileReport>& reports) {
    for (std::size_t i = 0; i < reports.size(); ++i) {
        if (!reports[i].error.empty()) continue;
        std::cout << reports[i].crc << ' ' << reports[i].bytes << ' ' << bytes_of(folder.files[i]) << '\n';
    }
}

/// For people: a name may hold anything, also what would steer a terminal.
inline std::string readable(const fs::path& path) {
    std::string text = bytes_of(path);
    std::ranges::replace_if(
        text, [](unsigned char byte) { return byte < 32 || byte == 127; }, '?');
    return text;
}

inline void print_totals(const std::vector<FileReport>& reports) {
    FileReport total;
    std::size_t files = 0;
    for (const FileReport& report : reports) {
        if (!report.error.empty()) continue;
        ++files;
        total.bytes += report.bytes;
        total.lines += report.lines;
        total.words += report.words;
        total.entropy += report.entropy * static_cast<double>(report.bytes); // their mean, weighted by size
    }
    if (total.bytes > 0) total.entropy /= static_cast<double>(total.bytes);
    std::cout << files << " files, " << total.bytes << " bytes, " << total.lines << " lines, " << total.words
              << " words, " << total.entropy << " bits of entropy per byte\n";
}

inline void print_slowest(const Folder& folder, const std::vector<FileReport>& reports) {
    std::vector<std::size_t> order(reports.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    const std::size_t shown = std::min<std::size_t>(5, order.size());
    std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(shown), std::greater{},
                              [&](std::size_t i) { return reports[i].seconds; });
    std::cout << "slowest:\n";
    for (std::size_t i = 0; i < shown; ++i) {
        std::cout << std::setw(10) << reports[order[i]].seconds * 1000 << " ms  "
                  << readable(folder.files[order[i]]) << '\n';
    }
}

/// What could not be read, at the end, where it is seen; it is no reason to fail.
inline void print_problems(Folder& folder, const std::vector<FileReport>& reports) {
    for (std::size_t i = 0; i < reports.size(); ++i) {
        if (!reports[i].error.empty()) folder.problems.push_back({folder.files[i], reports[i].error});
    }
    std::ranges::sort(folder.problems, {}, [](const Problem& problem) { return bytes_of(problem.path); });
    std::cout.flush();
    for (const Problem& problem : folder.problems)
        std::cerr << "checksums: " << readable(problem.path) << ": " << problem.text << '\n';
}
