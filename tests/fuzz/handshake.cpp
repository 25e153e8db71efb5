// SPDX-License-Identifier: BSL-1.0
/// @file handshake.cpp  Any bytes at all, from somebody who does not know the key: never done, in bounded memory.
///
/// The first byte chooses the side, whether MD5 is allowed, and in what pieces they arrive.

#include <fuzz/replay.hpp>

#include <multiprocessing/detail/connection/framing.hpp>
#include <multiprocessing/detail/connection/handshake.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Bytes = std::vector<std::byte>;
using namespace multiprocessing::detail;

void append(Bytes& all, std::string_view message) {
    const FrameHead head(message.size());
    all.insert(all.end(), head.bytes().begin(), head.bytes().end());
    const auto bytes = std::as_bytes(std::span(message));
    all.insert(all.end(), bytes.begin(), bytes.end());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const unsigned choice = data[0];
    const std::size_t piece = 1 + (choice >> 2);
    Handshake handshake(choice & 1 ? Handshake::Side::client : Handshake::Side::listener,
                        "a key that nobody guesses", choice & 2);
    handshake.begin();
    HandshakeFrames frames;
    std::span left{reinterpret_cast<const std::byte*>(data) + 1, size - 1};
    try {
        while (!left.empty()) {
            const std::size_t count = (std::min)({piece, left.size(), frames.wanted()});
            if (count == 0 || frames.wanted() > 4 + Handshake::longest) std::abort();
            if (frames.add(left.first(count))) {
                for (const std::string& answer : handshake.receive(frames.pop())) {
                    if (answer.size() > Handshake::longest) std::abort();
                }
            }
            if (handshake.done()) std::abort();
            left = left.subspan(count);
        }
    } catch (const multiprocessing::AuthenticationError&) {}
    return 0;
}

std::vector<Bytes> fuzz::seeds() {
    std::vector<Bytes> all;
    for (unsigned choice = 0; choice < 256; choice += 13) {
        for (const auto& messages :
             {std::vector<std::string>{"#CHALLENGE#{sha256}" + std::string(40, 'r'), "#WELCOME#",
                                       "{sha256}" + std::string(32, 'd'), "#WELCOME#"},
              {"#CHALLENGE#" + std::string(20, 'r'), "#WELCOME#", std::string(16, 'd')},
              {"{sha3_384}" + std::string(48, 'd'), "#CHALLENGE#{md5}" + std::string(40, 'r'), "#WELCOME#"},
              {std::string(256, 'x')},
              {std::string(257, 'x')},
              {"", ""},
              {"#FAILURE#"}}) {
            Bytes bytes{static_cast<std::byte>(choice)};
            for (const std::string& message : messages) append(bytes, message);
            all.push_back(std::move(bytes));
        }
    }
    all.push_back(Bytes(20, std::byte{0xff}));
    return all;
}
