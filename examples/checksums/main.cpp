// SPDX-License-Identifier: BSL-1.0
// Python:
//     def inspect(path): ...                           # CRC, bytes, lines, words, entropy
//
//     files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
//     for processes in (1, None):
//         with Pool(processes) as pool:
//             reports = list(tqdm(pool.imap(inspect, files, chunksize=16), total=len(files)))

#include "file_report.hpp"
#include "folder.hpp"
#include "printing.hpp"

#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <exception>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <vector>

namespace mp = multiprocessing;

constexpr std::string_view usage = R"(usage: checksums [--list] [FOLDER]

Checksum (as of cksum), bytes, lines, words and entropy of every regular file
below FOLDER (/usr/include, if none is given), found by one process per
processor; then how much faster that is than one worker.

  --list   print only "CRC BYTES PATH" of each, sorted by path, as cksum does
  --help   print this
)";

struct Run {
    std::vector<FileReport> reports;
    double seconds;
};

Run inspect_all(mp::Pool& pool, const std::vector<fs::path>& files, mp::Progress progress) {
    const auto begin = std::chrono::steady_clock::now();
    Run run{pool.map(inspect, files, {.progress = progress}), 0};
    run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return run;
}

void list_checksums(Folder& folder) {
    mp::Pool pool;
    const Run run = inspect_all(pool, folder.files, false);
    print_list(folder, run.reports);
    print_problems(folder, run.reports);
}

void compare_speeds(Folder& folder) {
    mp::Pool all;
    mp::Pool one(1);
    const Run run = inspect_all(all, folder.files, "files");
    // Measured once more, now that the system has the files in its cache for both.
    const double alone = inspect_all(one, folder.files, "files by one worker").seconds;
    const double together = inspect_all(all, folder.files, false).seconds;

    std::cout << std::fixed << std::setprecision(2);
    print_totals(run.reports);
    print_slowest(folder, run.reports);
    std::cout << "1 worker: " << alone << " s, " << mp::process_cpu_count() << " workers: " << together
              << " s, speed-up: " << alone / together << '\n';
    print_problems(folder, run.reports);
}

int main(int argc, char** argv) try {
    mp::freeze_support();

    bool list = false;
    std::vector<std::string_view> folders;
    for (const std::string_view argument : std::vector<std::string_view>(argv + 1, argv + argc)) {
        if (argument == "--help") {
            std::cout << usage;
            return 0;
        } else if (argument == "--list") {
            list = true;
        } else if (folders.empty() && !argument.starts_with("--")) {
            folders.push_back(argument);
        } else {
            std::cerr << "checksums: what is '" << argument << "'?\n" << usage;
            return 2;
        }
    }
    const fs::path top = folders.empty() ? "/usr/include" : folders.front();
    std::error_code error;
    if (!fs::is_directory(top, error)) {
        std::cerr << "checksums: " << readable(top) << ": " << (error ? error.message() : "is not a folder")
                  << '\n';
        return 2;
    }
    Folder folder = list_files(top);
    if (folder.files.empty()) {
        folder.problems.push_back({top, "no regular file in it"});
        print_problems(folder, {});
        return 0;
    }
    list ? list_checksums(folder) : compare_speeds(folder);
    if (!std::cout.flush()) throw std::runtime_error("cannot write to standard output");
    return 0;
} catch (const std::exception& error) {
    std::cerr << "checksums: " << error.what() << '\n';
    return 1;
}
