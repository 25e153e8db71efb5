// SPDX-License-Identifier: BSL-1.0
#include <support/eventually.hpp>
#include <support/processes.hpp>

#include <multiprocessing/managers.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/sharedctypes.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <fstream>
#include <numeric>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#if !defined(_WIN32)

#include <csignal>
#include <unistd.h>

using namespace process;
using support::eventually;

namespace {

constexpr std::size_t most_copies = 64;

/// The copies that the code under test has made of its processes, for this one to look at.
struct Copies {
    mp::Value<std::atomic<int>> count;
    mp::RawArray<int> pids = mp::RawArray<int>(most_copies);

    /// Forks, and says whether this is the copy. No more than there is room for.
    bool fork() {
        const auto place = static_cast<std::size_t>(count.value().fetch_add(1));
        if (place >= most_copies) return false;
        const pid_t copy = ::fork();
        if (copy == 0) {
            ::alarm(60); // not for ever, where it is not ended
            return true;
        }
        pids[place] = copy;
        return false;
    }
    bool are_gone() const { return all_gone(std::vector<int>(pids.begin(), pids.end())); }

    static bool all_gone(const std::vector<int>& copies) {
        return std::none_of(copies.begin(), copies.end(),
                            [](int pid) { return pid != 0 && ::kill(pid, 0) == 0 && !is_zombie(pid); });
    }
    /// The worker that is its parent reaps only children of ours.
    static bool is_zombie(int pid) {
        std::string text;
        std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/stat"), text);
        const std::size_t name_end = text.rfind(')');
        return name_end != std::string::npos && text.size() > name_end + 2 && text[name_end + 2] == 'Z';
    }
};

enum class Way { returns, throws };

int original_or_copy(Copies copies, Way way, int x) {
    if (!copies.fork()) return x;
    if (way == Way::throws) throw std::runtime_error("a copy");
    return x + 1'000'000;
}

/// The function of a map, of plain results or of others.
template <class R>
struct Forks {
    Copies copies;
    Way way;
    R operator()(int x) const {
        const int y = original_or_copy(copies, way, x);
        if constexpr (std::is_same_v<R, int>) {
            return y;
        } else {
            return std::to_string(y);
        }
    }
};

struct ForksWithoutResult {
    Copies copies;
    mp::Value<std::atomic<int>> ended;
    void operator()(int x) const {
        if (original_or_copy(copies, Way::returns, x) == x) ++ended.value();
    }
};

class Forking {
public:
    int call(Way way, int x) {
        const pid_t copy = ::fork();
        if (copy != 0) {
            copies_.push_back(copy);
            return x;
        }
        ::alarm(60);
        if (way == Way::throws) throw std::runtime_error("a copy");
        return x + 1'000'000;
    }
    std::vector<int> copies() const { return copies_; }

private:
    std::vector<int> copies_;
};

} // namespace

TEST_CASE("a copy that a task has made, and that comes back from it, is no further worker", "[pool]") {
    for (const Way way : {Way::returns, Way::throws}) {
        Copies copies;
        mp::Pool pool(2);
        for (int i = 0; i < 8; ++i) CHECK(pool.apply(original_or_copy, copies, way, i) == i);
        CHECK(eventually([&] { return copies.are_gone(); }));
        CHECK(pool.apply([](int x) { return x + 1; }, 1) == 2);
        pool.close();
        pool.join();
    }
}

TEST_CASE("a copy that an item of a map has made, and that comes back from it, gives no result", "[pool]") {
    std::vector<int> items(16);
    std::iota(items.begin(), items.end(), 0);
    std::vector<std::string> texts;
    for (const int item : items) texts.push_back(std::to_string(item));
    const Way way = GENERATE(Way::returns, Way::throws);
    Copies copies;
    mp::Pool pool(2);
    SECTION("a map") {
        CHECK(pool.map(Forks<int>{copies, way}, items) == items);
        CHECK(pool.map(Forks<std::string>{copies, way}, items) == texts);
    }
    SECTION("a map without results") {
        ForksWithoutResult function{copies, {}};
        pool.map(function, items);
        CHECK(function.ended.value() == 16);
    }
    SECTION("item by item") {
        std::vector<int> numbers;
        for (const int x : pool.imap(Forks<int>{copies, way}, items)) numbers.push_back(x);
        CHECK(numbers == items);
        std::vector<std::string> words;
        for (const auto& outcome : pool.try_map(Forks<std::string>{copies, way}, items))
            words.push_back(outcome.value());
        CHECK(words == texts);
    }
    CHECK(eventually([&] { return copies.are_gone(); }));
    pool.close();
    pool.join();
}

TEST_CASE("a copy that an initializer has made, and that comes back from it, is no worker", "[pool]") {
    Copies copies;
    mp::Pool pool(
        2, [](Copies of) { of.fork(); }, copies);
    std::vector<int> items(100, 3);
    CHECK(pool.map([](int x) { return x * x; }, items) == std::vector<int>(100, 9));
    CHECK(eventually([&] { return copies.are_gone(); }));
    pool.close();
    pool.join();
}

TEST_CASE("a copy that a method of a manager's object has made, and that comes back, serves nobody", "[pool]") {
    for (const Way way : {Way::returns, Way::throws}) {
        auto manager = mp::Manager();
        auto forking = manager.create<Forking>();
        for (int i = 0; i < 8; ++i) CHECK(forking.call<&Forking::call>(way, i) == i);
        CHECK(eventually([&] { return Copies::all_gone(forking.call<&Forking::copies>()); }));
    }
}

#endif
