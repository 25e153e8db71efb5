// SPDX-License-Identifier: BSL-1.0
/// @file shareable_list.cpp  Whatever is in the memory of a ShareableList, it is read and written within its bounds, or refused.

#include <fuzz/replay.hpp>

#include <multiprocessing/detail/shareable_list/list_bytes.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

using multiprocessing::detail::ShareableLayout;
using multiprocessing::shared_memory::ShareableValue;
using Bytes = std::vector<std::byte>;

namespace {

constexpr std::size_t margin = 4096;
constexpr std::byte untouched{0xA5};

std::vector<ShareableValue> make_values() {
    std::vector<ShareableValue> values;
    for (const int number : {1, -7}) values.emplace_back(number);
    values.emplace_back(2.5);
    values.emplace_back(true);
    values.emplace_back(nullptr);
    values.emplace_back("");
    values.emplace_back("some text");
    values.emplace_back(Bytes(9, std::byte{7}));
    values.emplace_back(std::string(40, 'x'));
    return values;
}

const std::vector<ShareableValue>& values() {
    static const std::vector<ShareableValue> made = make_values();
    return made;
}

} // namespace

std::vector<Bytes> fuzz::seeds() {
    std::vector<Bytes> seeds;
    for (std::size_t count = 0; count <= values().size(); ++count) {
        const std::vector<ShareableValue> some(values().begin(),
                                               values().begin() + static_cast<std::ptrdiff_t>(count));
        Bytes bytes(ShareableLayout::bytes_for(some));
        ShareableLayout::create(bytes, some);
        seeds.push_back(bytes);
    }
    return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // A sanitizer sees what is read beyond the end of `exact`; what is written there, everybody sees in `padded`.
    Bytes padded(size + 2 * margin, untouched);
    const std::span<std::byte> memory(padded.data() + margin, size);
    std::transform(data, data + size, memory.begin(), [](std::uint8_t byte) { return std::byte{byte}; });
    Bytes exact(memory.begin(), memory.end());
    for (const std::span<std::byte> bytes : {std::span<std::byte>(exact), memory}) {
        try {
            const ShareableLayout layout(bytes);
            for (std::size_t i = 0; i < layout.count(); ++i) {
                layout.format(i);
                for (const ShareableValue& value : values()) {
                    try {
                        layout.read(i);
                    } catch (const std::exception&) {} // refused
                    try {
                        layout.write(i, value);
                    } catch (const std::exception&) { continue; } // does not fit
                    if (layout.read(i) == value) continue;
                    std::fprintf(stderr, "value %zu is not what was written\n", i);
                    std::abort();
                }
            }
        } catch (const std::exception&) {} // no list
    }
    const auto is_untouched = [](std::byte byte) { return byte == untouched; };
    if (!std::all_of(padded.begin(), padded.begin() + margin, is_untouched) ||
        !std::all_of(padded.end() - margin, padded.end(), is_untouched)) {
        std::fprintf(stderr, "written beyond the end\n");
        std::abort();
    }
    return 0;
}
