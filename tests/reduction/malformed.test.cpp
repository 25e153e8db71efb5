// SPDX-License-Identifier: BSL-1.0
#include <reduction/values.hpp>
#include <support/allocations.hpp>
#include <support/catch.hpp>

#include <multiprocessing/reduction.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <span>

using namespace reduction;
using support::allocated_bytes;

namespace {

using Bytes = std::vector<std::byte>;

/// What loads() does with the bytes, true if it makes a value. It may throw nothing but SerializationError, and
/// take not much more memory than the message is large.
template <class T>
bool accepted(std::span<const std::byte> bytes) {
    const std::size_t before = allocated_bytes();
    bool result = false;
    try {
        static_cast<void>(mp::loads<T>(bytes));
        result = true;
    } catch (const mp::SerializationError& error) { CHECK_THAT(error.what(), StartsWith("multiprocessing: ")); }
    CHECK(allocated_bytes() - before < 64 * 1024 + 200 * bytes.size());
    return result;
}

/// The beginning of every message of a T.
template <class T>
Bytes header() {
    const std::uint64_t fingerprint = mp::detail::fingerprint<T>();
    Bytes bytes(sizeof fingerprint);
    std::memcpy(bytes.data(), &fingerprint, sizeof fingerprint);
    return bytes;
}

Bytes& add(Bytes& bytes, std::initializer_list<unsigned> more) {
    for (const unsigned value : more) bytes.push_back(static_cast<std::byte>(value));
    return bytes;
}

Bytes& add_length(Bytes& bytes, std::uint64_t count) {
    add(bytes, {0xff});
    for (unsigned i = 0; i < 8; ++i) add(bytes, {static_cast<unsigned>(count >> (8 * i) & 0xffU)});
    return bytes;
}

int callee(int number) { return number; }

struct Wide {
    std::array<std::string, 100> texts;
};

} // namespace

template <>
struct reduction::Random<int (*)(int)> {
    static auto make(Engine&) { return &callee; }
};

using Various =
    std::tuple<int, Job, Node, std::string, std::vector<std::string>, std::vector<double>, std::vector<bool>,
               std::map<std::string, Job>, std::variant<int, std::string, Job>, std::optional<Job>,
               std::bitset<77>, std::vector<Empty>, std::forward_list<std::string>,
               std::unordered_map<int, std::string>, std::vector<std::shared_ptr<std::string>>,
               std::unique_ptr<Node>, int (*)(int), std::filesystem::path,
               std::tuple<bool, Switch, long double>, Bag<std::vector<Point>>>;

TEMPLATE_LIST_TEST_CASE("a truncated message is refused at every cut, a longer one too", "[reduction]",
                        Various) {
    Engine engine{11};
    for (int i = 0; i < 10; ++i) {
        Bytes bytes = mp::dumps(random_value<TestType>(engine));
        REQUIRE(accepted<TestType>(bytes));
        for (std::size_t size = 0; size < bytes.size(); size += 1 + size / 200) {
            // In memory of its own, so that a sanitizer sees a read behind its end.
            const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
            CHECK(!accepted<TestType>(cut));
        }
        CHECK(!accepted<TestType>(add(bytes, {0})));
    }
}

TEMPLATE_LIST_TEST_CASE("bytes that were changed make a value or an error, and nothing else", "[reduction]",
                        Various) {
    Engine engine{12};
    for (int i = 0; i < 300; ++i) {
        Bytes bytes = mp::dumps(random_value<TestType>(engine));
        for (std::size_t changes = 1 + below(engine, 4); changes > 0 && bytes.size() > 8; --changes) {
            const std::size_t at = 8 + below(engine, bytes.size() - 8);
            switch (below(engine, 4)) {
            case 0: bytes[at] = static_cast<std::byte>(engine()); break;
            case 1: bytes[at] = std::byte{0xff}; break;
            case 2: bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at)); break;
            default:
                bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), static_cast<std::byte>(engine()));
            }
        }
        static_cast<void>(accepted<TestType>(bytes));
    }
}

TEMPLATE_LIST_TEST_CASE("random bytes make a value or an error, and nothing else", "[reduction]", Various) {
    Engine engine{13};
    for (int i = 0; i < 300; ++i) {
        Bytes bytes = header<TestType>();
        const bool small = below(engine, 2) == 0; // small numbers get further
        for (std::size_t count = below(engine, 100); count > 0; --count) {
            add(bytes, {static_cast<unsigned>(below(engine, small ? 4 : 256))});
        }
        static_cast<void>(accepted<TestType>(bytes));
    }
}

TEMPLATE_TEST_CASE("a forged length is refused before memory is taken for it", "[reduction]", std::string,
                   std::vector<double>, std::vector<std::string>, std::vector<Empty>, std::vector<bool>,
                   std::list<int>, std::vector<std::vector<int>>, (std::map<int, int>), std::forward_list<Job>,
                   (std::deque<std::monostate>), std::unordered_set<int>, std::vector<Wide>, Bag<int>) {
    for (const std::uint64_t count :
         {std::uint64_t{255}, std::uint64_t{1} << 20, std::uint64_t{1} << 28, std::uint64_t{1} << 32,
          std::uint64_t{1} << 60, std::uint64_t{1} << 61, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
        for (const std::size_t behind : {0U, 1U, 9U, 200U}) {
            Bytes bytes = header<TestType>();
            add_length(bytes, count).resize(bytes.size() + behind);
            CHECK(!accepted<TestType>(bytes));
        }
    }
}

TEST_CASE("elements that are large here and small there are not made room for before they are read",
          "[reduction]") {
    using List = std::vector<std::optional<Wide>>;
    Bytes bytes = header<List>();
    add(bytes, {200, 2}); // the first element is not valid
    bytes.resize(bytes.size() + 300);
    CHECK(!accepted<List>(bytes));
}

TEST_CASE("a length has one spelling only", "[reduction]") {
    Bytes bytes = header<std::string>();
    add_length(bytes, 1);
    add(bytes, {'x'});
    CHECK(!accepted<std::string>(bytes));
}

TEST_CASE("elements that take no bytes are as many as the message says and no more than it has bytes",
          "[reduction]") {
    using List = std::vector<Empty>;
    CHECK(mp::dumps(List(7)).size() == 8 + 1 + 7);
    Bytes bytes = header<List>();
    add(bytes, {3, 0, 0, 1});
    CHECK(!accepted<List>(bytes));
}

TEST_CASE("values that are not valid are refused", "[reduction]") {
    Bytes bytes = header<bool>();
    CHECK(!accepted<bool>(add(bytes, {2})));
    bytes = header<Switch>();
    CHECK(!accepted<Switch>(add(bytes, {0xff})));
    bytes = header<std::optional<int>>();
    CHECK(!accepted<std::optional<int>>(add(bytes, {7, 0, 0, 0, 0})));

    using Either = std::variant<int, std::string>;
    bytes = header<Either>();
    CHECK(!accepted<Either>(add(bytes, {2, 0, 0, 0, 0})));
    CHECK_THROWS_WITH(mp::loads<Either>(bytes), ContainsSubstring("no alternative 2"));

    using Flags = std::vector<bool>;
    bytes = header<Flags>();
    CHECK(!accepted<Flags>(add(bytes, {3, 0x08})));

    using Pointers = std::vector<std::shared_ptr<int>>;
    bytes = header<Pointers>();
    CHECK(!accepted<Pointers>(add(bytes, {1, 2, 0}))); // known, but there is none
    bytes = header<Pointers>();
    CHECK(!accepted<Pointers>(add(bytes, {1, 3, 0, 0, 0, 0})));
}

TEST_CASE("a shared_ptr cannot refer to an object of another type or to one around it", "[reduction]") {
    using Both = std::pair<std::shared_ptr<std::int32_t>, std::shared_ptr<float>>;
    Bytes bytes = header<Both>();
    CHECK(!accepted<Both>(add(bytes, {1, 0, 0, 0, 0, 2, 0})));

    struct Loop {
        std::shared_ptr<Loop> next;
    };
    bytes = header<std::shared_ptr<Loop>>();
    CHECK(!accepted<std::shared_ptr<Loop>>(add(bytes, {1, 2, 0})));
}

TEST_CASE("nesting is bounded both ways", "[reduction]") {
    struct Tree {
        std::vector<Tree> kids;
    };
    const auto deep = [](unsigned levels) {
        Tree tree;
        for (unsigned i = 1; i < levels; ++i) {
            Tree around;
            around.kids.push_back(std::move(tree));
            tree = std::move(around);
        }
        return tree;
    };
    CHECK(accepted<Tree>(mp::dumps(deep(1000))));
    CHECK_THROWS_AS(mp::dumps(deep(1001)), mp::SerializationError);
    CHECK_THROWS_WITH(mp::dumps(deep(1001)), ContainsSubstring("Tree") && ContainsSubstring("1000 levels"));

    for (const std::size_t levels : {1001U, 100'000U}) {
        Bytes bytes = header<Tree>();
        bytes.resize(bytes.size() + levels, std::byte{1});
        CHECK(!accepted<Tree>(bytes));
    }

    struct List {
        int number = 0;
        std::unique_ptr<List> next;
    };
    List list;
    for (int i = 0; i < 1001; ++i) list = List{i, std::make_unique<List>(std::move(list))};
    CHECK_THROWS_AS(mp::dumps(list), mp::SerializationError);
    CHECK(accepted<List>(mp::dumps(*list.next)));

    struct Shared {
        std::shared_ptr<Shared> next;
    };
    auto shared = std::make_shared<Shared>();
    for (int i = 0; i < 1000; ++i) shared = std::make_shared<Shared>(Shared{shared});
    CHECK_THROWS_AS(mp::dumps(shared), mp::SerializationError);
    CHECK(accepted<std::shared_ptr<Shared>>(mp::dumps(shared->next)));
}

TEST_CASE("an error names the type and the reason", "[reduction]") {
    Bytes bytes = header<std::list<int>>();
    add_length(bytes, 1'000'000).resize(5000);
    CHECK_THROWS_WITH(mp::loads<std::list<int>>(bytes),
                      ContainsSubstring("std::list<int>") && ContainsSubstring("more elements are claimed"));
    bytes = mp::dumps(Job{});
    bytes.pop_back();
    CHECK_THROWS_WITH(mp::loads<Job>(bytes), ContainsSubstring("Job") && ContainsSubstring("end too early"));
    bytes = mp::dumps(std::vector<int>{1, 2});
    add(bytes, {1, 2, 3});
    CHECK_THROWS_WITH(mp::loads<std::vector<int>>(bytes),
                      ContainsSubstring("std::vector<int>") && ContainsSubstring("3 bytes are left over"));
    CHECK_THROWS_WITH(mp::loads<Job>({}), ContainsSubstring("end too early"));
    CHECK_THROWS_WITH(mp::loads<std::string>(mp::dumps(Job{})),
                      ContainsSubstring("std::string") && ContainsSubstring("another type"));
}
