#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file framing.hpp  Where a message begins and ends in a stream of bytes: CPython's framing.
///
///     n <= 0x7fffffff :  int32 n, the highest byte first  | n bytes
///     n >  0x7fffffff :  ff ff ff ff | uint64 n, likewise | n bytes

#include <multiprocessing/detail/config.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <system_error>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What stands before a body.
class FrameHead {
public:
    explicit FrameHead(std::uint64_t body);

    std::span<const std::byte> bytes() const;

    static constexpr std::uint32_t mark = 0xffff'fffe; ///< No length: something else stands before the head.
    static constexpr std::uint64_t most_in_short = 0x7fff'ffff;
    static constexpr std::size_t short_size = 4;
    static constexpr std::size_t long_size = 8; // of what follows ff ff ff ff

private:
    void put(std::uint64_t number, std::size_t size);

    std::array<std::byte, short_size + long_size> bytes_;
    std::size_t size_ = 0;
};

[[noreturn]] MULTIPROCESSING_INLINE void throw_frame_error(std::errc code, const char* what);

MULTIPROCESSING_INLINE std::uint64_t number_of(std::span<const std::byte> bytes);

/// Reads a head and returns the size of the body that comes next, nullopt if the stream has ended.
/// `read(bytes)` fills them, or as many as there are before the end, and returns how many. Throws
/// `std::system_error`: `connection_aborted` if the stream ends within the head, `protocol_error`
/// if this is no head. At a mark it calls `marked()`, which reads what belongs to it, or returns
/// false: then this is no head.
template <class Read, class Marked>
std::optional<std::uint64_t> read_frame_head(Read&& read, Marked&& marked) {
    std::array<std::byte, FrameHead::long_size> bytes;
    const auto fill = [&](std::size_t size) {
        const std::size_t got = read(std::span{bytes}.first(size));
        if (got != size && (got != 0 || size != FrameHead::short_size))
            throw_frame_error(std::errc::connection_aborted, "got end of file during message");
        return got == size;
    };
    if (!fill(FrameHead::short_size)) return std::nullopt;
    std::uint64_t size = number_of(std::span{bytes}.first(FrameHead::short_size));
    if (size == FrameHead::mark && marked()) {
        if (!fill(FrameHead::short_size))
            throw_frame_error(std::errc::connection_aborted, "got end of file during message");
        size = number_of(std::span{bytes}.first(FrameHead::short_size));
    }
    if (size <= FrameHead::most_in_short) return size;
    if (size != 0xffff'ffff)
        throw_frame_error(std::errc::protocol_error, "what arrives is no message: its length is negative");
    fill(FrameHead::long_size);
    return number_of(bytes);
}

/// Reads the body of a frame. Whatever the head claims, no more than twice the memory is taken of
/// what has arrived, and a megabyte. Throws `std::system_error`, `connection_aborted`, if the
/// stream ends within it.
template <class Read>
std::vector<std::byte> read_frame_body(std::uint64_t size, Read&& read) {
    constexpr std::size_t at_first = std::size_t{1} << 20;
    std::vector<std::byte> body;
    while (body.size() < size) {
        const std::size_t had = body.size();
        const auto next =
            static_cast<std::size_t>((std::min<std::uint64_t>)(size, (std::max)(2 * had, at_first)));
        body.resize(next);
        if (read(std::span{body}.subspan(had)) != next - had)
            throw_frame_error(std::errc::connection_aborted, "got end of file during message");
    }
    return body;
}

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <string>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE FrameHead::FrameHead(std::uint64_t body) {
    const bool is_short = body <= most_in_short;
    put(is_short ? body : 0xffff'ffff, short_size);
    if (!is_short) put(body, long_size);
}

MULTIPROCESSING_INLINE std::span<const std::byte> FrameHead::bytes() const {
    return std::span{bytes_}.first(size_);
}

MULTIPROCESSING_INLINE void FrameHead::put(std::uint64_t number, std::size_t size) {
    for (std::size_t i = size; i-- > 0;) bytes_[size_++] = static_cast<std::byte>(number >> (8 * i));
}

MULTIPROCESSING_INLINE void throw_frame_error(std::errc code, const char* what) {
    throw std::system_error(std::make_error_code(code), std::string("multiprocessing: ") + what);
}

MULTIPROCESSING_INLINE std::uint64_t number_of(std::span<const std::byte> bytes) {
    std::uint64_t number = 0;
    for (const std::byte byte : bytes) number = number << 8 | static_cast<std::uint64_t>(byte);
    return number;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
