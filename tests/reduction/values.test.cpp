// SPDX-License-Identifier: BSL-1.0
#include <reduction/values.hpp>
#include <support/catch.hpp>

#include <multiprocessing/reduction.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <span>
#include <stdexcept>

using namespace reduction;

namespace {

/// A class that only its hook knows.
class Kelvin {
public:
    Kelvin() = default;
    explicit Kelvin(double degrees) : degrees_(degrees) {}
    double degrees() const { return degrees_; }
    template <class Archive>
    void serialize(Archive& ar) {
        ar(degrees_);
    }

private:
    double degrees_ = 0;
};

/// A class whose objects must be made with something, and which writes it down.
class Celsius {
public:
    explicit Celsius(double degrees) : degrees_(degrees) {}
    template <class Archive>
    void save(Archive& ar) const {
        ar(degrees_);
    }
    template <class Archive>
    static Celsius load(Archive& ar) {
        double degrees = 0;
        ar(degrees);
        return Celsius{degrees};
    }
    bool operator==(const Celsius&) const = default;
    auto operator<=>(const Celsius&) const = default;

private:
    double degrees_;
};

struct Self : std::enable_shared_from_this<Self> {
    int number = 0;
    template <class Archive>
    void serialize(Archive& ar) {
        ar(number);
    }
};

struct Throws {
    int number = 0;
    Throws() = default;
    Throws(const Throws&) { throw std::runtime_error("no copies"); }
    template <class Archive>
    void serialize(Archive& ar) {
        ar(number);
    }
};

int twice(int number) { return 2 * number; }
int thrice(int number) { return 3 * number; }

template <class T>
T there_and_back(const T& value) {
    return mp::loads<T>(mp::dumps(value));
}

struct PaddedNumber {
    char tag;
    int number;
};
struct FlatArrays {
    int numbers[2][2];
    Point points[1];
};
struct ManyArrays {
    int numbers[2][3];
    Point points[2];
    std::string texts[2][1][2];
    std::optional<int> optionals[3];
    std::array<std::string, 2> arrays[2];
    std::vector<int> vectors[2][2];
    bool flags[2];
    PaddedNumber padded[2];
    long double reals[2];
    std::unique_ptr<int> owned[2];
    std::pair<int, std::string> pairs[2];
    char text[7];
    Kelvin celsius[2];
    int last;
};
ManyArrays some_arrays() {
    return {{{1, 2, 3}, {4, 5, 6}},
            {{1, 2}, {3, 4}},
            {{{"a", "b"}}, {{"c", "d"}}},
            {1, {}, 3},
            {{{"e", "f"}}, {{"g", "h"}}},
            {{{1}, {2}}, {{3, 4}, {}}},
            {true, false},
            {{'a', 1}, {'b', 2}},
            {1.5L, 2.5L},
            {std::make_unique<int>(5), nullptr},
            {{1, "p"}, {2, "q"}},
            "hello",
            {Kelvin{1.0}, Kelvin{2.0}},
            9};
}

template <class T>
struct Wrapped {
    T value;
};
struct AnonymousUnion {
    int kind;
    union {
        int whole;
        float real;
    };
};
struct AnonymousFirst {
    union {
        Point point;
        double real;
    };
    std::string name;
};
struct UnnamedMember {
    int kind;
    struct {
        int x, y;
    } place;
};
struct HookedUnion {
    union {
        int whole;
        float real;
    };
    std::string name;
    template <class Archive>
    void serialize(Archive& ar) {
        ar(whole, name);
    }
};

} // namespace

template <>
struct reduction::Random<Celsius> {
    static Celsius make(Engine& engine) { return Celsius{random_value<double>(engine)}; }
};

using Numbers = std::tuple<bool, char, signed char, unsigned char, char8_t, char16_t, char32_t, wchar_t, short,
                           int, long, long long, unsigned short, unsigned, unsigned long, unsigned long long,
                           float, double, long double, Colour, Switch, Plain, std::byte>;
using Fixed =
    std::tuple<std::nullptr_t, std::monostate, Empty, std::array<int, 3>, std::array<std::string, 3>,
               std::array<std::array<Padded, 2>, 2>, std::pair<int, std::string>, std::tuple<int, bool, Job>,
               std::optional<int>, std::optional<Job>, std::variant<int, std::string, Job>, std::complex<float>,
               std::complex<long double>, std::chrono::nanoseconds, std::chrono::duration<double, std::milli>,
               std::chrono::system_clock::time_point, std::chrono::steady_clock::time_point,
               std::filesystem::path, std::bitset<1>, std::bitset<64>, std::bitset<77>, Point, Padded, Job,
               Node, Celsius>;
using Containers =
    std::tuple<std::string, std::wstring, std::u8string, std::u16string, std::u32string, std::vector<int>,
               std::vector<std::string>, std::vector<bool>, std::vector<std::vector<bool>>, std::vector<Point>,
               std::vector<Padded>, std::vector<Job>, std::vector<Colour>, std::vector<Empty>,
               std::vector<std::array<Empty, 2>>, std::vector<std::pair<Empty, Empty>>, std::vector<Celsius>,
               std::vector<std::optional<Celsius>>, std::vector<int, PlainAllocator<int>>, std::deque<double>,
               std::list<std::string>, std::forward_list<int>, std::forward_list<std::string>, std::set<int>,
               std::multiset<std::string>, std::map<std::string, Job>, std::multimap<int, std::string>,
               std::map<int, std::map<int, std::vector<std::string>>>, std::map<int, Celsius>,
               std::set<Celsius>, Bag<int>, Bag<std::string>, std::list<Bag<Point>>>;
using Pointers =
    std::tuple<std::unique_ptr<int>, std::unique_ptr<Node>, std::vector<std::unique_ptr<std::string>>,
               std::shared_ptr<Job>, std::vector<std::shared_ptr<std::vector<int>>>>;
using Unordered = std::tuple<std::unordered_set<int>, std::unordered_map<std::string, Job>,
                             std::unordered_multiset<int>, std::unordered_multimap<int, std::string>>;

TEMPLATE_LIST_TEST_CASE("numbers cross unchanged, and equal ones give equal bytes", "[reduction]", Numbers) {
    Engine engine{1};
    for (int i = 0; i < 200; ++i) {
        const auto value = random_value<TestType>(engine);
        const auto bytes = mp::dumps(value);
        CHECK(there_and_back(value) == value);
        CHECK(mp::dumps(there_and_back(value)) == bytes);
        CHECK(bytes.size() == 8 + sizeof(TestType));
    }
}

TEMPLATE_LIST_TEST_CASE("values with a number of parts that the type knows cross unchanged", "[reduction]",
                        Fixed) {
    Engine engine{2};
    for (int i = 0; i < 50; ++i) {
        const auto value = random_value<TestType>(engine);
        const auto back = there_and_back(value);
        CHECK(back == value);
        CHECK(mp::dumps(back) == mp::dumps(value));
    }
}

TEMPLATE_LIST_TEST_CASE("containers cross unchanged, in order", "[reduction]", Containers) {
    Engine engine{3};
    for (int i = 0; i < 30; ++i) {
        const auto value = random_value<TestType>(engine);
        const auto back = there_and_back(value);
        CHECK(back == value);
        CHECK(mp::dumps(back) == mp::dumps(value));
    }
}

TEMPLATE_LIST_TEST_CASE("what pointers own crosses with them", "[reduction]", Pointers) {
    Engine engine{4};
    for (int i = 0; i < 30; ++i) {
        const auto value = random_value<TestType>(engine);
        const auto back = there_and_back(value);
        CHECK(same(back, value));
        CHECK(mp::dumps(back) == mp::dumps(value));
    }
}

TEMPLATE_LIST_TEST_CASE("unordered containers cross unchanged", "[reduction]", Unordered) {
    Engine engine{5};
    for (int i = 0; i < 30; ++i) {
        const auto value = random_value<TestType>(engine);
        CHECK(there_and_back(value) == value);
    }
}

TEST_CASE("a value replaces what its default constructor made", "[reduction]") {
    Job job; // its table is not empty by default
    job.table.clear();
    job.name.clear();
    CHECK(there_and_back(job) == job);

    struct Settings {
        std::optional<int> limit = 5;
        std::vector<bool> flags = {true, true};
        std::forward_list<int> list = {1, 2};
        std::unique_ptr<int> pointer = std::make_unique<int>(3);
        std::variant<int, std::string> either = "text";
    };
    const auto back = there_and_back(Settings{std::nullopt, {}, {}, nullptr, 7});
    CHECK(!back.limit);
    CHECK(back.flags.empty());
    CHECK(back.list.empty());
    CHECK(!back.pointer);
    CHECK(back.either.index() == 0);
}

TEST_CASE("large arrays cross as one block and as cheaply as small ones", "[reduction]") {
    std::vector<double> numbers(100'000);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i) / 3;
    const auto bytes = mp::dumps(numbers);
    CHECK(bytes.size() < sizeof(double) * numbers.size() + 32);
    CHECK(mp::loads<std::vector<double>>(bytes) == numbers);

    // Neither the bytes nor what is in them is aligned: read them from every offset.
    std::vector<std::byte> shifted(bytes.size() + 16);
    for (std::size_t shift = 0; shift < 16; ++shift) {
        std::memcpy(shifted.data() + shift, bytes.data(), bytes.size());
        CHECK(mp::loads<std::vector<double>>(std::span(shifted).subspan(shift, bytes.size())) == numbers);
    }

    struct Image {
        int width = 0;
        std::array<std::array<unsigned char, 300>, 300> pixels{};
        std::string name;
        bool operator==(const Image&) const = default;
    };
    const auto image = std::make_unique<Image>();
    image->pixels[17][30] = 200;
    image->name = "behind the block";
    CHECK(*mp::loads<std::unique_ptr<Image>>(mp::dumps(image)) == *image);
}

TEST_CASE("padding is not copied: equal values give equal bytes whatever lies between their fields",
          "[reduction]") {
    struct Loose {
        std::int8_t c;
        double d;
        std::int16_t s;
    };
    alignas(Loose) std::byte memory[2][sizeof(Loose)];
    std::memset(memory[0], 0x55, sizeof memory[0]);
    std::memset(memory[1], 0xAA, sizeof memory[1]);
    std::vector<std::byte> bytes[2];
    for (int i = 0; i < 2; ++i) {
        auto* const value = reinterpret_cast<Loose*>(memory[i]);
        value->c = 'x';
        value->d = 2.5;
        value->s = 3;
        bytes[i] = mp::dumps(*value);
        CHECK(bytes[i].size() == 8 + 1 + 8 + 2);
    }
    CHECK(bytes[0] == bytes[1]);

    if (std::numeric_limits<long double>::digits == 64) { // ten bytes of value
        const auto number = mp::dumps(1.25L);
        CHECK(
            std::all_of(number.begin() + 8 + 10, number.end(), [](std::byte b) { return b == std::byte{0}; }));
    }
}

TEST_CASE("an object with several owners stays one object", "[reduction]") {
    const auto job = std::make_shared<Job>();
    job->name = "shared";
    const std::vector<std::shared_ptr<const Job>> jobs{job, nullptr, job, std::make_shared<Job>(*job)};
    const auto back = there_and_back(jobs);
    REQUIRE(back.size() == 4);
    CHECK(back[0] == back[2]);
    CHECK(back[1] == nullptr);
    CHECK(back[3] != back[0]);
    CHECK(*back[3] == *back[0]);
    CHECK(back[0]->name == "shared");
    CHECK(back[0].use_count() == 2);

    // Also one pointer to const and one that may write.
    const std::pair<std::shared_ptr<const Job>, std::shared_ptr<Job>> both{job, job};
    const auto both_back = there_and_back(both);
    CHECK(both_back.first == both_back.second);

    // Objects that hold other ones are numbered before those.
    struct Outer {
        std::shared_ptr<Job> job;
    };
    const auto outer = std::make_shared<Outer>(Outer{job});
    const auto nested = there_and_back(std::tuple{outer, job, outer});
    CHECK(std::get<0>(nested)->job == std::get<1>(nested));
    CHECK(std::get<0>(nested) == std::get<2>(nested));
}

TEST_CASE("many objects with several owners cost no more than their number", "[reduction]") {
    std::vector<std::shared_ptr<int>> all(20'000);
    for (std::size_t i = 0; i < all.size(); ++i)
        all[i] = i % 2 ? all[i - 1] : std::make_shared<int>(static_cast<int>(i));
    const auto back = there_and_back(all);
    CHECK(back[19'998] == back[19'999]);
    CHECK(*back[19'998] == 19'998);
}

TEST_CASE("a cycle of shared_ptr is an error, not a stack overflow", "[reduction]") {
    struct Loop {
        std::shared_ptr<Loop> next;
    };
    const auto loop = std::make_shared<Loop>();
    loop->next = std::make_shared<Loop>(Loop{loop});
    CHECK_THROWS_AS(mp::dumps(loop), mp::SerializationError);
    CHECK_THROWS_WITH(mp::dumps(loop), ContainsSubstring("refers to itself") && ContainsSubstring("Loop"));
    loop->next->next = nullptr;
    CHECK(there_and_back(loop)->next->next == nullptr);
}

TEST_CASE("two shared_ptr of different types to one place are an error", "[reduction]") {
    const auto point = std::make_shared<Point>();
    const std::shared_ptr<std::int32_t> inside(point, &point->x);
    const std::pair both{point, inside};
    CHECK_THROWS_AS(mp::dumps(both), mp::SerializationError);
    CHECK(*there_and_back(inside) == 0); // alone it is fine
}

TEST_CASE("an owner of itself by enable_shared_from_this finds itself again", "[reduction]") {
    const auto self = std::make_shared<Self>();
    self->number = 5;
    const auto back = there_and_back(self);
    CHECK(back->number == 5);
    CHECK(back->shared_from_this() == back);
}

TEST_CASE("a function pointer arrives as the same function, null as null", "[reduction]") {
    CHECK(there_and_back(&twice)(4) == 8);
    CHECK(there_and_back(&thrice) == &thrice);
    CHECK(there_and_back(static_cast<int (*)(int)>(nullptr)) == nullptr);
    const auto table =
        there_and_back(std::map<std::string, int (*)(int)>{{"twice", twice}, {"thrice", thrice}});
    CHECK(table.at("thrice")(5) == 15);
}

TEST_CASE("a function pointer of another type is refused even inside a type of the same name", "[reduction]") {
    auto bytes = mp::dumps(&twice);
    for (std::size_t i = bytes.size() - 8; i < bytes.size(); ++i) { // the function's own fingerprint
        auto forged = bytes;
        forged[i] ^= std::byte{1};
        CHECK_THROWS_AS(mp::loads<int (*)(int)>(forged), mp::SerializationError);
    }
    for (std::size_t i = 9; i < bytes.size() - 8; ++i) { // image and offset
        auto forged = bytes;
        forged[i] ^= std::byte{0xff};
        try {
            static_cast<void>(mp::loads<int (*)(int)>(forged)); // some other place in the code, perhaps
        } catch (const mp::SerializationError&) {}
    }
}

TEST_CASE("lambdas without captures and other empty functors carry nothing", "[reduction]") {
    const auto square = [](int number) { return number * number; };
    CHECK(mp::dumps(square).size() == 8);
    CHECK(there_and_back(square)(5) == 25);
    CHECK(there_and_back(std::plus<>{})(1, 2) == 3);

    struct Add {
        int summand = 0;
        int operator()(int number) const { return number + summand; }
    };
    CHECK(there_and_back(Add{3})(4) == 7);
}

TEST_CASE("a variant without value is an error", "[reduction]") {
    std::variant<int, Throws> value = 1;
    const Throws source;
    CHECK_THROWS_AS(value.emplace<1>(source), std::runtime_error);
    REQUIRE(value.valueless_by_exception());
    CHECK_THROWS_AS(mp::dumps(value), mp::SerializationError);
}

TEST_CASE("a type is known by its name and by what it is made of", "[reduction]") {
    using mp::detail::fingerprint;
    struct Same {
        std::int32_t x;
        std::int32_t y;
    };
    CHECK(fingerprint<Same>() != fingerprint<Point>());
    CHECK(fingerprint<std::vector<int>>() != fingerprint<std::vector<unsigned>>());
    CHECK(fingerprint<std::map<int, Node>>() != fingerprint<Node>());
    CHECK(fingerprint<Node>() == fingerprint<Node>());
    CHECK_THROWS_AS(mp::loads<Point>(mp::dumps(Same{1, 2})), mp::SerializationError);
    CHECK_THROWS_WITH(mp::loads<Point>(mp::dumps(Same{1, 2})),
                      ContainsSubstring("Point") && ContainsSubstring("another type"));
    CHECK_THROWS_AS(mp::loads<int>(mp::dumps(1U)), mp::SerializationError);
}

TEST_CASE("names of types are those that people write", "[reduction]") {
    using mp::detail::readable;
    using mp::detail::spelled_name;
    using mp::detail::type_name;
    STATIC_REQUIRE(type_name<std::string>() == "std::string");
    STATIC_REQUIRE(type_name<std::vector<std::string>>() == "std::vector<std::string>");
    STATIC_REQUIRE(type_name<std::map<std::string, std::vector<int>>>() ==
                   "std::map<std::string, std::vector<int>>");
    STATIC_REQUIRE(type_name<std::variant<int, std::vector<Point>>>() ==
                   "std::variant<int, std::vector<reduction::Point>>");
    STATIC_REQUIRE(type_name<std::unordered_map<int, std::unique_ptr<int>>>() ==
                   "std::unordered_map<int, std::unique_ptr<int>>");
    STATIC_REQUIRE(type_name<std::filesystem::path>() == "std::filesystem::path");
    STATIC_REQUIRE(type_name<const char*>() == "const char*");
    STATIC_REQUIRE(type_name<int[3]>() == "int[3]");
    STATIC_REQUIRE(type_name<mp::SerializationError>() == "multiprocessing::SerializationError");
    CHECK(readable(spelled_name<std::vector<mp::ProcessError>>()) ==
          "std::vector<multiprocessing::ProcessError>");
}

TEST_CASE("arrays of every rank and element kind cross as members", "[reduction]") {
    const ManyArrays before = some_arrays();
    const std::vector<std::byte> bytes = mp::dumps(before);
    CHECK(bytes == mp::dumps(some_arrays()));
    const auto after = mp::loads<ManyArrays>(bytes);
    CHECK(after.numbers[1][2] == 6);
    CHECK(after.points[1] == Point{3, 4});
    CHECK(after.texts[1][0][1] == "d");
    CHECK(after.optionals[2] == 3);
    CHECK_FALSE(after.optionals[1].has_value());
    CHECK(after.arrays[1][0] == "g");
    CHECK(after.vectors[1][0] == std::vector<int>{3, 4});
    CHECK((after.flags[0] && !after.flags[1]));
    CHECK(after.padded[1].number == 2);
    CHECK(after.reals[1] == 2.5L);
    CHECK((*after.owned[0] == 5 && !after.owned[1]));
    CHECK(after.pairs[1].second == "q");
    CHECK(std::string(after.text) == "hello");
    CHECK(after.celsius[1].degrees() == 2.0);
    CHECK(after.last == 9);
    STATIC_REQUIRE(mp::detail::is_bitwise<FlatArrays>);
    STATIC_REQUIRE_FALSE(mp::detail::is_bitwise<ManyArrays>);
    const FlatArrays flat[2] = {{{{1, 2}, {3, 4}}, {{5, 6}}}, {}};
    CHECK(mp::dumps(flat).size() == 8 + sizeof flat);
    STATIC_REQUIRE(mp::detail::fingerprint<Wrapped<int[2][3]>>() !=
                   mp::detail::fingerprint<Wrapped<int[3][2]>>());
}

TEST_CASE("a class with an anonymous union crosses by its hook, alone and as a member", "[reduction]") {
    STATIC_REQUIRE_FALSE(mp::Serializable<AnonymousUnion>);
    STATIC_REQUIRE_FALSE(mp::Serializable<AnonymousFirst>);
    STATIC_REQUIRE_FALSE(mp::Serializable<Wrapped<AnonymousUnion>>);
    STATIC_REQUIRE_FALSE(mp::Serializable<Wrapped<AnonymousUnion[2]>>);
    STATIC_REQUIRE(mp::Serializable<Wrapped<UnnamedMember>>);
    STATIC_REQUIRE(mp::Serializable<Wrapped<HookedUnion[2]>>);
    Wrapped<HookedUnion[2]> before{};
    before.value[1].whole = 7;
    before.value[1].name = "seven";
    const auto after = mp::loads<Wrapped<HookedUnion[2]>>(mp::dumps(before));
    CHECK(after.value[1].whole == 7);
    CHECK(after.value[1].name == "seven");
}

#if defined(__SIZEOF_INT128__)
TEST_CASE("integers of 128 bits cross unchanged", "[reduction]") {
    __extension__ using Wide = unsigned __int128;
    const Wide wide = Wide{0x0123456789abcdef} << 64 | 0xfedcba9876543210;
    CHECK((mp::loads<Wide>(mp::dumps(wide)) == wide));
}
#endif
