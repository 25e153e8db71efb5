// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>

#include <multiprocessing/reduction.hpp>

#include <any>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <stack>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <valarray>
#include <variant>
#include <vector>

namespace mp = multiprocessing;
using mp::Serializable;
using mp::Spawnable;
using mp::detail::Crossing;

// The verdicts are checked by the compiler; the texts that go with them when the test runs.
namespace {

template <class T>
std::string why_not() {
    return std::string(mp::detail::why_not<T, Crossing::anywhere>.view());
}

struct Handle {
    using multiprocessing_handle = void;
};

struct Where {
    int line;
    const char* file;
};
struct Job {
    int id;
    std::string name;
    std::vector<Where> at;
};
struct Node {
    std::vector<Node> kids;
    std::unique_ptr<Node> next;
    std::map<std::string, Node> named;
    std::shared_ptr<std::variant<int, Node>> other;
};
struct BadNode {
    std::vector<BadNode> kids;
    std::map<std::string, std::pair<int, BadNode*>> parents;
};

int global = 0;
class NoDefault {
public:
    explicit NoDefault(int number) : number_(number) {}
    int number() const { return number_; }

private:
    int number_;
};

struct WithReference {
    int id;
    int& target;
};
struct WithInitialisedReference {
    int id;
    int& target = global;
    std::string name;
};
struct WithConstReference {
    double matrix[2][2];
    std::string text;
    const std::string& name;
};
struct WithConst {
    int id;
    const int limit;
};
struct WithBitField {
    unsigned low : 4;
    unsigned high : 4;
};
struct WithBase : Job {
    int more;
};
struct WithNoDefault {
    int id;
    NoDefault number;
};
struct WithHiddenField {
    int id;
    NoDefault number = NoDefault(3);
};
struct WithUnion {
    union Either {
        int i;
        float f;
    } either;
};
struct Polymorphic {
    virtual ~Polymorphic() = default;
};
struct Incomplete;

struct MoreThanVector : std::vector<int> {
    using vector::vector;
    std::string name;
};
struct OtherNameForVector : std::vector<int> {
    using vector::vector;
};

/// As a JSON value may be: its elements are values of its own type, without end.
class Json {
public:
    using value_type = Json;
    Json() = default;
    ~Json() {}
    const Json* begin() const { return this; }
    const Json* end() const { return this + 1; }
    void push_back(Json) {}
    int number = 0;
    void clear() {}
};

struct Hooked {
    Hooked() {}
    template <class Archive>
    void serialize(Archive& ar) {
        ar(number);
    }
    int number = 0;
};
struct ForgetsToSerialize : Hooked {
    int more = 0;
};
struct AddsNothing : Hooked {};
struct Remembers : Hooked {
    int more = 0;
    template <class Archive>
    void serialize(Archive& ar) {
        Hooked::serialize(ar);
        ar(more);
    }
};
template <class Derived>
struct SerializesDerived {
    template <class Archive>
    void serialize(Archive& ar) {
        ar(static_cast<Derived&>(*this).number);
    }
};
struct KnownToBase : SerializesDerived<KnownToBase> {
    int number = 0;
};
class NeedsArgument {
public:
    explicit NeedsArgument(int) {}
    template <class Archive>
    void serialize(Archive&) {}
};
class Immovable {
public:
    Immovable() = default;
    Immovable(const Immovable&) = delete;
    template <class Archive>
    void serialize(Archive&) {}
};
class PrivateHook {
public:
    explicit PrivateHook(int) {}

private:
    template <class Archive>
    void serialize(Archive&) {}
};

struct Fields64 {
    int a[3];
    std::string b;
    int c00, c01, c02, c03, c04, c05, c06, c07, c08, c09, c10, c11, c12, c13, c14, c15, c16, c17, c18, c19, c20,
        c21, c22, c23, c24, c25, c26, c27, c28, c29, c30, c31, c32, c33, c34, c35, c36, c37, c38, c39, c40, c41,
        c42, c43, c44, c45, c46, c47, c48, c49, c50, c51, c52, c53, c54, c55, c56, c57, c58, c59, c60;
    std::vector<int> d;
};
struct Fields65 {
    int a[3];
    std::string b;
    int c00, c01, c02, c03, c04, c05, c06, c07, c08, c09, c10, c11, c12, c13, c14, c15, c16, c17, c18, c19, c20,
        c21, c22, c23, c24, c25, c26, c27, c28, c29, c30, c31, c32, c33, c34, c35, c36, c37, c38, c39, c40, c41,
        c42, c43, c44, c45, c46, c47, c48, c49, c50, c51, c52, c53, c54, c55, c56, c57, c58, c59, c60, c61;
    std::vector<int> d;
};

struct Empty {};
struct ImmovableEmpty {
    ImmovableEmpty() = default;
    ImmovableEmpty(const ImmovableEmpty&) = delete;
};
struct HoldsImmovable {
    int number;
    Immovable part;
};
struct BigArrays {
    char text[65536];
    double matrix[64][64];
};

using Less = bool (*)(int, int);

// ---- What crosses anywhere ----
static_assert(Serializable<int> && Serializable<bool> && Serializable<long double> && Serializable<char8_t>);
static_assert(Serializable<const int&> && Serializable<std::string&&>); // of what they refer to
static_assert(Serializable<std::nullptr_t> && Serializable<std::monostate> && Serializable<std::byte>);
static_assert(Serializable<int[3]> && Serializable<int[3][4]> && Serializable<std::array<std::string, 0>>);
static_assert(Serializable<std::vector<std::unique_ptr<Node>>> && Serializable<Node>);
static_assert(Serializable<std::set<int, std::greater<>>>);
static_assert(Serializable<Empty> && Serializable<BigArrays> && Serializable<Fields64>);
static_assert(Serializable<void (*)(int)> && Serializable<int (*)() noexcept>);
static_assert(Serializable<Hooked> && Serializable<AddsNothing> && Serializable<Remembers> &&
              Serializable<KnownToBase>);
static_assert(Serializable<OtherNameForVector>);
static_assert(Serializable<decltype([](int) {})> && Serializable<std::plus<>>);
static_assert(Serializable<std::chrono::year_month_day> == false && Serializable<std::chrono::seconds>);

// ---- What crosses as an argument only ----
static_assert(!Serializable<Handle> && Spawnable<Handle>);
static_assert(!Serializable<std::vector<std::pair<int, Handle>>> &&
              Spawnable<std::vector<std::pair<int, Handle>>>);
static_assert(Spawnable<Node> && Spawnable<int>);

// ---- What does not ----
template <class T>
inline constexpr bool never = !Serializable<T> && !Spawnable<T>;

static_assert(never<int*> && never<void*> && never<const char*> && never<char*> && never<void> &&
              never<int(int)>);
static_assert(never<std::string_view> && never<std::span<int>> && never<std::reference_wrapper<int>>);
static_assert(never<std::weak_ptr<int>> && never<std::function<void()>> && never<std::any>);
static_assert(never<int Job::*> && never<int (Job::*)()>);
static_assert(never<std::mutex> && never<std::atomic<int>> && never<std::condition_variable> &&
              never<std::thread>);
static_assert(never<std::ofstream> && never<std::ostream> && never<std::future<int>> && never<std::thread::id>);
static_assert(never<std::vector<std::mutex>> &&
              never<std::vector<int*>>); // which others believe to be serializable
static_assert(never<Job> && never<BadNode> && never<std::optional<Where>> && never<std::map<Where, int>>);
static_assert(never<WithReference> && never<WithInitialisedReference> && never<WithConstReference>);
static_assert(never<WithConst> && never<WithBitField> && never<WithBase> && never<WithUnion>);
static_assert(never<WithNoDefault> && never<WithHiddenField> && never<NoDefault> && never<Fields65>);
static_assert(never<std::unique_ptr<Polymorphic>> && never<std::shared_ptr<Polymorphic>>);
static_assert(never<std::unique_ptr<int[]>> && never<std::shared_ptr<int[]>> && never<std::shared_ptr<void>>);
static_assert(never<std::unique_ptr<int, void (*)(int*)>> && never<std::unique_ptr<Incomplete>>);
static_assert(never<std::set<int, Less>> &&
              never<std::unordered_map<int, int, std::function<std::size_t(int)>>>);
static_assert(never<MoreThanVector> && never<Json> && never<ForgetsToSerialize>);
static_assert(never<NeedsArgument> && never<Immovable> && never<ImmovableEmpty> && never<HoldsImmovable> &&
              never<PrivateHook>);
static_assert(never<std::tuple<int&>> && never<std::tuple<const int>> && never<std::valarray<int>>);

} // namespace

TEST_CASE("the text names the way to the member at fault", "[reduction]") {
    CHECK_THAT(why_not<Job>(), ContainsSubstring("field 2 'at' of "));
    CHECK_THAT(why_not<Job>(), ContainsSubstring("Job: element of std::vector<"));
    CHECK_THAT(why_not<Job>(),
               ContainsSubstring("Where: const char* cannot cross a process boundary (C string pointer: "
                                 "use std::string)"));
    CHECK_THAT(why_not<BadNode>(),
               ContainsSubstring("field 1 'parents' of ") && ContainsSubstring(": value of std::map<") &&
                   ContainsSubstring(": element 1 of std::pair<") && ContainsSubstring("raw pointer"));
    CHECK_THAT((why_not<std::map<Where, int>>()), StartsWith("key of std::map<"));
    CHECK_THAT((why_not<std::variant<int, Where>>()), StartsWith("alternative 1 of std::variant<int, "));
    CHECK_THAT((why_not<std::unique_ptr<Where>>()), StartsWith("pointee of std::unique_ptr<"));
    CHECK_THAT((why_not<std::vector<std::pair<int, Handle>>>()),
               ContainsSubstring(
                   "Handle cannot cross a process boundary (shared handle: may only be passed to a child "
                   "process or task as an argument)"));
}

TEST_CASE("a member that has no default value is named, too", "[reduction]") {
    CHECK_THAT(why_not<WithReference>(), StartsWith("field 1 of ") && ContainsSubstring("int& cannot cross") &&
                                             ContainsSubstring("(reference: "));
    CHECK_THAT(why_not<WithInitialisedReference>(),
               StartsWith("field 1 of ") && ContainsSubstring("(reference: "));
    CHECK_THAT(why_not<WithConstReference>(),
               StartsWith("field 2 of ") && ContainsSubstring("or a reference to const"));
    CHECK_THAT(why_not<WithConst>(), StartsWith("field 1 'limit' of ") && ContainsSubstring("(const"));
    CHECK_THAT(why_not<WithNoDefault>(), StartsWith("field 1 'number' of ") && ContainsSubstring("serialize"));
    CHECK_THAT(why_not<WithHiddenField>(), StartsWith("field 1 'number' of "));
    CHECK_THAT(why_not<WithUnion>(), StartsWith("field 0 'either' of ") && ContainsSubstring("std::variant"));
}

TEST_CASE("each reason has its own words and a remedy", "[reduction]") {
    CHECK_THAT(why_not<std::string_view>(),
               ContainsSubstring("std::string_view cannot") && ContainsSubstring("use std::string"));
    CHECK_THAT(why_not<std::span<int>>(), ContainsSubstring("use std::vector"));
    CHECK_THAT(why_not<std::reference_wrapper<int>>(), ContainsSubstring("std::shared_ptr"));
    CHECK_THAT(why_not<std::weak_ptr<int>>(), ContainsSubstring("lock() it"));
    CHECK_THAT(why_not<std::function<void()>>(),
               ContainsSubstring("use a function pointer, multiprocessing::partial"));
    CHECK_THAT(why_not<std::any>(), ContainsSubstring("use std::variant"));
    CHECK_THAT(why_not<std::mutex>(),
               ContainsSubstring("neither copyable nor movable") && ContainsSubstring("multiprocessing::Lock"));
    CHECK_THAT(why_not<std::atomic<int>>(), ContainsSubstring("multiprocessing::Value"));
    CHECK_THAT(why_not<std::condition_variable>(), ContainsSubstring("multiprocessing::Condition"));
    CHECK_THAT(why_not<std::thread>(), ContainsSubstring("thread of one process"));
    CHECK_THAT(why_not<std::ofstream>(), ContainsSubstring("stream: "));
    CHECK_THAT(why_not<std::stack<int>>(), ContainsSubstring("container adaptor"));
    CHECK_THAT(why_not<void*>(), ContainsSubstring("raw pointer: "));
    CHECK_THAT(why_not<int Job::*>(), ContainsSubstring("pointer to member: "));
    CHECK_THAT(why_not<std::unique_ptr<int[]>>(),
               ContainsSubstring("array") && ContainsSubstring("use std::vector"));
    CHECK_THAT((why_not<std::set<int, Less>>()), ContainsSubstring("state, which would be lost"));
    CHECK_THAT(why_not<std::unique_ptr<Polymorphic>>(), ContainsSubstring("polymorphic"));
    CHECK_THAT(why_not<std::unique_ptr<Incomplete>>(), ContainsSubstring("include its definition"));
    CHECK_THAT(why_not<std::vector<Incomplete>>(),
               StartsWith("element of std::vector<") && ContainsSubstring("include its definition"));
    CHECK_THAT(why_not<int(int)>(), ContainsSubstring("use a pointer to it"));
    CHECK_THAT(why_not<MoreThanVector>(), ContainsSubstring("derived from a container"));
    CHECK_THAT(why_not<WithBase>(),
               ContainsSubstring("base class: give it template <class Archive> void serialize"));
    CHECK_THAT(why_not<WithBitField>(), ContainsSubstring("bit-field"));
    CHECK_THAT(why_not<Fields65>(), ContainsSubstring("more than 64 members"));
    CHECK_THAT(why_not<ForgetsToSerialize>(), ContainsSubstring("serialize() or save() is inherited"));
    CHECK_THAT(why_not<NeedsArgument>(), ContainsSubstring("needs a default constructor"));
    CHECK_THAT(why_not<Immovable>(), ContainsSubstring("neither copyable nor movable"));
    CHECK_THAT(why_not<PrivateHook>(), ContainsSubstring("private members"));
    CHECK_THAT(why_not<std::chrono::year_month_day>(), ContainsSubstring("not among those that cross"));
    const auto captures = [number = global] { return number; };
    CHECK_THAT(why_not<decltype(captures)>(), ContainsSubstring("const"));
    CHECK_THAT(why_not<std::remove_const_t<decltype(captures)>>(),
               ContainsSubstring("lambda with captures") && ContainsSubstring("pass them as arguments"));
}

TEST_CASE("what is copied as it lies in memory has neither padding nor pointers nor values that are not valid",
          "[reduction]") {
    using mp::detail::is_bitwise;
    struct Tight {
        std::int32_t a;
        float b;
        std::int8_t c[8];
    };
    struct Loose {
        std::int8_t a;
        std::int32_t b;
    };
    struct Flag {
        bool a;
        bool b;
    };
    STATIC_REQUIRE(is_bitwise<int> && is_bitwise<double> && is_bitwise<std::byte> && is_bitwise<Tight>);
    STATIC_REQUIRE(is_bitwise<Tight[3][2]> && is_bitwise<std::array<Tight, 4>> &&
                   is_bitwise<std::chrono::seconds>);
    STATIC_REQUIRE(is_bitwise<std::chrono::system_clock::time_point>);
    STATIC_REQUIRE(!is_bitwise<bool> && !is_bitwise<long double> && !is_bitwise<Loose> && !is_bitwise<Flag>);
    STATIC_REQUIRE(!is_bitwise<int*> && !is_bitwise<Where> && !is_bitwise<Hooked> && !is_bitwise<Empty>);
    STATIC_REQUIRE(!is_bitwise<std::array<char, 0>> && !is_bitwise<std::string> && !is_bitwise<Handle>);
}
