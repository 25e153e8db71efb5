// SPDX-License-Identifier: BSL-1.0
#include <process/support.hpp>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/sharedctypes.hpp>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <numeric>
#include <ranges>

using namespace process;

namespace {

struct Particle {
    double position[3];
    float mass;
    char name[4];
};

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
