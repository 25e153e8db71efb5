#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file handle_words.hpp  Handles that go through a byte stream as words, where the system has no
/// other way for them.
///
///     FrameHead::mark | uint64 number of handles | uint64 each, as Stream::offer() makes it
///
/// They stand before the head of the message that they belong to.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/connection/framing.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/platform/stream.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Returns the mark and the words of `handles`, which are moved from: each is open in the words, so
/// these are sent, or given to take_back_handles().
MULTIPROCESSING_INLINE std::vector<std::byte> handle_words(std::vector<platform::Handle>& handles);

/// Reads the words behind a mark by `read(bytes)`, which fills them or returns how many there are,
/// and appends the handles. Returns false if these are no such words.
template <class Read>
bool read_handle_words(Read read, std::vector<platform::Handle>& handles) {
    if (!platform::Stream::handles_are_words) return false;
    std::array<std::byte, 8> word;
    if (read(word) != word.size()) return false;
    std::uint64_t left = number_of(word);
    if (left > platform::Stream::most_handles) return false;
    for (; left > 0; --left) {
        if (read(word) != word.size()) return false;
        handles.push_back(platform::Stream::accept(number_of(word)));
    }
    return true;
}

/// Closes the handles in words that could not be sent.
MULTIPROCESSING_INLINE void take_back_handles(std::span<const std::byte> words);

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <algorithm>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::vector<std::byte> handle_words(std::vector<platform::Handle>& handles) {
    std::vector<std::byte> bytes(FrameHead::short_size, std::byte{0xff});
    bytes.back() = std::byte{FrameHead::mark & 0xff};
    const auto put = [&](std::uint64_t word) {
        for (std::size_t i = 8; i-- > 0;) bytes.push_back(static_cast<std::byte>(word >> (8 * i)));
    };
    put(handles.size());
    for (platform::Handle& handle : handles) put(platform::Stream::offer(std::move(handle)));
    return bytes;
}

MULTIPROCESSING_INLINE void take_back_handles(std::span<const std::byte> words) {
    std::span<const std::byte> rest = words.subspan(FrameHead::short_size);
    std::vector<platform::Handle> closed;
    read_handle_words(
        [&](std::span<std::byte> into) {
            std::copy_n(rest.begin(), into.size(), into.begin());
            rest = rest.subspan(into.size());
            return into.size();
        },
        closed);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
