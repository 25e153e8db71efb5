// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/sharedctypes.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <ranges>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

using namespace process;

namespace {

struct Particle {
    double position[3];
    float mass;
    char name[4];
};

class Place {
public:
    Place() = default;
    Place(double x, double y) : x_(x), y_(y) {}
    double x() const { return x_; }
    double y() const { return y_; }

private:
    double x_ = 0, y_ = 0;
};
struct Inherited {
    int inherited;
};
struct Derived : Inherited {
    int added;
};
struct Flags {
    unsigned low : 3, high : 5;
};
struct Packed {
    char tag;
    double real;
} __attribute__((packed));
struct Tagged {
    int kind;
    union {
        int whole;
        float real;
    };
};
class Refers {
public:
    explicit Refers(int& number) : number_(number) {}
    int number() const { return number_; }

private:
    int& number_;
};
struct ShowsPointer {
    unsigned low : 3;
    int* pointer;
};
struct alignas(4096) Page {
    int number;
    char bytes[5000];
};
template <class T>
bool is_aligned(const T& object) {
    return reinterpret_cast<std::uintptr_t>(&object) % alignof(T) == 0;
}
struct Anything {
    int number = 0;
    Anything() = default;
    Anything(const Anything&) = default;
    Anything& operator=(const Anything&) = default;
    template <class X>
    Anything(const X&) : number(1) {}
};

void change_classes(mp::Array<Place> places, mp::Value<Place> place, mp::RawArray<Derived> derived,
                    mp::RawValue<Flags> flags, mp::Array<Packed> packed, mp::RawArray<Tagged> tagged,
                    mp::shared_vector<Place> vector) {
    const bool right = places[1].y() == 2 && place.value().x() == 3 && tagged[0].whole == 2;
    if (!right) std::exit(3);
    places[2] = Place{5, 6};
    derived[1].added = 7;
    flags.value().low = 5;
    packed[1].real = 1.5;
    vector[1] = Place{8, 9};
}
bool are_aligned(mp::Value<Page> value, mp::RawValue<Page> raw, mp::Array<Page> array) {
    array[2].number = 5;
    return is_aligned(value.value()) && is_aligned(raw.value()) && is_aligned(array[2]);
}

template <class T>
concept Shareable = requires { typename mp::RawValue<T>::value_type; };

} // namespace

TEST_CASE("a value is the same in every process", "[sharedctypes]") {
    const mp::Value<int> value{40};
    CHECK(value.value() == 40);
    mp::Process child([](mp::Value<int> v) { v.value() += 2; }, value);
    child.start();
    child.join();
    CHECK(value.value() == 42);
    CHECK(value.copy() == 42);
    CHECK(value.get_obj() == 42);
    const auto other = value; // another handle of the same
    other.value() = 1;
    CHECK(value.value() == 1);
    CHECK(mp::Value<double>{}.value() == 0);
}

TEST_CASE("changes by operators are atomic across processes", "[sharedctypes]") {
    const mp::Value<long> sum{0};
    const mp::Value<std::atomic<long>> atomic;
    std::vector<mp::Process> children;
    for (int i = 0; i < 3; ++i) {
        children.emplace_back(
            [](mp::Value<long> s, mp::Value<std::atomic<long>> a) {
                for (int k = 0; k < 10'000; ++k) {
                    s += 2;
                    --s;
                    a.value().fetch_add(1);
                    s.update([](long& x) { ++x; });
                }
            },
            sum, atomic);
    }
    for (auto& child : children) child.start();
    for (auto& child : children) child.join();
    CHECK(sum.value() == 60'000);
    CHECK(atomic.copy() == 30'000);
    CHECK((sum -= 10'000) == 50'000);
    CHECK((sum /= 2) == 25'000);
    CHECK((sum %= 7) == 25'000 % 7);
    CHECK(++sum == 25'000 % 7 + 1);
    CHECK(sum++ == 25'000 % 7 + 1);
    CHECK((sum |= 8) == ((25'000 % 7 + 2) | 8));
}

TEST_CASE("a value may use a lock of the user's own", "[sharedctypes]") {
    const mp::Lock lock;
    const mp::Value<int> one({.lock = lock}, 1);
    const mp::Array<int> two({.lock = lock}, {1, 2, 3});
    lock.acquire();
    std::thread([&] {
        CHECK_FALSE(one.get_lock().try_lock());
        CHECK_FALSE(two.try_lock());
    }).join();
    lock.release();
    CHECK((one += 1) == 2);
    CHECK(two.copy() == std::vector{1, 2, 3});
    const mp::RLock recursive;
    const mp::Value<int> three({.lock = recursive}, 3);
    std::scoped_lock guard{recursive, three};
    CHECK(++three == 4); // taken a third time
}

TEST_CASE("structures, enumerations and atomics are shared as they are", "[sharedctypes]") {
    mp::Value<Particle> particle(Particle{{1, 2, 3}, 0.5f, "abc"});
    mp::Process child(
        [](mp::Value<Particle> p) {
            p.value().position[2] *= 2;
            p.value().name[0] = 'x';
        },
        particle);
    child.start();
    child.join();
    CHECK(particle.value().position[2] == 6);
    CHECK(particle.copy().name[0] == 'x');
    mp::RawArray<std::atomic<int>> counters{1, 2, 3};
    counters[1].fetch_add(5);
    CHECK(counters.copy() == std::vector{1, 7, 3});
}

TEST_CASE("an array is a contiguous range that processes share", "[sharedctypes]") {
    mp::Array<double> zeros(1000);
    CHECK(zeros.size() == 1000);
    CHECK(std::ranges::all_of(zeros, [](double x) { return x == 0; }));
    mp::Array numbers{3, 1, 2};
    static_assert(std::is_same_v<decltype(numbers), mp::Array<int>>);
    static_assert(std::ranges::contiguous_range<mp::Array<int>> &&
                  std::ranges::sized_range<const mp::Array<int>>);
    static_assert(std::is_same_v<decltype(std::as_const(numbers)[0]), const int&>);
    std::ranges::sort(numbers);
    CHECK(numbers.copy() == std::vector{1, 2, 3});
    mp::Array from_range(std::vector<float>{1.5f, 2.5f});
    CHECK(from_range.back() == 2.5f);
    mp::Array<long> converted(std::views::iota(0, 5));
    CHECK(std::accumulate(converted.begin(), converted.end(), 0L) == 10);
    mp::Process child(
        [](mp::Array<long> array) {
            for (long& x : array) x *= 10;
        },
        converted);
    child.start();
    child.join();
    CHECK(converted.copy() == std::vector<long>{0, 10, 20, 30, 40});
    CHECK(converted.at(4) == 40);
    CHECK_THROWS_AS(converted.at(5), std::out_of_range);
    CHECK_THROWS_AS(converted.at(static_cast<std::size_t>(-1)), std::out_of_range);
    CHECK(converted.span().subspan(1, 2)[1] == 20);
    mp::Array<int> empty(0);
    CHECK(empty.empty());
    CHECK(empty.copy().empty());
    CHECK(mp::Array<int>({}).empty());
}

TEST_CASE("workers of a pool write to an array in place", "[sharedctypes]") {
    mp::Array<double> squares(10'000);
    mp::Pool pool(2);
    struct Square {
        mp::Array<double> into;
        void operator()(int i) { into[static_cast<std::size_t>(i)] = 1.0 * i * i; }
    };
    pool.map(Square{squares}, std::views::iota(0, 10'000));
    for (std::size_t i = 0; i < squares.size(); ++i) REQUIRE(squares[i] == 1.0 * static_cast<double>(i * i));
}

TEST_CASE("memory that was used before is zero again", "[sharedctypes]") {
    for (const std::size_t size : {std::size_t{10}, std::size_t{5000}, std::size_t{300'000}}) {
        for (int round = 0; round < 3; ++round) {
            mp::RawArray<int> array(size);
            REQUIRE(std::ranges::all_of(array, [](int x) { return x == 0; }));
            std::ranges::fill(array, -1);
        }
    }
}

TEST_CASE("an array that nothing can hold is refused, with the figures", "[sharedctypes]") {
    CHECK_THROWS_AS(mp::Array<double>(std::size_t{1} << 61), std::length_error);
    try {
        mp::RawArray<char> large(std::size_t{1} << 39);
        static_cast<void>(large.size());
        FAIL("half a TiB was there");
    } catch (const std::system_error& error) {
        CHECK_THAT(error.what(), ContainsSubstring("are available"));
    } catch (const std::bad_alloc&) {}
}

TEST_CASE("memory is flat over many rounds of sharing, also when the sharer is killed", "[sharedctypes]") {
    auto& space = mp::detail::tree().space;
    std::uint64_t mark = 0;
    for (int round = 0; round < 200; ++round) {
        mp::Array<char> array(16 << 20);
        array[0] = 1;
        array.back() = 1;
        if (round % 10 == 0) {
            mp::Process sharer(
                [](mp::Array<char> given) {
                    mp::Array<char> own(1 << 20);
                    own[0] = given[0];
                    mp::Process grandchild([](mp::Array<char> inner) { std::exit(inner[0]); }, own);
                    grandchild.start();
                    grandchild.join();
                    if (grandchild.exitcode() == 1) mp::detail::platform::exit_now(4);
                },
                array);
            sharer.start();
            sharer.join();
            REQUIRE(sharer.exitcode() == 4);
        }
        if (round == 50) mark = space.high_water();
    }
    CHECK(space.high_water() <=
          mark + 3 * 256); // three arrays' worth: a dead child's memory comes back a moment later
}

TEST_CASE("classes whose members cannot be seen are shared if they are trivially copyable", "[sharedctypes]") {
    mp::Array<Place> places(3);
    places[1] = Place{1, 2};
    mp::Value<Place> place{3.0, 4.0};
    mp::RawArray<Derived> derived(2);
    mp::RawValue<Flags> flags;
    mp::Array<Packed> packed(2);
    mp::RawArray<Tagged> tagged{Tagged{1, {2}}};
    mp::shared_vector<Place> vector(2);
    mp::Process p(change_classes, places, place, derived, flags, packed, tagged, std::move(vector));
    p.start();
    p.join();
    CHECK(p.exitcode() == 0);
    CHECK(places[2].x() == 5);
    CHECK(derived[1].added == 7);
    CHECK(flags.value().low == 5);
    const double real = packed[1].real; // by value: nothing may refer to a member of a packed struct
    CHECK(real == 1.5);
    STATIC_REQUIRE(mp::detail::can_be_shared<long double>);
    STATIC_REQUIRE(mp::detail::can_be_shared<std::atomic<bool>>);
    STATIC_REQUIRE_FALSE(mp::detail::can_be_shared<Refers>);
    STATIC_REQUIRE_FALSE(mp::detail::can_be_shared<ShowsPointer>);
    STATIC_REQUIRE_FALSE(mp::detail::can_be_shared<std::string_view>);
    STATIC_REQUIRE_FALSE(mp::detail::can_be_shared<std::optional<int*>>);
}

TEST_CASE("over-aligned types are aligned in every process", "[sharedctypes]") {
    mp::Value<Page> value{Page{1, {}}};
    mp::RawValue<Page> raw;
    mp::Array<Page> array(3);
    mp::shared_vector<Page> vector;
    for (int i = 0; i < 9; ++i) {
        vector.push_back(Page{i, {}});
        CHECK(is_aligned(vector.back()));
    }
    CHECK((is_aligned(value.value()) && is_aligned(raw.value()) && is_aligned(array[1])));
    mp::Pool pool(1);
    CHECK(pool.apply(are_aligned, value, raw, array));
    CHECK(array[2].number == 5);
    const std::vector<Page> pages(5);
    const auto copied = pool.map([](const Page& page) { return is_aligned(page) ? page : throw 1; }, pages);
    CHECK(is_aligned(copied[3]));
    CHECK(pool.map([](const Page& page) { return is_aligned(page) ? page.number : -1; }, vector).at(8) == 8);
    mp::shared_vector<Page> results;
    pool.map_into([](const Page& page) { return page; }, vector, results);
    CHECK((is_aligned(results[7]) && results[7].number == 7));
    // One that goes out and comes back is copied where others have it, and may lie elsewhere then.
    const auto back = pool.apply([](mp::shared_vector<Page> given) { return given; }, std::move(vector));
    CHECK((back.size() == 9 && is_aligned(back[8]) && back[8].number == 8));
    const auto made = pool.apply(
        [](int n) {
            return mp::shared_vector<Page>(static_cast<std::size_t>(n), {n, {}});
        },
        3);
    CHECK((is_aligned(made[2]) && made[2].number == 3));
}

TEST_CASE("types of values and arrays are deduced from what is in them", "[sharedctypes]") {
    mp::Value whole{0};
    mp::Value real{0.5};
    mp::RawValue raw{1L};
    mp::Array array{1, 2, 3};
    const mp::Lock lock;
    mp::Value guarded({.lock = lock}, 2);
    mp::Array guarded_array({.lock = lock}, {1.5, 2.5});
    mp::Array of_range({.lock = lock}, std::vector<float>{1, 2});
    STATIC_REQUIRE(std::is_same_v<decltype(whole), mp::Value<int>>);
    STATIC_REQUIRE(std::is_same_v<decltype(real), mp::Value<double>>);
    STATIC_REQUIRE(std::is_same_v<decltype(raw), mp::RawValue<long>>);
    STATIC_REQUIRE(std::is_same_v<decltype(array), mp::Array<int>>);
    STATIC_REQUIRE(std::is_same_v<decltype(guarded), mp::Value<int>>);
    STATIC_REQUIRE(std::is_same_v<decltype(guarded_array), mp::Array<double>>);
    STATIC_REQUIRE(std::is_same_v<decltype(of_range), mp::Array<float>>);
    mp::RLock& own = whole.get_lock();
    const mp::RLock copy = whole.get_lock();
    own.acquire();
    CHECK(copy.locked());
    own.release();
}

TEST_CASE("every spelling of a copy is another handle of the same content", "[sharedctypes]") {
    const mp::Value<int> value{1};
    mp::Value deduced{value};
    mp::Value<int> braces{value};
    auto assigned = value;
    deduced += 1;
    braces += 1;
    assigned += 1;
    CHECK(value.value() == 4);
    mp::Array<int> array{1, 2};
    mp::Array same{array};
    same[0] = 7;
    CHECK(array[0] == 7);
    mp::Array<double> other(array); // of another type: a copy of the content
    other[0] = 8;
    CHECK(array[0] == 7);
    // A T that anything converts to: no element is made of the handle.
    mp::Array<Anything> all(3);
    mp::Array<Anything> again{all};
    mp::RawArray<Anything> raw(3);
    mp::RawArray<Anything> raw_again{raw};
    CHECK((again.size() == 3 && raw_again.size() == 3));
    again[1].number = 5;
    CHECK(all[1].number == 5);
    mp::shared_vector<Anything> vector(3);
    mp::shared_vector<Anything> moved{std::move(vector)};
    CHECK(moved.size() == 3);
}
