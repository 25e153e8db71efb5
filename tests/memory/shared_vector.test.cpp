// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>
#include <support/program.hpp>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/shared_vector.hpp>
#include <multiprocessing/synchronize.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <iterator>
#include <list>
#include <memory>
#include <numeric>
#include <random>
#include <ranges>
#include <sstream>
#include <utility>

using namespace process;

namespace {

mp::shared_vector<int>& kept_by_the_worker() {
    static mp::shared_vector<int> vector{1, 2, 3};
    return vector;
}

struct Point {
    double x = 1;
    double y = 2;
};

/// Where it lies in the memory that the tree shares: the same number in every process.
std::uint64_t place_of(const void* address) { return mp::detail::tree().space.position_of(address); }

template <class F, class... Argument>
int exitcode_of(F function, Argument&&... argument) {
    mp::Process child(function, std::forward<Argument>(argument)...);
    child.start();
    child.join();
    return child.exitcode().value_or(-1000);
}

mp::shared_vector<int> at_namespace_scope(3);

} // namespace

TEST_CASE("a shared_vector changes as a vector does", "[shared_vector]") {
    std::mt19937 random{7};
    mp::shared_vector<int> ours;
    std::vector<int> model;
    const int* place = nullptr;
    for (int step = 0; step < 3000; ++step) {
        const auto at = static_cast<std::ptrdiff_t>(random() % (model.size() + 1));
        const auto end =
            at + static_cast<std::ptrdiff_t>(random() % (model.size() + 1 - static_cast<std::size_t>(at)));
        switch (random() % 12) {
        case 0:
        case 1: ours.push_back(step), model.push_back(step); break;
        case 2:
            place = ours.insert(ours.begin() + at, step);
            CHECK(place == ours.begin() + at);
            model.insert(model.begin() + at, step);
            break;
        case 3: ours.insert(ours.begin() + at, 3, step), model.insert(model.begin() + at, 3, step); break;
        case 4:
            ours.insert(ours.begin() + at, {step, 1, 2}), model.insert(model.begin() + at, {step, 1, 2});
            break;
        case 5:
            place = ours.erase(ours.begin() + at, ours.begin() + end);
            CHECK(place == ours.begin() + at);
            model.erase(model.begin() + at, model.begin() + end);
            break;
        case 6: ours.resize(random() % 100), model.resize(ours.size()); break;
        case 7: ours.resize(ours.size() + 5, step), model.resize(model.size() + 5, step); break;
        case 8: ours.reserve(random() % 200); break;
        case 9: ours.shrink_to_fit(); break;
        case 10: ours.emplace_back(step) += 1, model.push_back(step + 1); break;
        default:
            if (!model.empty()) ours.pop_back(), model.pop_back();
        }
        REQUIRE(ours.copy() == model);
        REQUIRE(ours.capacity() >= ours.size());
    }
    ours.assign(model.rbegin(), model.rend());
    CHECK(std::ranges::equal(ours, model | std::views::reverse));
    ours.clear();
    CHECK(ours.empty());
    ours = {1, 2, 3};
    ours.push_back(ours.front()); // of its own, while it moves
    ours.insert(ours.begin(), ours.back());
    CHECK(ours.copy() == std::vector{1, 1, 2, 3, 1});
    std::ranges::copy(std::vector{8, 9}, std::back_inserter(ours));
    CHECK(ours.at(6) == 9);
    CHECK_THROWS_AS(ours.at(7), std::out_of_range);
}

TEST_CASE("a shared_vector is made as a vector is", "[shared_vector]") {
    CHECK(mp::shared_vector<int>{}.empty());
    CHECK(mp::shared_vector<int>(3).copy() == std::vector<int>(3));
    CHECK(mp::shared_vector<int>(3, 7).copy() == std::vector(3, 7));
    mp::shared_vector list{1, 2, 3};
    static_assert(std::is_same_v<decltype(list), mp::shared_vector<int>>);
    CHECK(mp::shared_vector(std::list{1.5, 2.5}).copy() == std::vector{1.5, 2.5});
    CHECK(mp::shared_vector<long>(std::views::iota(0, 3)).copy() == std::vector{0L, 1L, 2L});
    std::istringstream text("4 5 6");
    CHECK(mp::shared_vector<int>(std::istream_iterator<int>(text), {}).copy() == std::vector{4, 5, 6});

    CHECK(mp::shared_vector<Point>(2).back().y == 2); // as its members say
    mp::shared_vector<bool> flags(3);
    flags[1] = true;
    CHECK(*(flags.data() + 1));
    mp::shared_vector<std::atomic<int>> counters{1, 2};
    counters.emplace_back(3).fetch_add(4);
    counters.resize(4);
    CHECK(counters.copy() == std::vector{1, 2, 7, 0});

    const auto* const elements = list.data();
    mp::shared_vector<int> other(std::move(list));
    CHECK(other.data() == elements);
    CHECK(list.empty());
    list.push_back(5);
    swap(list, other);
    CHECK(other.copy() == std::vector{5});
    other = std::move(list);
    CHECK(other.data() == elements);
    std::vector<mp::shared_vector<int>> several;
    for (int i = 0; i < 10; ++i) several.emplace_back(2, i);
    CHECK(several[9].copy() == std::vector{9, 9});
}

TEST_CASE("where there is no room a shared_vector stays as it is", "[shared_vector]") {
    mp::shared_vector<double> numbers{1, 2};
    CHECK_THROWS_AS(numbers.reserve(std::size_t{1} << 62), std::length_error);
    CHECK_THROWS_AS(numbers.insert(numbers.begin(), numbers.max_size(), 0), std::length_error);
    CHECK_THROWS_AS(numbers.resize(std::size_t{1} << 38), std::system_error);
    CHECK(numbers.copy() == std::vector<double>{1, 2});
}

TEST_CASE("a child has the same elements, not copies", "[shared_vector]") {
    mp::shared_vector<std::uint64_t> places(10);
    places.reserve(1000);
    CHECK(exitcode_of(
              [](mp::shared_vector<std::uint64_t> given) {
                  for (auto& place : given) place = place_of(&place);
              },
              places) == 0);
    for (const auto& place : places) CHECK(place == place_of(&place));

    // However it is taken, and from a child to its own.
    CHECK(exitcode_of([](mp::shared_vector<std::uint64_t>& given) { given[0] = 1; }, places) == 0);
    CHECK(exitcode_of(
              [](const mp::shared_vector<std::uint64_t>& given) { std::exit(static_cast<int>(given[0])); },
              places) == 1);
    CHECK(exitcode_of(
              [](std::span<const std::uint64_t> given) {
                  std::exit(given[0] == 1 && given.size() == 10 ? 4 : 5);
              },
              places) == 4);
    CHECK(exitcode_of(
              [](mp::shared_vector<std::uint64_t> given) {
                  std::exit(exitcode_of(
                      [](mp::shared_vector<std::uint64_t> inner) {
                          inner[1] = place_of(inner.data()) + inner.size();
                      },
                      given));
              },
              places) == 0);
    CHECK(places[1] == place_of(places.data()) + 10);
    CHECK(places.capacity() == 1000);
}

TEST_CASE("a shared_vector travels inside of others", "[shared_vector]") {
    struct Image {
        mp::shared_vector<int> pixels;
        int width;
    };
    std::vector<Image> images;
    for (int i = 0; i < 3; ++i) images.push_back({mp::shared_vector<int>(4, i), i});
    images.push_back({}); // an empty one
    CHECK(exitcode_of(
              [](std::vector<Image> given) {
                  for (auto& image : given) {
                      for (int& pixel : image.pixels) pixel += 10 * image.width;
                  }
                  if (!given.back().pixels.empty()) std::exit(1);
              },
              images) == 0);
    CHECK(images[2].pixels.copy() == std::vector(4, 22));
}

TEST_CASE("elsewhere a shared_vector is read and written, but does not grow", "[shared_vector]") {
    mp::shared_vector<int> numbers{1, 2, 3};
    numbers.reserve(100);
    CHECK(exitcode_of(
              [](mp::shared_vector<int> given) {
                  int refused = 0;
                  const auto refuses = [&](auto change) {
                      try {
                          change();
                      } catch (const std::logic_error&) { ++refused; }
                  };
                  refuses([&] { given.push_back(1); });
                  refuses([&] { given.pop_back(); });
                  refuses([&] { given.insert(given.begin(), 1); });
                  refuses([&] { given.erase(given.begin()); });
                  refuses([&] { given.resize(2); });
                  refuses([&] { given.resize(4); });
                  refuses([&] { given.reserve(1); });
                  refuses([&] { given.clear(); });
                  refuses([&] { given.shrink_to_fit(); });
                  given.resize(3); // as it is
                  std::ranges::reverse(given);
                  auto moved = std::move(given);
                  moved[0] += 10;
                  given.push_back(1); // a new one, its own
                  mp::shared_vector<int> own(moved.begin(), moved.end());
                  own.push_back(4);
                  std::exit(10 * refused + static_cast<int>(own.size()));
              },
              numbers) == 94);
    CHECK(numbers.copy() == std::vector{13, 2, 1});
}

TEST_CASE("a shared_vector that was not passed on is refused", "[shared_vector]") {
    at_namespace_scope[0] = 1;
    CHECK(exitcode_of([] {
              try {
                  at_namespace_scope[0] = 2;
              } catch (const std::logic_error& error) {
                  std::exit(std::string(error.what()).find("shared_vector") != std::string::npos ? 3 : 4);
              }
          }) == 3);
    CHECK(at_namespace_scope.copy() == std::vector{1, 0, 0});
    CHECK(exitcode_of([](mp::shared_vector<int> given) { given[0] = 5; }, at_namespace_scope) == 0);
    CHECK(at_namespace_scope[0] == 5);
    at_namespace_scope = {}; // not left behind by this test
}

TEST_CASE("what the owner adds is seen until the elements move", "[shared_vector]") {
    mp::shared_vector<int> numbers{1, 2};
    numbers.reserve(4);
    const mp::Semaphore go{0};
    const mp::Semaphore came{0};
    mp::Process child(
        [](const mp::shared_vector<int>& given, mp::Semaphore next, mp::Semaphore here) {
            here.release();
            next.acquire();
            if (given.copy() != std::vector{1, 2, 3}) std::exit(1);
            here.release();
            next.acquire();
            if (given.copy() != std::vector{1, 2, 3}) std::exit(2); // valid, as it was
        },
        numbers, go, came);
    child.start();
    came.acquire();
    numbers.push_back(3);
    go.release();
    came.acquire();
    numbers.resize(5000, 4);
    numbers[0] = 7;
    std::vector<mp::shared_vector<int>> others; // would take the old place, were it free
    for (int i = 0; i < 20; ++i) others.emplace_back(4, -1);
    go.release();
    child.join();
    CHECK(child.exitcode() == 0);
    CHECK(numbers[2] == 3);
    CHECK(numbers.back() == 4);
}

TEST_CASE("a child keeps the elements of an owner that dropped them", "[shared_vector]") {
    auto numbers = std::make_unique<mp::shared_vector<int>>(100'000, 3);
    const mp::Semaphore go{0};
    mp::Process child(
        [](mp::shared_vector<int> given, mp::Semaphore next) {
            next.acquire();
            std::exit(std::accumulate(given.begin(), given.end(), 0) == 300'000 ? 0 : 1);
        },
        *numbers, go);
    child.start();
    numbers.reset();
    const mp::shared_vector<int> other(100'000, 4);
    go.release();
    child.join();
    CHECK(child.exitcode() == 0);
}

TEST_CASE("a killed child leaves nothing of a shared_vector behind", "[shared_vector]") {
    auto& tree = mp::detail::tree();
    const std::size_t leases = mp::detail::leases().count();
    std::uint64_t mark = 0;
    for (int round = 0; round < 30; ++round) {
        mp::shared_vector<char> bytes(4 << 20, 'x');
        const mp::Semaphore came{0};
        mp::Process child(
            [](mp::shared_vector<char> given, mp::Semaphore here) {
                mp::shared_vector<char> own(given.begin(), given.end());
                here.release();
                for (;;) std::this_thread::sleep_for(1s);
            },
            bytes, came);
        child.start();
        came.acquire();
        bytes.push_back('y'); // the old block is the child's alone
        child.kill();
        child.join();
        if (round == 10) mark = tree.space.high_water();
    }
    CHECK(tree.space.high_water() <= mark + 6 * 64);
    // Its leases end when its subtree is known to be gone, a moment after join().
    for (int i = 0; i < 500 && mp::detail::leases().count() > leases; ++i) {
        mp::Process([] {}).start();
        std::this_thread::sleep_for(10ms);
    }
    CHECK(mp::detail::leases().count() <= leases);
}

TEST_CASE("a map over a shared_vector reads it where it is", "[shared_vector]") {
    mp::Pool pool(2); // before the vector
    mp::shared_vector<int> numbers(std::views::iota(0, 100'000));
    const auto places = pool.map([](const int& x) { return place_of(&x); }, numbers);
    REQUIRE(places.size() == numbers.size());
    for (std::size_t i = 0; i < places.size(); ++i) REQUIRE(places[i] == place_of(&numbers[i]));
    CHECK(pool.map([](int x) { return x + 1; }, std::as_const(numbers))[99] == 100);
    CHECK(pool.map([](std::string s) { return s; }, std::vector<std::string>{"a"}) ==
          std::vector<std::string>{"a"});
    CHECK(pool.map([](int x) { return x; }, mp::shared_vector<int>{}).empty());

    // It may go while they work on it.
    auto result = pool.map_async([](int x) { return 2 * x; }, mp::shared_vector<int>(1000, 4));
    const mp::shared_vector<int> other(1000, -1);
    CHECK(result.get() == std::vector(1000, 8));
}

TEST_CASE("map_into has results written to where they shall be", "[shared_vector]") {
    mp::Pool pool(2);
    mp::shared_vector<double> numbers(std::views::iota(0, 3'000'000)); // 24 MB
    mp::shared_vector<float> roots(numbers.size());
    const auto* const place = roots.data();
    auto& space = mp::detail::tree().space;
    pool.apply([] {}); // the first task has the ring of announcements made
    const std::uint64_t mark = space.high_water();
    pool.map_into([](double x) { return static_cast<float>(x / 2); }, numbers, roots);
    CHECK(roots.data() == place);
    CHECK(roots[2'000'001] == 1'000'000.5f);
    pool.map_into([](const double& x) { return 2 * x; }, numbers, numbers, {.chunksize = 1000}); // onto itself
    for (std::size_t i = 0; i < numbers.size(); ++i) REQUIRE(numbers[i] == 2.0 * static_cast<double>(i));
    CHECK(space.high_water() < mark + 100); // 6 MiB: no room was taken for copies

    mp::shared_vector<std::size_t> sizes(7, 5);
    pool.map_into([](const std::string& text) { return text.size(); }, std::vector<std::string>{"a", "bcd"},
                  sizes);
    CHECK(sizes.copy() == std::vector<std::size_t>{1, 3});
    pool.map_into([](std::size_t x) { return x; }, std::vector<std::size_t>{}, sizes);
    CHECK(sizes.empty());
}

TEST_CASE("after an error in map_into the other results are there", "[shared_vector]") {
    mp::Pool pool(2);
    mp::shared_vector<int> results(10, -1);
    const auto function = [](int x) {
        if (x == 4) throw std::out_of_range("four");
        return x;
    };
    CHECK_THROWS_AS(pool.map_into(function, std::views::iota(0, 10), results, {.chunksize = 3}),
                    std::out_of_range);
    for (int i = 0; i < 10; ++i) CHECK(results[static_cast<std::size_t>(i)] == (i == 4 ? -1 : i));
}

TEST_CASE("tasks work on a shared_vector in place, and may keep it", "[shared_vector]") {
    mp::Pool pool(2);
    mp::shared_vector<long> numbers(8);
    for (int round = 0; round < 50; ++round) {
        std::vector<mp::AsyncResult<void>> results;
        for (std::size_t half = 0; half < 2; ++half) {
            results.push_back(pool.apply_async(
                [](mp::shared_vector<long>& given, std::size_t begin) {
                    for (long& x : given.span().subspan(begin, 4)) ++x;
                },
                numbers, 4 * half));
        }
        for (auto& result : results) result.get();
    }
    CHECK(numbers.copy() == std::vector(8, 50L));
    // Kept by a worker beyond its task, and used in the next.
    static std::optional<mp::shared_vector<long>> kept;
    mp::Pool single(1);
    auto given = std::make_unique<mp::shared_vector<long>>(std::size_t{5000}, 6);
    single.apply([](mp::shared_vector<long> x) { kept = std::move(x); }, *given);
    given.reset();
    const mp::shared_vector<long> other(std::size_t{5000}, 7);
    CHECK(single.apply([] { return std::accumulate(kept->begin(), kept->end(), 0L); }) == 30'000);
}

TEST_CASE("a task's result may be a shared_vector, which the caller then owns", "[shared_vector]") {
    struct Made {
        mp::shared_vector<double> numbers;
        std::uint64_t place = 0;
    };
    const auto make = [](std::size_t size) {
        Made made{mp::shared_vector<double>(size, 1.5)};
        made.place = place_of(made.numbers.data());
        return made;
    };
    std::vector<Made> all;
    {
        mp::Pool pool(2);
        all.push_back(pool.apply(make, std::size_t{10}));
        all.push_back(pool.apply(make, std::size_t{1'000'000}));
        for (Made& made : pool.map(make, std::vector<std::size_t>{0, 7, 70'000}))
            all.push_back(std::move(made));
        for (const Made& made : all) CHECK(made.place == place_of(made.numbers.data())); // no copy
        auto result = pool.apply_async(make, std::size_t{5});
        CHECK(std::move(result).get().numbers.size() == 5);
        pool.apply_async(make, std::size_t{500'000}).wait(); // dropped unread
        all[0].numbers.push_back(2);                         // while the worker lives
    }
    // The workers are gone.
    CHECK(all[0].numbers.back() == 2);
    CHECK(all[1].numbers.copy() == std::vector(1'000'000, 1.5));
    all[3].numbers.resize(100'000, 2.5);
    CHECK(all[3].numbers[6] == 1.5);
    CHECK(all[3].numbers[7] == 2.5);
    CHECK(exitcode_of([](mp::shared_vector<double>& given) { given[0] = 9; }, all[4].numbers) == 0);
    CHECK(all[4].numbers[0] == 9);
}

TEST_CASE("what a task has handed over is not there for the next one", "[shared_vector]") {
    mp::Pool pool(1);
    const auto give = []() -> mp::shared_vector<int>& { return kept_by_the_worker(); };
    CHECK(pool.apply(give).copy() == std::vector{1, 2, 3});
    CHECK_THROWS_WITH(pool.apply(give), ContainsSubstring("and is gone"));
}

TEST_CASE("a result that others have as well is a copy", "[shared_vector]") {
    mp::Pool pool(1);
    mp::shared_vector<int> numbers{1, 2, 3};
    auto back = pool.apply(
        [](mp::shared_vector<int> given) {
            given[0] = 7;
            return given;
        },
        numbers);
    back.push_back(4);
    back[1] = 0;
    CHECK(numbers.copy() == std::vector{7, 2, 3});
    CHECK(back.copy() == std::vector{7, 0, 3, 4});
}

TEST_CASE("results are handed on from generation to generation", "[shared_vector]") {
    mp::Pool pool(1);
    auto vectors = pool.apply(
        [](std::size_t size) {
            mp::Pool own(1);
            std::vector<mp::shared_vector<int>> made;
            made.push_back(own.apply([](std::size_t s) { return mp::shared_vector<int>(s, 3); }, size));
            made.emplace_back(size);
            own.map_into([](int x) { return x + 1; }, made[0], made[1]);
            return made; // while its worker lives
        },
        std::size_t{100'000});
    pool.terminate();
    pool.join();
    const mp::shared_vector<int> other(100'000, -1);
    CHECK(vectors[0].copy() == std::vector(100'000, 3));
    CHECK(vectors[1].copy() == std::vector(100'000, 4));
}

TEST_CASE("results of killed workers leave nothing behind", "[shared_vector]") {
    auto& tree = mp::detail::tree();
    const auto in_use = [&] {
        tree.heap.trim();
        std::uint64_t count = 0;
        for (auto at = tree.space.first_extent(); at < tree.space.high_water(); ++at)
            count += tree.space.extent(at).owner != 0;
        return count;
    };
    std::uint64_t mark = 0;
    mp::Pool pool(2);
    for (int round = 0; round < 60; ++round) {
        std::vector<mp::AsyncResult<mp::shared_vector<char>>> results;
        for (int i = 0; i < 6; ++i) {
            results.push_back(pool.apply_async(
                [](int number) {
                    mp::shared_vector<char> made(std::size_t{1} << 20, static_cast<char>('a' + number));
                    if (number == 3) mp::detail::platform::exit_now(9);
                    return made;
                },
                i));
        }
        for (int i = 0; i < 6; ++i) {
            if (i == 3) {
                CHECK_THROWS_AS(results[3].get(), mp::WorkerLostError);
            } else {
                const auto made = results[static_cast<std::size_t>(i)].get();
                REQUIRE(std::ranges::count(made, 'a' + i) == std::ptrdiff_t{1} << 20);
            }
        }
        if (round == 20) mark = in_use();
    }
    CHECK(in_use() <= mark + 12 * 16);
}
