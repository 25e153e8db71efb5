// SPDX-License-Identifier: BSL-1.0
/// @file frames.cpp  Any bytes at all, as they arrive at a Connection: messages, the end, or one of three errors, in bounded memory.
///
/// The first byte says in what pieces they arrive. What was read is framed again and must be the same bytes, unless a length
/// was written longer than it had to be.

#include <fuzz/replay.hpp>

#include <multiprocessing/detail/connection/framing.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <system_error>
#include <vector>

namespace {

using Bytes = std::vector<std::byte>;
using namespace multiprocessing::detail;

void append(Bytes& all, std::span<const std::byte> bytes) { all.insert(all.end(), bytes.begin(), bytes.end()); }

Bytes framed(std::size_t size) {
    Bytes bytes{std::byte{7}};
    append(bytes, FrameHead(size).bytes());
    bytes.resize(bytes.size() + size, std::byte{'x'});
    return bytes;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::span all{reinterpret_cast<const std::byte*>(data) + 1, size - 1};
    std::span<const std::byte> left = all;
    const auto read = [&](std::span<std::byte> into) {
        const std::size_t count = (std::min)(into.size(), left.size());
        if (count) std::memcpy(into.data(), left.data(), count);
        left = left.subspan(count);
        return count;
    };
    Bytes again;
    bool canonical = true;
    try {
        while (const auto length = read_frame_head(read, [] { return false; })) {
            const std::size_t before = left.size();
            const Bytes body = read_frame_body(*length, read);
            if (body.size() != *length || before - left.size() != *length) std::abort();
            const FrameHead head(*length);
            append(again, head.bytes());
            append(again, body);
            // The long form of a short length is accepted.
            canonical = canonical && again.size() == all.size() - left.size();
        }
        if (!left.empty()) std::abort();
        if (canonical && !std::equal(again.begin(), again.end(), all.begin(), all.end())) std::abort();
    } catch (const std::system_error& error) {
        if (error.code() != std::errc::connection_aborted && error.code() != std::errc::protocol_error)
            std::abort();
    }
    return 0;
}

std::vector<Bytes> fuzz::seeds() {
    std::vector<Bytes> all{framed(0), framed(1), framed(3), framed(300), framed(70'000)};
    Bytes several = framed(2);
    const Bytes next = framed(5);
    append(several, std::span(next).subspan(1));
    all.push_back(several);
    for (const unsigned first : {0x7fU, 0x80U, 0xffU}) {
        all.push_back(Bytes(5, static_cast<std::byte>(first)));
        all.push_back(Bytes(13, static_cast<std::byte>(first)));
        all.push_back(Bytes(40, static_cast<std::byte>(first)));
    }
    Bytes claim(5, std::byte{0xff}); // 2^60 bytes
    claim.push_back(std::byte{0x10});
    claim.resize(30);
    all.push_back(claim);
    return all;
}
