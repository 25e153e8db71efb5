// SPDX-License-Identifier: BSL-1.0
/// @file loads.cpp  Any bytes at all: loads() makes a value of them or throws SerializationError, and nothing else.
///
/// The first byte chooses a type, the others follow its fingerprint. What was accepted is written and read
/// again and must be the same bytes. Under libFuzzer the inputs are its own, in a normal test run those of
/// replay.cpp.

#include <fuzz/replay.hpp>

#include <multiprocessing/reduction.hpp>

#include <array>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace {

namespace mp = multiprocessing;
using Bytes = std::vector<std::byte>;

enum class Colour : std::uint8_t { red, green };
struct Point {
    std::int16_t x;
    std::int16_t y;
};
struct Empty {};
struct Sample {
    bool flag = false;
    Colour colour{};
    long double number = 0;
    std::string text;
    std::vector<Point> points;
    char raw[5] = {};
    std::optional<std::vector<std::string>> maybe;
    std::variant<std::monostate, int, std::string> either;
    Empty empty;
    std::chrono::milliseconds span{};
};
struct Node {
    std::vector<Node> kids;
    std::unique_ptr<Node> next;
    std::map<std::uint8_t, Node> named;
    std::shared_ptr<Node> shared;
};
class Hooked {
public:
    template <class Archive>
    void serialize(Archive& ar) {
        ar(number_, others_);
    }

private:
    int number_ = 0;
    std::list<Hooked> others_;
};

using Chosen =
    std::tuple<Sample, Node, Hooked, std::vector<Sample>, std::map<std::string, std::vector<int>>,
               std::vector<std::shared_ptr<std::string>>, std::vector<bool>, std::vector<Empty>,
               std::tuple<std::bitset<13>, std::array<std::string, 3>, std::pair<Colour, double>>,
               std::variant<std::string, std::vector<double>, Node>, std::forward_list<std::u16string>,
               std::multimap<int, std::deque<Point>>, std::vector<std::optional<std::unique_ptr<Sample>>>,
               std::filesystem::path, std::vector<void (*)()>>;

void callee() {}

template <class T>
Bytes with_fingerprint(std::span<const std::byte> payload) {
    const std::uint64_t fingerprint = mp::detail::fingerprint<T>();
    Bytes message(sizeof fingerprint + payload.size());
    std::memcpy(message.data(), &fingerprint, sizeof fingerprint);
    if (!payload.empty()) std::memcpy(message.data() + sizeof fingerprint, payload.data(), payload.size());
    return message;
}

template <class T>
void try_as(std::span<const std::byte> payload) {
    try {
        const Bytes again = mp::dumps(mp::loads<T>(with_fingerprint<T>(payload)));
        // Written and read once more it is the same: only sets and maps may have dropped and sorted what they
        // were given.
        if (mp::dumps(mp::loads<T>(again)) != again) std::abort();
    } catch (const mp::SerializationError&) {}
}

template <class T>
Bytes seed(unsigned char choice, const T& value) {
    Bytes bytes = mp::dumps(value);
    bytes.erase(bytes.begin(), bytes.begin() + 8);
    bytes.insert(bytes.begin(), static_cast<std::byte>(choice));
    return bytes;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::span payload{reinterpret_cast<const std::byte*>(data) + 1, size - 1};
    [&]<std::size_t... Index>(std::index_sequence<Index...>) {
        ((data[0] % sizeof...(Index) == Index ? try_as<std::tuple_element_t<Index, Chosen>>(payload) : void()),
         ...);
    }(std::make_index_sequence<std::tuple_size_v<Chosen>>{});
    return 0;
}

std::vector<Bytes> fuzz::seeds() {
    Sample sample{true, Colour::green, 2.5L, "text", {{1, 2}, {3, 4}}, "raw", {{"a", "b"}}, "either", {}, {}};
    Node node;
    node.kids.resize(2);
    node.next = std::make_unique<Node>();
    node.named[7].kids.resize(1);
    node.shared = std::make_shared<Node>();
    node.kids[0].shared = node.shared;
    const auto shared = std::make_shared<std::string>("shared");
    std::vector<Bytes> all{
        seed(0, sample),
        seed(1, node),
        seed(2, Hooked{}),
        seed(3, std::vector<Sample>(3)),
        seed(4, std::map<std::string, std::vector<int>>{{"one", {1}}, {"many", std::vector<int>(300)}}),
        seed(5, std::vector<std::shared_ptr<std::string>>{shared, shared,
                                                          std::make_shared<std::string>("other"), nullptr}),
        seed(6, std::vector<bool>(19, true)),
        seed(7, std::vector<Empty>(4)),
        seed(8, std::tuple_element_t<8, Chosen>{}),
        seed(9, std::tuple_element_t<9, Chosen>{std::vector<double>(5)}),
        seed(10, std::forward_list<std::u16string>{u"a", u"b"}),
        seed(11, std::multimap<int, std::deque<Point>>{{1, {{1, 2}}}, {1, {}}}),
        seed(13, std::filesystem::path("/a/b/c")),
        seed(14, std::vector<void (*)()>{callee, nullptr}),
    };
    // A thousand levels, one more, and many more; a claim of everything.
    for (const std::size_t levels : {999U, 1000U, 1001U, 50'000U}) {
        Bytes deep(levels + 1, std::byte{1});
        deep.insert(deep.end(), {std::byte{}, std::byte{}, std::byte{}, std::byte{}});
        all.push_back(std::move(deep));
    }
    for (unsigned char choice = 0; choice < std::tuple_size_v<Chosen>; ++choice) {
        all.push_back(Bytes(10, std::byte{0xff}));
        all.back()[0] = static_cast<std::byte>(choice);
    }
    return all;
}
