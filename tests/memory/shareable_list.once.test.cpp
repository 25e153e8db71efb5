// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>
#include <support/shared_names.hpp>

#include <multiprocessing/reduction.hpp>
#include <multiprocessing/shareable_list.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <list>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mp = multiprocessing;
using mp::shared_memory::ShareableList;
using mp::shared_memory::ShareableValue;
using mp::shared_memory::SharedMemory;
using support::bytes_of;
using support::fresh_name;
using support::Unlinked;
using Bytes = std::vector<std::byte>;

namespace {

/// What CPython 3.11 to 3.13 make of ['howdy', b'HoWdY', -273.154, 100, None, True, 42], on x86.
Bytes vector_of_cpython() {
    Bytes bytes;
    const auto number = [&](std::uint64_t value) {
        for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<std::byte>(value >> (8 * i)));
    };
    const auto padded = [&](std::string text) {
        text.resize(8);
        for (const char letter : text) bytes.push_back(static_cast<std::byte>(letter));
    };
    number(7);
    for (std::uint64_t offset = 0; offset <= 56; offset += 8) number(offset);
    padded("howdy");
    padded("HoWdY");
    number(0xC071'1276'C8B4'3958);
    number(100);
    number(0);
    number(std::uint64_t{1} << 56);
    number(42);
    for (const char* format : {"8s", "8s", "d", "q", "xxxxxx?x", "xxxxxxx?", "q"}) padded(format);
    for (const int code : {1, 2, 0, 0, 3, 0, 0}) bytes.push_back(static_cast<std::byte>(code));
    return bytes;
}

ShareableList list_of_cpython() {
    return ShareableList{"howdy", bytes_of("HoWdY"), -273.154, 100, nullptr, true, 42};
}

/// Memory with these bytes and, on Linux, no others.
SharedMemory memory_of(const Bytes& bytes) {
    SharedMemory shm({.create = true, .size = std::max<std::size_t>(bytes.size(), 1)});
    std::copy(bytes.begin(), bytes.end(), shm.buf().begin());
    return shm;
}

void put_number(std::span<std::byte> memory, std::size_t place, std::int64_t number) {
    std::memcpy(memory.data() + place, &number, 8);
}

void put_text(std::span<std::byte> memory, std::size_t place, std::string_view text) {
    std::memcpy(memory.data() + place, text.data(), text.size());
}

} // namespace

TEST_CASE("a list keeps values of every type", "[shareable_list]") {
    const ShareableList made = list_of_cpython();
    const Unlinked guard{made.shm()};
    const ShareableList found({.name = made.shm().name()});
    for (const ShareableList& list : {made, found}) {
        REQUIRE(list.size() == 7);
        CHECK(list.get<std::string>(0) == "howdy");
        CHECK(list.get<Bytes>(1) == bytes_of("HoWdY"));
        CHECK(list.get<double>(2) == -273.154);
        CHECK(list.get<int>(3) == 100);
        CHECK(list.get<std::nullptr_t>(4) == nullptr);
        CHECK(list.get<bool>(5));
        CHECK(list.get<std::uint8_t>(6) == 42);
        CHECK(list.get<ShareableValue>(6) == 42);
        CHECK(list.get<std::optional<int>>(4) == std::nullopt);
        CHECK(list.get<std::optional<int>>(3) == 100);
    }
}

TEST_CASE("a list lies in memory as CPython's does, byte by byte", "[shareable_list]") {
    const ShareableList list = list_of_cpython();
    const Unlinked guard{list.shm()};
    const Bytes expected = vector_of_cpython();
    REQUIRE(expected.size() == 191);
    CHECK(list.shm().size() == 191);
    CHECK(std::ranges::equal(list.shm().buf(), expected));
    CHECK(list.format() == "8s8sdqxxxxxx?xxxxxxxx?q");
    CHECK(list.format(1) == "8s");
    CHECK(list.format(-3) == "xxxxxx?x");
}

TEST_CASE("an empty list is 16 zero bytes", "[shareable_list]") {
    const ShareableList list(std::vector<int>{});
    const Unlinked guard{list.shm()};
    CHECK(list.shm().size() == 16);
    CHECK(list.size() == 0);
    CHECK(list.begin() == list.end());
    CHECK(list.format().empty());
    CHECK(list.count(0) == 0);
    CHECK_THROWS_AS(list.get<int>(0), std::out_of_range);
    CHECK(ShareableList({.name = list.shm().name()}).size() == 0);
}

TEST_CASE("a list is made of braces, ranges and variants, with a name of one's own too", "[shareable_list]") {
    const std::string name = fresh_name();
    const std::vector<std::variant<std::monostate, int, std::string>> variants{1, "two", std::monostate{}};
    const std::vector<ShareableList> lists{
        ShareableList({1, 2, 3}),
        ShareableList(std::list<double>{1, 2, 3}),
        ShareableList(std::views::iota(1, 4)),
        ShareableList({.name = name}, {1, 2, 3}),
        ShareableList(std::vector<std::optional<int>>{1, 2, 3}),
    };
    for (const ShareableList& list : lists) {
        const Unlinked guard{list.shm()};
        CHECK(std::ranges::equal(list, std::vector{1, 2, 3}));
    }
    CHECK(lists[3].shm().name() == name);
    const ShareableList mixed(variants);
    const Unlinked guard{mixed.shm()};
    CHECK(std::ranges::equal(mixed, std::vector<ShareableValue>{1, "two", nullptr}));
    const ShareableList copy{mixed}; // the same list, not a list of one
    copy.set(0, 5);
    CHECK(mixed.get<int>(0) == 5);
    const ShareableList named({.name = fresh_name()}, variants);
    const Unlinked guard_of_named{named.shm()};
    CHECK(named.get<std::string>(1) == "two");
    STATIC_REQUIRE_FALSE(std::is_constructible_v<ShareableList, std::string>); // a range of letters
    STATIC_REQUIRE_FALSE(mp::shared_memory::Shareable<char>);
    STATIC_REQUIRE_FALSE(mp::shared_memory::Shareable<void*>);
}

TEST_CASE("negative places count from the end, and wrong ones are named", "[shareable_list]") {
    const ShareableList list{1, 2, 3};
    const Unlinked guard{list.shm()};
    CHECK(list.get<int>(-1) == 3);
    CHECK(list.get<int>(-3) == 1);
    list.set(-2, 20);
    CHECK(list.get<int>(1) == 20);
    for (const std::ptrdiff_t i :
         {std::ptrdiff_t{3}, std::ptrdiff_t{-4}, std::numeric_limits<std::ptrdiff_t>::min()}) {
        CHECK_THROWS_AS(list.get<int>(i), std::out_of_range);
        CHECK_THROWS_AS(list.set(i, 1), std::out_of_range);
        CHECK_THROWS_AS(list.format(i), std::out_of_range);
    }
    CHECK_THROWS_WITH(list.get<int>(3), ContainsSubstring("has 3 values, and no 3"));
}

TEST_CASE("a value of another type is an error that says what it is", "[shareable_list]") {
    const ShareableList list = list_of_cpython();
    const Unlinked guard{list.shm()};
    CHECK_THROWS_AS(list.get<int>(0), std::invalid_argument);
    CHECK_THROWS_WITH(list.get<int>(0), ContainsSubstring("value 0") && ContainsSubstring(list.shm().name()) &&
                                            ContainsSubstring("is a text: get<std::string>"));
    CHECK_THROWS_WITH(list.get<std::string>(1), ContainsSubstring("is bytes"));
    CHECK_THROWS_WITH(list.get<int>(2), ContainsSubstring("is a floating point number"));
    CHECK_THROWS_WITH(list.get<double>(3), ContainsSubstring("is an integer"));
    CHECK_THROWS_WITH(list.get<int>(4), ContainsSubstring("is None"));
    CHECK_THROWS_WITH(list.get<int>(-2),
                      ContainsSubstring("value -2") && ContainsSubstring("is a truth value"));
    list.set(3, 256);
    CHECK_THROWS_AS(list.get<std::uint8_t>(3), std::out_of_range);
    CHECK_THROWS_AS(list.set(3, std::numeric_limits<std::uint64_t>::max()), std::out_of_range);
    CHECK(list.get<int>(3) == 256); // nothing was written
}

TEST_CASE("a value is replaced where it lies, by one of another type too", "[shareable_list]") {
    const ShareableList list{1, "eight by"}; // 8 and 16 bytes
    const Unlinked guard{list.shm()};
    const auto everything = [&](std::ptrdiff_t i) {
        list.set(i, "text");
        CHECK(list.get<std::string>(i) == "text");
        list.set(i, std::numeric_limits<std::int64_t>::min());
        CHECK(list.get<std::int64_t>(i) == std::numeric_limits<std::int64_t>::min());
        list.set(i, true);
        CHECK(list.get<bool>(i));
        list.set(i, false);
        CHECK_FALSE(list.get<bool>(i));
        list.set(i, bytes_of("b"));
        CHECK(list.get<Bytes>(i) == bytes_of("b"));
        list.set(i, nullptr);
        CHECK(list.get<std::optional<int>>(i) == std::nullopt);
        list.set(i, 2.5F);
        CHECK(list.get<double>(i) == 2.5);
        list.set(i, std::string("12345678"));
        CHECK(list.get<std::string>(i) == "12345678");
        list.set(i, "");
        CHECK(list.get<std::string>(i).empty());
    };
    everything(0);
    everything(1);
    list.set(1, "sixteen letters.");
    CHECK(list.get<std::string>(1) == "sixteen letters.");
    CHECK(list.get<std::string>(0).empty());
    CHECK(list.format() == "8s16s");
    CHECK_THROWS_AS(list.set(0, "nine byte"), std::invalid_argument);
    CHECK_THROWS_WITH(list.set(0, "nine byte"), ContainsSubstring("8 bytes, and 9 are wanted"));
    CHECK(list.get<std::string>(0).empty());
}

TEST_CASE("text is given room by its bytes, so that none is cut", "[shareable_list]") {
    const std::string accents =
        "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"; // 7 letters, 14 bytes
    const ShareableList list{accents, "12345678", bytes_of("1234567")};
    const Unlinked guard{list.shm()};
    CHECK(list.get<std::string>(0) == accents);
    CHECK(list.format() == "16s16s8s");
}

TEST_CASE("texts and bytes that end in a zero byte are refused, others come back whole", "[shareable_list]") {
    const std::string within("\0a\0b", 4);
    const ShareableList list{within, bytes_of(within), "", Bytes()};
    const Unlinked guard{list.shm()};
    CHECK(list.get<std::string>(0) == within);
    CHECK(list.get<Bytes>(1) == bytes_of(within));
    CHECK(list.get<std::string>(2).empty());
    CHECK(list.get<Bytes>(3).empty());
    for (const std::string& text : {std::string("x\0", 2), std::string("\0\1\0", 3), std::string(1, '\0')}) {
        CHECK_THROWS_AS(ShareableList{text}, std::invalid_argument);
        CHECK_THROWS_AS(ShareableList{bytes_of(text)}, std::invalid_argument);
        CHECK_THROWS_AS(list.set(0, text), std::invalid_argument);
        CHECK_THROWS_AS(list.set(1, bytes_of(text)), std::invalid_argument);
    }
    CHECK(list.get<std::string>(0) == within); // nothing changed
    CHECK(list.get<Bytes>(1) == bytes_of(within));
}

TEST_CASE("the limits of every type come back as they were", "[shareable_list]") {
    const ShareableList list{INT64_MIN, INT64_MAX, 5e-324, -0.0, 1.7976931348623157e308, false, true, nullptr};
    const Unlinked guard{list.shm()};
    CHECK(list.get<std::int64_t>(0) == INT64_MIN);
    CHECK(list.get<std::int64_t>(1) == INT64_MAX);
    CHECK(list.get<double>(2) == 5e-324);
    CHECK(std::signbit(list.get<double>(3)));
    CHECK(list.get<double>(4) == 1.7976931348623157e308);
    CHECK_FALSE(list.get<bool>(5));
    CHECK(list.get<bool>(6));
    CHECK(list.get<std::nullptr_t>(7) == nullptr);
    CHECK_THROWS_AS(ShareableList{UINT64_MAX}, std::out_of_range);
}

TEST_CASE("a text of 10 MB has no format, and is refused", "[shareable_list]") {
    const std::string largest(9'999'991, 'x');
    const ShareableList list{largest};
    const Unlinked guard{list.shm()};
    CHECK(list.format() == "9999992s");
    CHECK(list.get<std::string>(0) == largest);
    CHECK(ShareableList({.name = list.shm().name()}).get<std::string>(0) == largest);
    CHECK_THROWS_AS(ShareableList{largest + "x"}, std::invalid_argument);
}

TEST_CASE("index and count find what equals, as in Python", "[shareable_list]") {
    const ShareableList list{1, 1.0, true, "1", bytes_of("1"), nullptr, 0, false, "1"};
    const Unlinked guard{list.shm()};
    CHECK(list.count(1) == 3);
    CHECK(list.count(1.0) == 3);
    CHECK(list.count(true) == 3);
    CHECK(list.count("1") == 2);
    CHECK(list.count(bytes_of("1")) == 1);
    CHECK(list.count(nullptr) == 1);
    CHECK(list.index("1") == 3);
    CHECK(list.index(std::nullopt) == 5);
    CHECK(list.index(0U) == 6);
    CHECK(list.count("none") == 0);
    CHECK_THROWS_AS(list.index("none"), std::invalid_argument);
    CHECK(list.count(0.5) == 0);
    // 2 to the 53rd and one more: the same as doubles, not the same number
    constexpr std::int64_t exact = std::int64_t{1} << 53;
    CHECK(ShareableValue(exact) == static_cast<double>(exact));
    CHECK_FALSE(ShareableValue(exact + 1) == static_cast<double>(exact));
    CHECK_FALSE(ShareableValue(std::numeric_limits<std::int64_t>::max()) == 9223372036854775808.0);
    CHECK_FALSE(ShareableValue(0) == std::numeric_limits<double>::quiet_NaN());
    CHECK(ShareableValue("a") == std::variant<int, std::string>("a"));
    CHECK(ShareableValue(1) != nullptr);
}

TEST_CASE("a list is a range of its values", "[shareable_list]") {
    const ShareableList list{1, "two", 3.5};
    const Unlinked guard{list.shm()};
    std::vector<ShareableValue> seen;
    for (const ShareableValue value : list) seen.push_back(value);
    CHECK(seen == std::vector<ShareableValue>{1, "two", 3.5});
    CHECK(std::get<std::string>(seen[1]) == "two");
    CHECK(std::visit([](const auto& value) { return sizeof value; }, seen[2]) == 8);
    CHECK(std::ranges::distance(list) == 3);
    CHECK(mp::loads<std::vector<ShareableValue>>(mp::dumps(seen)) == seen);
}

TEST_CASE("a format may say how long a text is, and the offsets how much room it has", "[shareable_list]") {
    // As CPython may write it one day: "5s" in a place of 8 bytes.
    Bytes bytes = vector_of_cpython();
    put_text(bytes, 128, "5s");
    const SharedMemory shm = memory_of(bytes);
    const Unlinked guard{shm};
    const ShareableList list({.name = shm.name()});
    CHECK(list.get<std::string>(0) == "howdy");
    list.set(0, "abc");
    CHECK(list.format(0) == "5s");
    CHECK(list.get<std::string>(0) == "abc");
    list.set(0, "abcdefgh"); // which does not fit that format, but the place
    CHECK(list.format(0) == "8s");
    CHECK(list.get<std::string>(0) == "abcdefgh");
}

TEST_CASE("a closed list, and one made of nothing, say so", "[shareable_list]") {
    const ShareableList list{1, 2};
    const Unlinked guard{list.shm()};
    list.shm().close();
    CHECK_THROWS_WITH(list.get<int>(0), ContainsSubstring(list.shm().name()) && ContainsSubstring("closed"));
    CHECK_THROWS_AS(list.set(0, 1), std::invalid_argument);
    CHECK_THROWS_AS(list.count(1), std::invalid_argument);
    const ShareableList none;
    CHECK(none.size() == 0);
    CHECK_THROWS_AS(none.get<int>(0), std::out_of_range);
    CHECK(mp::loads<ShareableList>(mp::dumps(none)).size() == 0);
}

TEST_CASE("a list crosses by name", "[shareable_list]") {
    STATIC_REQUIRE(mp::Serializable<ShareableList>);
    const ShareableList list{1, "two"};
    const Unlinked guard{list.shm()};
    const auto arrived = mp::loads<ShareableList>(mp::dumps(list));
    arrived.set(0, 10);
    CHECK(list.get<int>(0) == 10);
}

TEST_CASE("memory that holds no list is refused, and nothing beyond its end is read", "[shareable_list]") {
    struct Forgery {
        const char* what;
        std::function<void(Bytes&)> apply;
        const char* error;
    };
    constexpr auto largest = std::numeric_limits<std::int64_t>::max();
    const std::vector<Forgery> forgeries{
        {"short", [](Bytes& b) { b.resize(7); }, "too short, 7 bytes"},
        {"cut", [](Bytes& b) { b.pop_back(); }, "offset 7 is 56"},
        {"zero bytes only", [](Bytes& b) { b.assign(1, std::byte{0}); }, "too short"},
        {"negative count", [](Bytes& b) { put_number(b, 0, -1); }, "-1 values"},
        {"large count", [](Bytes& b) { put_number(b, 0, 11); }, "too few for the 11 values"},
        {"huge count", [](Bytes& b) { put_number(b, 0, largest); }, "too few"},
        {"first offset", [](Bytes& b) { put_number(b, 8, 1); }, "offset 0 is 1"},
        {"negative offset", [](Bytes& b) { put_number(b, 16, -8); }, "offset 1 is -8"},
        {"descending offset", [](Bytes& b) { put_number(b, 24, 7); }, "offset 2 is 7"},
        {"large offset", [](Bytes& b) { put_number(b, 64, 57); }, "offset 7 is 57"},
        {"huge offset", [](Bytes& b) { put_number(b, 64, largest); }, "offset 7 is"},
    };
    for (const Forgery& forgery : forgeries) {
        INFO(forgery.what);
        Bytes bytes = vector_of_cpython();
        forgery.apply(bytes);
        using Layout = mp::detail::ShareableLayout;
        CHECK_THROWS_AS(Layout(bytes), std::runtime_error);
        CHECK_THROWS_WITH(Layout(bytes), ContainsSubstring(forgery.error));
#if !defined(_WIN32) // there memory has whole pages, and some of these are no forgeries
        const SharedMemory shm = memory_of(bytes);
        const Unlinked guard{shm};
        CHECK_THROWS_WITH(ShareableList({.name = shm.name()}), ContainsSubstring(forgery.error));
#endif
    }
}

TEST_CASE("values of a list that is overwritten later are refused one by one", "[shareable_list]") {
    const ShareableList list = list_of_cpython();
    const Unlinked guard{list.shm()};
    const std::span<std::byte> memory = list.shm().buf();
    const auto refused = [&](std::ptrdiff_t i, const char* error) {
        CHECK_THROWS_AS(list.get<ShareableValue>(i), std::runtime_error);
        CHECK_THROWS_WITH(list.get<ShareableValue>(i), ContainsSubstring(error));
    };
    put_text(memory, 128, "9s");
    refused(0, "is of format 9s, but has 8 bytes");
    put_text(memory, 128, "9999999s"); // all of its 8 letters, no null behind them
    refused(0, "is of format 9999999s");
    put_text(memory, 136, "12\0s456s");
    put_text(memory, 136, std::string_view("12\0s456s", 8));
    refused(1, "damaged");
    put_text(memory, 144, "q");
    CHECK(list.get<std::int64_t>(2) != 0); // a double's bits are an integer's, too
    put_text(memory, 144, "i");
    refused(2, "of format 'i'");
    memory[187] = std::byte{9};
    refused(3, "code 9");
    memory[187] = std::byte{0xFF};
    refused(3, "code 255");
    memory[188] = std::byte{0};
    refused(4, "of format 'xxxxxx?x' and code 0");
    put_number(memory, 56, 44); // the values around it now have 4 and 12 bytes
    refused(5, "of 4 bytes");
    CHECK_THROWS_WITH(list.set(5, 1), ContainsSubstring("4 bytes, and 8 are wanted"));
    put_number(memory, 64, std::numeric_limits<std::int64_t>::max());
    refused(6, "of 56 bytes");
    CHECK_THROWS_AS(list.set(6, 1), std::runtime_error);
    put_number(memory, 64, -1);
    refused(6, "to -1");
    put_number(memory, 0, 1'000'000); // once found, it has the values that it had
    CHECK(list.size() == 7);
    CHECK_THROWS_AS(list.get<int>(7), std::out_of_range);
}
