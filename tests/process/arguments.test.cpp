// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <tuple>

using namespace process;

namespace {

struct Job {
    int id;
    std::string name;
    std::vector<double> weights;
    bool operator==(const Job&) const = default;
};

/// Runs a process and returns its exit code.
template <class... Argument>
int run(Argument&&... argument) {
    mp::Process p(std::forward<Argument>(argument)...);
    p.start();
    p.join();
    return p.exitcode().value();
}

void expect(bool right) { std::exit(right ? 0 : 9); }

struct Scale {
    double factor;
    void operator()(double x) const { expect(x * factor == 10.0); }
};

struct Counter {
    int calls = 0;
    void operator()() { expect(++calls == 1); }
};

} // namespace

TEST_CASE("arguments arrive as they were when the process was made", "[arguments]") {
    Job job{7, "seven", {1.5, 2.5}};
    mp::Process p([](const Job& got) { expect(got == Job{7, "seven", {1.5, 2.5}}); }, job);
    job.name = "changed";
    p.start();
    p.join();
    CHECK(p.exitcode() == 0);
}

TEST_CASE("arguments are converted to the parameters' types where the process is made", "[arguments]") {
    CHECK(run([](double x, long n, std::string s) { expect(x == 3.0 && n == 4 && s == "text"); }, 3, 4,
              "text") == 0);
    CHECK(run([](std::optional<int> x) { expect(x == 5); }, 5) == 0);
    CHECK(run([](std::string_view text) { expect(text == "seen"); }, std::string("seen")) == 0);
    CHECK(run([](std::string_view text) { expect(text == "literal"); }, "literal") == 0);
    CHECK(run([](std::span<const int> numbers) { expect(numbers.size() == 3 && numbers[2] == 3); },
              std::vector{1, 2, 3}) == 0);
    CHECK(run([](const char* text) { expect(std::strcmp(text, "for C") == 0); }, "for C") == 0);
    CHECK(run([](auto text) { expect(std::is_same_v<decltype(text), std::string> && text == "auto"); },
              "auto") == 0);
}

TEST_CASE("arguments are moved into a function that wants them so", "[arguments]") {
    CHECK(run([](std::unique_ptr<int> p) { expect(*p == 3); }, std::make_unique<int>(3)) == 0);
    CHECK(run([](std::vector<int>&& v) { expect(v.size() == 2); }, std::vector{1, 2}) == 0);
    CHECK(run([](std::tuple<int, std::unique_ptr<Job>> t) { expect(std::get<1>(t)->id == 2); },
              std::tuple(1, std::make_unique<Job>(Job{2, "", {}}))) == 0);
}

TEST_CASE("functions, lambdas and functors with state are called", "[arguments]") {
    CHECK(run(expect, true) == 0);
    CHECK(run(&expect, true) == 0);
    CHECK(run(Scale{2.5}, 4.0) == 0);
    CHECK(run(Counter{}) == 0);
    CHECK(run(
              +[](int x) { expect(x == 1); }, 1) == 0);
    void (*chosen)(bool) = std::rand() >= 0 ? expect : nullptr;
    CHECK(run(chosen, true) == 0);
}

TEST_CASE("two lambdas of one function with equal bodies are told apart from others", "[arguments]") {
    // g++ gives them the same name: only their place tells them apart.
    const auto first = [](int x) { expect(x == 1); };
    const auto second = [](int x) { expect(x == 2); };
    CHECK(run(first, 1) == 0);
    CHECK(run(second, 2) == 0);
    CHECK(run(second, 1) == 9);
}

TEST_CASE("large arguments arrive whole", "[arguments]") {
    std::vector<int> numbers(3'000'000);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int>(i);
    CHECK(run([](const std::vector<int>& got) { expect(got.size() == 3'000'000 && got.back() == 2'999'999); },
              numbers) == 0);
    std::map<std::string, std::vector<std::string>> words;
    for (int i = 0; i < 1000; ++i) words[std::to_string(i)] = std::vector(10, std::string(100, 'x'));
    CHECK(run(
              [](const std::map<std::string, std::vector<std::string>>& got) {
                  expect(got.at("999").at(9).size() == 100);
              },
              words) == 0);
}

TEST_CASE("shared handles arrive as the same object, however they are taken", "[arguments]") {
    Tally tally;
    CHECK(run([](Tally t) { t.add(0, 1); }, tally) == 0);
    CHECK(run([](Tally& t) { t.add(0, 1); }, tally) == 0);
    CHECK(run([](const Tally& t) { t.add(0, 1); }, tally) == 0);
    CHECK(run([](Tally&& t) { t.add(0, 1); }, tally) == 0);
    CHECK(run([](auto& t) { t.add(0, 1); }, tally) == 0);
    CHECK(tally.get(0) == 5);
}

TEST_CASE("shared handles travel inside structures, twice in one message, and down to grandchildren",
          "[arguments]") {
    struct Bundle {
        std::vector<Tally> tallies;
        std::map<int, std::tuple<std::string, Tally>> named;
    };
    Tally a;
    Tally b;
    const Bundle bundle{{a, b, a}, {{1, {"b", b}}}};
    mp::Process p(
        [](const Bundle& got) {
            got.tallies.at(0).add(0, 1);
            got.tallies.at(2).add(0, 1);
            got.tallies.at(1).add(0, 1);
            std::get<1>(got.named.at(1)).add(0, 1);
            mp::Process child([](Bundle inner) { inner.tallies.at(2).add(1, 1); }, got);
            child.start();
            child.join();
        },
        bundle);
    p.start();
    p.join();
    CHECK(p.exitcode() == 0);
    CHECK(a.get(0) == 2);
    CHECK(b.get(0) == 2);
    CHECK(a.get(1) == 1);
}

TEST_CASE("a child may hand on what it made itself", "[arguments]") {
    Tally result;
    mp::Process p(
        [](Tally out) {
            Tally own;
            mp::Process child([](Tally t) { t.add(0, 21); }, own);
            child.start();
            child.join();
            out.add(0, own.get(0) * 2);
        },
        result);
    p.start();
    p.join();
    CHECK(result.get(0) == 42);
}

namespace {
Tally of_namespace; // touches no shared memory before it is used
}

TEST_CASE("a handle of namespace scope must be passed, under every start method", "[arguments]") {
    of_namespace.add(0, 1);
    CHECK(of_namespace.get(0) == 1);
    Tally passed;
    mp::Process p(
        [](Tally out) {
            try {
                of_namespace.add(0, 1);
            } catch (const std::logic_error& error) {
                if (std::string(error.what()).find("pass it as an argument") != std::string::npos)
                    out.add(0, 1);
            }
            try { // nor may it be passed on
                mp::Process child([](Tally) {}, of_namespace);
            } catch (const std::logic_error&) { out.add(1, 1); }
        },
        passed);
    p.start();
    p.join();
    CHECK(passed.get(0) == 1);
    CHECK(passed.get(1) == 1);
    CHECK(of_namespace.get(0) == 1);
    CHECK(run([](Tally t) { t.add(0, 1); }, of_namespace) == 0);
    CHECK(of_namespace.get(0) == 2);
    of_namespace = Tally{};
}

TEST_CASE("objects live as long as somebody has a handle, and no longer", "[arguments]") {
    auto& heap = mp::detail::tree().heap;
    // The fork server, if it is that, has its own needs, and the first lease has.
    mp::Process warm_up([](Tally) {}, Tally{});
    warm_up.start();
    warm_up.join();
    heap.trim();
    const auto before = heap.live();
    {
        Tally tally;
        std::optional<mp::Process> p;
        {
            Tally given;
            p.emplace(
                [](Tally t, Tally go) {
                    go.wait_for(0, 1);
                    t.add(0, 7);
                    go.add(1, t.get(0));
                },
                given, tally);
            p->start();
        } // the child still needs it
        CHECK(mp::detail::leases().count() == 2);
        tally.add(0, 1);
        p->join();
        CHECK(tally.get(1) == 7);
        CHECK(mp::detail::leases().count() == 0);
    }
    heap.trim();
    CHECK(heap.live() == before);
}

TEST_CASE("a child that drops its handles early lets the object go while it runs", "[arguments]") {
    Tally control;
    std::optional<mp::Process> p;
    {
        Tally large;
        p.emplace(
            [](Tally go, Tally dropped) {
                dropped.add(0, 1);
                dropped = Tally{};
                go.add(0, 1);
                go.wait_for(1, 1);
            },
            control, large);
        p->start();
    }
    control.wait_for(0, 1);
    mp::detail::leases().collect();
    CHECK(mp::detail::leases().count() == 1);
    control.add(1, 1);
    p->join();
}

TEST_CASE("a null pointer to a function is refused where the process is made", "[arguments]") {
    void (*const nothing)() = nullptr;
    CHECK_THROWS_AS(mp::Process(nothing), std::invalid_argument);
}
