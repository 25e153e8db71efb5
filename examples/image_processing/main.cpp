// SPDX-License-Identifier: BSL-1.0
// Python (with the packages Pillow and tqdm):
//     with Pool() as pool:
//         for report in tqdm(pool.imap_unordered(process, files), total=len(files), unit="images"):
//             reports[report.file] = report                # and a file that crashes the decoder hangs it forever
//
//     image_processing [FOLDER]        reads its PPM and PNG files; without a FOLDER it makes a few

#include <multiprocessing/multiprocessing.hpp>

#include "image_files.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <vector>

namespace mp = multiprocessing;

struct Report {
    std::string file;
    std::size_t width, height;
    std::uint64_t digest;            // FNV-1a of the pixels
    std::array<int, 4> histogram;    // percent of the pixels that are so bright
    std::vector<unsigned char> grey; // the thumbnail, of 8 x 4 pixels
};

Report process(const fs::path& path) {
    const Image image = path.extension() == ".png" ? read_png(path) : read_ppm(path);
    Report report{path.filename().string(), image.width, image.height, 14695981039346656037U, {}, {}};
    std::array<std::size_t, 4> counts{};
    std::array<std::size_t, 32> sums{}, sizes{};
    for (std::size_t i = 0; i < image.rgb.size(); i += 3) {
        for (std::size_t c = 0; c < 3; ++c) report.digest = (report.digest ^ image.rgb[i + c]) * 1099511628211U;
        const unsigned bright = (image.rgb[i] * 2U + image.rgb[i + 1] * 5U + image.rgb[i + 2]) / 8;
        const std::size_t x = i / 3 % image.width, y = i / 3 / image.width;
        const std::size_t cell = y * 4 / image.height * 8 + x * 8 / image.width;
        ++counts[bright / 64];
        sums[cell] += bright;
        ++sizes[cell];
    }
    for (std::size_t i = 0; i < 4; ++i)
        report.histogram[i] = static_cast<int>(counts[i] * 300 / image.rgb.size());
    for (std::size_t i = 0; i < 32; ++i)
        report.grey.push_back(static_cast<unsigned char>(sums[i] / (std::max)(sizes[i], std::size_t{1})));
    return report;
}

int main(int argc, char** argv) {
    mp::freeze_support();

    const fs::path made = fs::temp_directory_path() / ("images." + std::to_string(mp::current_process().pid()));
    if (argc < 2) fs::create_directories(made), make_images(made);
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(argc < 2 ? made : fs::path(argv[1]))) {
        if (entry.path().extension() == ".png" || entry.path().extension() == ".ppm")
            files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());

    mp::Pool pool;
    std::map<std::string, Report> reports;
    std::vector<std::string> problems;
    auto results = pool.imap_unordered(process, files, {.progress = "images"});
    for (bool more = true; more;) {
        try { // a file costs its own item, whether its reader throws or crashes
            const auto report = results.next();
            more = report.has_value();
            if (report) reports.emplace(report->file, *report);
        } catch (const mp::WorkerLostError& error) {
            problems.push_back(files.at(error.task_index().value_or(0)).filename().string() +
                               " crashed its reader");
        } catch (const std::exception& error) { problems.push_back(error.what()); }
    }

    for (const auto& [name, report] : reports) {
        std::printf("%s  %zu x %zu  %016llx ", name.c_str(), report.width, report.height,
                    static_cast<unsigned long long>(report.digest));
        for (const int percent : report.histogram) std::printf(" %2d%%", percent);
        std::printf("  ");
        for (std::size_t x = 0; x < 8; ++x) std::putchar(" .:-=+*#"[report.grey[x] / 32]); // its first row
        std::putchar('\n');
    }
    std::sort(problems.begin(), problems.end());
    for (const std::string& problem : problems) std::printf("%s\n", problem.c_str());
    if (argc < 2) fs::remove_all(made);
}

// Output:
// image0.ppm  160 x 120  4a7de3c737334c25  65% 35%  0%  0%     ..:::
// image1.png  176 x 120  90b172b3144513d5  29% 29% 40%  0%   .::-==+
// image2.ppm  192 x 120  ce8cc667188c3725  22% 44% 28%  4%   :-=+---
// image3.png  208 x 120  49d5d2c9a9c53f25  23% 31% 30% 14%   :==-=*-
// image4.ppm is cut off
// image5.png crashed its reader
