// SPDX-License-Identifier: BSL-1.0
/// @file replay.cpp  Runs a fuzz target without libFuzzer: on the files that are named, else on its seeds and some
/// thousand changes of them, the same ones in every run.
///
/// `replay --write FOLDER` writes the seeds there, as the corpus that libFuzzer starts from.

#include <fuzz/replay.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Bytes = std::vector<std::byte>;

void run(const Bytes& bytes) {
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

Bytes changed(Bytes bytes, const Bytes& other, std::mt19937& engine) {
    const auto place = [&](const Bytes& in) { return static_cast<std::ptrdiff_t>(engine() % (in.size() + 1)); };
    switch (engine() % 6) {
    case 0: bytes.resize(static_cast<std::size_t>(place(bytes))); break;
    case 1: bytes.insert(bytes.begin() + place(bytes), static_cast<std::byte>(engine())); break;
    case 2: bytes.insert(bytes.begin() + place(bytes), 9, std::byte{0xff}); break;
    case 3: bytes.insert(bytes.begin() + place(bytes), other.begin() + place(other), other.end()); break;
    case 4:
        if (!bytes.empty()) bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(engine() % bytes.size()));
        break;
    default:
        if (!bytes.empty()) bytes[engine() % bytes.size()] ^= static_cast<std::byte>(1U << engine() % 8);
    }
    return bytes;
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<Bytes> seeds = fuzz::seeds();
    const std::span arguments(argv, static_cast<std::size_t>(argc));
    if (argc == 3 && std::string_view(arguments[1]) == "--write") {
        std::filesystem::create_directories(arguments[2]);
        for (std::size_t i = 0; i < seeds.size(); ++i) {
            std::ofstream file(std::filesystem::path(arguments[2]) / ("seed_" + std::to_string(i)),
                               std::ios::binary);
            file.write(reinterpret_cast<const char*>(seeds[i].data()),
                       static_cast<std::streamsize>(seeds[i].size()));
        }
        return 0;
    }
    for (const char* name : arguments.subspan(1)) {
        std::ifstream file(name, std::ios::binary);
        Bytes bytes;
        for (auto at = std::istreambuf_iterator<char>(file); at != std::istreambuf_iterator<char>(); ++at) {
            bytes.push_back(static_cast<std::byte>(*at));
        }
        run(bytes);
    }
    if (argc > 1) return 0;

    std::mt19937 engine{42};
    std::vector<Bytes> corpus = seeds;
    for (const Bytes& bytes : seeds) run(bytes);
    for (int i = 0; i < 20'000; ++i) {
        Bytes bytes = corpus[engine() % corpus.size()];
        for (auto changes = 1 + engine() % 3; changes > 0; --changes) {
            bytes = changed(std::move(bytes), corpus[engine() % corpus.size()], engine);
        }
        run(bytes);
        if (bytes.size() < 1000 && corpus.size() < 500) corpus.push_back(std::move(bytes));
    }
    std::printf("%zu seeds and 20000 changes of them\n", seeds.size());
    return 0;
}
