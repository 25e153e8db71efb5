#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file folder.hpp  All regular files below a folder, and what was in the way of finding them.

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

/// A path as the bytes that are printed: on POSIX those of the file system, whatever they mean.
inline std::string bytes_of(const std::filesystem::path& path) {
    const std::u8string text = path.u8string();
    return {text.begin(), text.end()};
}

struct Problem {
    std::filesystem::path path;
    std::string text;
};

struct Folder {
    std::vector<std::filesystem::path> files; ///< In the order of their bytes, as `LC_ALL=C sort` has it.
    std::vector<Problem> problems;
};

/// Follows no link, as `find`. std::filesystem's own recursive iterator would end at the first folder without permission.
inline Folder list_files(const std::filesystem::path& top) {
    namespace fs = std::filesystem;
    Folder found;
    std::vector<fs::path> to_visit{top};
    while (!to_visit.empty()) {
        const fs::path folder = std::move(to_visit.back());
        to_visit.pop_back();
        std::error_code error;
        fs::directory_iterator entries(folder, error);
        for (; !error && entries != fs::directory_iterator{}; entries.increment(error)) {
            std::error_code unknown; // of one entry: it may have vanished
            const fs::file_status status = entries->symlink_status(unknown);
            if (fs::is_directory(status)) {
                to_visit.push_back(entries->path());
            } else if (fs::is_regular_file(status)) {
                found.files.push_back(entries->path());
            } else if (fs::is_symlink(status) && !fs::exists(entries->path(), unknown)) {
                found.problems.push_back({entries->path(), unknown ? unknown.message() : "broken link"});
            } else if (!fs::status_known(status)) {
                found.problems.push_back({entries->path(), unknown.message()});
            }
        }
        if (error) found.problems.push_back({folder, error.message()});
    }
    std::ranges::sort(found.files, {}, &fs::path::native);
    return found;
}
