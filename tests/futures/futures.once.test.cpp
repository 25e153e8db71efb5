// SPDX-License-Identifier: BSL-1.0
// Future, Promise, wait and as_completed, in one process. ThreadSanitizer runs these cases, too.
#include <support/processes.hpp>

#include <multiprocessing/futures.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

using namespace process;
namespace futures = mp::futures;
using futures::Future;
using futures::Promise;

namespace {

template <class R>
std::vector<Future<R>> futures_of(const std::vector<Promise<R>>& promises) {
    std::vector<Future<R>> all;
    for (const auto& promise : promises) all.push_back(promise.future());
    return all;
}

/// An executor of one's own, as the concept asks for it: it calls at once.
struct Immediate {
    template <class Function, class... Arguments>
    auto submit(Function function, Arguments... arguments) {
        using R = decltype(function(arguments...));
        Promise<R> promise;
        promise.set_running_or_notify_cancel();
        try {
            promise.set_result(function(arguments...));
        } catch (...) { promise.set_exception(std::current_exception()); }
        return promise.future();
    }
    void shutdown() {}
};
static_assert(futures::Executor<Immediate>);
static_assert(!futures::Executor<int>);

/// Runs `act(number)` in so many threads at once.
template <class Act>
void in_threads(int count, Act act) {
    std::atomic<int> waiting{count};
    std::vector<std::jthread> threads;
    for (int i = 0; i < count; ++i) {
        threads.emplace_back([&, i] {
            --waiting;
            while (waiting > 0) std::this_thread::yield();
            act(i);
        });
    }
}

} // namespace

TEST_CASE("a promise's result arrives in all of its futures", "[futures]") {
    Promise<std::string> promise;
    const Future<std::string> future = promise.future();
    const Future<std::string> other = promise.future();
    CHECK(future == other);
    CHECK_FALSE(future.done());
    CHECK_FALSE(future.running());
    CHECK_FALSE(future.cancelled());
    CHECK_THROWS_AS(future.result(0s), mp::TimeoutError);
    CHECK_THROWS_AS(future.exception(10ms), futures::TimeoutError);
    CHECK(promise.set_running_or_notify_cancel());
    CHECK(future.running());
    CHECK_FALSE(future.cancel());
    promise.set_result("text");
    CHECK(future.done());
    CHECK_FALSE(future.running());
    CHECK_FALSE(future.cancelled());
    CHECK_FALSE(future.cancel());
    CHECK(future.result() == "text");
    CHECK(other.result(0s) == "text");
    CHECK_FALSE(future.exception());
}

TEST_CASE("a promise's exception arrives in all of its futures", "[futures]") {
    Promise<int> promise;
    const auto future = promise.future();
    promise.set_exception(std::domain_error("of a promise"));
    CHECK(future.done());
    CHECK_THROWS_AS(future.result(), std::domain_error);
    CHECK_THROWS_WITH(promise.future().result(), "of a promise");
    REQUIRE(future.exception());
    CHECK_THROWS_AS(std::rethrow_exception(future.exception()), std::domain_error);
    Promise<int> another;
    another.set_exception(std::make_exception_ptr(17));
    CHECK_THROWS_AS(another.future().result(), int);
}

TEST_CASE("a promise of nothing, of a pointer or a text is kept", "[futures]") {
    Promise<void> nothing;
    CHECK_FALSE(nothing.future().done());
    nothing.set_result();
    nothing.future().result();
    STATIC_REQUIRE(std::is_void_v<decltype(nothing.future().result())>);
    Promise<std::unique_ptr<int>> pointer;
    pointer.set_result(std::make_unique<int>(5));
    const auto future = pointer.future();
    CHECK(*future.result() == 5); // which cannot be copied, so that it is moved out
    CHECK_THROWS_AS(future.result(), std::logic_error);
    CHECK_FALSE(future.exception());
    Promise<std::string> text;
    text.set_result(std::string(1000, 'x'));
    CHECK(text.future().result().size() == 1000); // of an rvalue: moved out
    CHECK_THROWS_AS(text.future().result(), std::logic_error);
    Promise<std::string> kept;
    kept.set_result("kept");
    const auto copied = kept.future();
    CHECK(copied.result() == "kept");
    CHECK(copied.result() == "kept");
}

TEST_CASE("a promise is set once", "[futures]") {
    Promise<int> promise;
    promise.set_result(1);
    CHECK_THROWS_AS(promise.set_result(2), futures::InvalidStateError);
    CHECK_THROWS_AS(promise.set_exception(std::domain_error("no")), futures::InvalidStateError);
    CHECK_THROWS_AS(promise.set_running_or_notify_cancel(), futures::InvalidStateError);
    CHECK(promise.future().result() == 1);
    Promise<int> running;
    CHECK(running.set_running_or_notify_cancel());
    CHECK_THROWS_AS(running.set_running_or_notify_cancel(), futures::InvalidStateError);
    running.set_result(3);
    CHECK(running.future().result() == 3);
}

TEST_CASE("a future that is cancelled stays so", "[futures]") {
    Promise<int> promise;
    const auto future = promise.future();
    CHECK(future.cancel());
    CHECK(future.cancel());
    CHECK(future.cancelled());
    CHECK(future.done());
    CHECK_FALSE(future.running());
    CHECK_THROWS_AS(future.result(), futures::CancelledError);
    CHECK_THROWS_AS(future.exception(), mp::CancelledError);
    CHECK_FALSE(promise.set_running_or_notify_cancel());
    CHECK_FALSE(promise.set_running_or_notify_cancel());
    CHECK_THROWS_AS(promise.set_result(1), futures::InvalidStateError);
    CHECK(future.cancelled());
    Promise<int> killed;
    CHECK(killed.future().kill());
    CHECK(killed.future().cancelled());
}

TEST_CASE("a promise that is dropped cancels its futures", "[futures]") {
    std::optional<Future<int>> future;
    std::optional<Future<int>> running;
    {
        Promise<int> promise;
        future = promise.future();
        Promise<int> begun;
        CHECK(begun.set_running_or_notify_cancel());
        running = begun.future();
    }
    CHECK(future->cancelled());
    CHECK(running->cancelled());
    CHECK_THROWS_AS(running->result(), mp::CancelledError);
    Promise<int> assigned;
    future = assigned.future();
    assigned = Promise<int>{};
    CHECK(future->cancelled());
    Promise<int> moved = std::move(assigned);
    future = moved.future();
    CHECK_FALSE(future->done());
    moved.set_result(5);
    CHECK(future->result() == 5);
}

TEST_CASE("futures are compared, ordered and hashed by their result", "[futures]") {
    std::vector<Promise<int>> promises(10);
    const auto first = futures_of(promises);
    const auto second = futures_of(promises);
    const std::hash<Future<int>> hash;
    for (std::size_t i = 0; i < 10; ++i) {
        CHECK(first[i] == second[i]);
        CHECK(hash(first[i]) == hash(second[i]));
        CHECK((first[i] <=> second[i]) == std::strong_ordering::equal);
        for (std::size_t k = 0; k < i; ++k) {
            CHECK(first[i] != first[k]);
            CHECK((first[i] < first[k]) != (first[k] < first[i]));
        }
    }
    std::unordered_set<Future<int>> unordered(first.begin(), first.end());
    unordered.insert(second.begin(), second.end());
    CHECK(unordered.size() == 10);
    std::map<Future<int>, int> map;
    for (const auto& future : first) ++map[future];
    for (const auto& future : second) ++map[future];
    CHECK(map.size() == 10);
    CHECK(map[second[3]] == 2);
}

TEST_CASE("a future outlives its promise and its copies", "[futures]") {
    auto promise = std::make_unique<Promise<std::vector<int>>>();
    auto copy = std::make_unique<Future<std::vector<int>>>(promise->future());
    const Future<std::vector<int>> future = *copy;
    promise->set_result({1, 2, 3});
    promise.reset();
    copy.reset();
    CHECK(future.result() == std::vector{1, 2, 3});
}

TEST_CASE("done callbacks run in order, each with the future", "[futures]") {
    Promise<int> promise;
    const auto future = promise.future();
    std::vector<std::string> notes;
    for (const char* const name : {"a", "b", "c"}) {
        future.add_done_callback(
            [&notes, name](const Future<int>& f) { notes.push_back(name + std::to_string(f.result())); });
    }
    future.add_done_callback([&](Future<int> f) {
        if (f == future) notes.push_back("the same");
    });
    CHECK(notes.empty());
    promise.set_result(1);
    CHECK(notes == std::vector<std::string>{"a1", "b1", "c1", "the same"});
    future.add_done_callback(
        [&](const Future<int>& f) { notes.push_back("late" + std::to_string(f.result())); });
    CHECK(notes.back() == "late1");
    Promise<int> cancelled;
    cancelled.future().add_done_callback(
        [&](const Future<int>& f) { notes.push_back(f.cancelled() ? "cancelled" : "not cancelled"); });
    cancelled.future().cancel();
    CHECK(notes.back() == "cancelled");
    {
        Promise<int> dropped;
        dropped.future().add_done_callback(
            [&](const Future<int>& f) { notes.push_back(f.cancelled() ? "dropped" : ""); });
    }
    CHECK(notes.back() == "dropped");
}

TEST_CASE("what a done callback throws is logged, and the others run", "[futures]") {
    const ExpectedLog log{"out of a done callback"};
    Promise<int> promise;
    bool called = false;
    promise.future().add_done_callback(
        [](const Future<int>&) { throw std::runtime_error("out of a done callback"); });
    promise.future().add_done_callback([&](const Future<int>&) { called = true; });
    promise.set_result(1);
    CHECK(called);
    CHECK(log.seen());
    CHECK(promise.future().result() == 1);
}

TEST_CASE("a done callback adds another, which runs behind it", "[futures]") {
    Promise<int> promise;
    std::vector<int> notes;
    promise.future().add_done_callback([&](const Future<int>& f) {
        f.add_done_callback([&](const Future<int>&) { notes.push_back(2); });
        notes.push_back(1);
    });
    promise.future().add_done_callback([&](const Future<int>&) { notes.push_back(3); });
    promise.set_result(1);
    REQUIRE(notes.size() == 3);
    CHECK(notes[0] == 1);
    CHECK(std::find(notes.begin(), notes.end(), 2) != notes.end());
}

TEST_CASE("callbacks keep nothing alive that nobody can reach", "[futures]") {
    auto held = std::make_shared<int>(1);
    const std::weak_ptr<int> weak = held;
    {
        Promise<int> promise;
        promise.future().add_done_callback([held = std::move(held)](const Future<int>&) {});
        CHECK_FALSE(weak.expired());
        promise.set_result(1);
        CHECK(weak.expired()); // once it has run
    }
    auto other = std::make_shared<int>(1);
    const std::weak_ptr<int> weak_other = other;
    {
        Promise<int> promise;
        const auto future = promise.future();
        future.add_done_callback([future, other = std::move(other)](const Future<int>&) {}); // holds itself
        promise.set_result(1);
    }
    CHECK(weak_other.expired());
}

TEST_CASE("futures say in text how they are", "[futures]") {
    Promise<int> promise;
    const auto future = promise.future();
    CHECK_THAT(mp::to_string(future), StartsWith("<Future at 0x"));
    CHECK_THAT(mp::to_string(future), ContainsSubstring("state=pending>"));
    promise.set_running_or_notify_cancel();
    CHECK_THAT(mp::to_string(future), ContainsSubstring("state=running>"));
    promise.set_result(1);
    CHECK_THAT(mp::to_string(future), ContainsSubstring("state=finished returned>"));
    Promise<int> failed;
    failed.set_exception(std::domain_error("x"));
    CHECK_THAT(mp::to_string(failed.future()), ContainsSubstring("state=finished raised>"));
    Promise<int> cancelled;
    cancelled.future().cancel();
    CHECK_THAT(mp::to_string(cancelled.future()), ContainsSubstring("state=cancelled>"));
}

TEST_CASE("wait returns all futures when all have ended", "[futures]") {
    std::vector<Promise<int>> promises(4);
    const auto all = futures_of(promises);
    promises[2].set_result(2);
    auto early = futures::wait(all, 0s);
    CHECK(early.done == std::vector{all[2]});
    CHECK(early.not_done == std::vector{all[0], all[1], all[3]});
    early = futures::wait(all, 20ms);
    CHECK(early.done.size() == 1);
    std::jthread sets([&] {
        promises[3].set_exception(std::domain_error("x"));
        promises[1].future().cancel();
        promises[0].set_result(0);
    });
    const auto [done, not_done] = futures::wait(all);
    CHECK(done == all); // in the order in which they were given
    CHECK(not_done.empty());
}

TEST_CASE("wait returns when the first future has ended", "[futures]") {
    std::vector<Promise<int>> promises(3);
    const auto all = futures_of(promises);
    CHECK(futures::wait(all, 0s, futures::FIRST_COMPLETED).done.empty());
    CHECK(futures::wait(all, 10ms, futures::FIRST_COMPLETED).not_done == all);
    {
        std::jthread sets([&] { promises[1].set_result(1); });
        const auto [done, not_done] = futures::wait(all, futures::FIRST_COMPLETED);
        CHECK(done == std::vector{all[1]});
        CHECK(not_done == std::vector{all[0], all[2]});
    }
    CHECK(futures::wait(all, futures::FIRST_COMPLETED).done.size() == 1); // at once
    std::vector<Promise<int>> others(2);
    others[0].future().cancel();
    CHECK(futures::wait(futures_of(others), futures::FIRST_COMPLETED).done == std::vector{others[0].future()});
    others[1].set_exception(std::domain_error("x"));
    CHECK(futures::wait({others[1].future()}, futures::FIRST_COMPLETED).done.size() == 1);
}

TEST_CASE("wait sees a future that ends while the others are looked at", "[futures]") {
    std::vector<Promise<int>> slow(50);
    std::vector<Future<int>> all = futures_of(slow);
    all.push_back(all.front()); // the place of the one that ends
    std::mt19937 random(1);
    const auto when = GENERATE(futures::FIRST_COMPLETED, futures::FIRST_EXCEPTION);
    for (int i = 0; i < 300; ++i) {
        Promise<int> quick;
        all.back() = quick.future();
        std::atomic<bool> is_waiting{false};
        std::jthread ends([&, pause = std::chrono::microseconds(random() % 100)] {
            while (!is_waiting) {}
            const auto until = std::chrono::steady_clock::now() + pause;
            while (std::chrono::steady_clock::now() < until) {}
            quick.set_exception(std::domain_error("x"));
        });
        is_waiting = true;
        const auto begin = std::chrono::steady_clock::now();
        REQUIRE(futures::wait(all, 20s, when).done.size() == 1);
        REQUIRE(std::chrono::steady_clock::now() - begin < 20s); // it has not waited for the slow ones
        ends.join();
        REQUIRE(all.back().exception());
    }
}

TEST_CASE("wait returns at the first exception, which no cancellation is", "[futures]") {
    std::vector<Promise<int>> promises(4);
    const auto all = futures_of(promises);
    promises[0].set_result(0);
    promises[1].future().cancel();
    CHECK(futures::wait(all, 10ms, futures::FIRST_EXCEPTION).done.size() == 2);
    {
        std::jthread sets([&] { promises[3].set_exception(std::domain_error("x")); });
        const auto [done, not_done] = futures::wait(all, futures::FIRST_EXCEPTION);
        CHECK(done == std::vector{all[0], all[1], all[3]});
        CHECK(not_done == std::vector{all[2]});
    }
    CHECK(futures::wait(all, futures::FIRST_EXCEPTION).not_done.size() == 1); // at once
    std::vector<Promise<int>> fine(2);
    std::jthread sets([&] {
        fine[1].set_result(1);
        fine[0].set_result(0);
    });
    CHECK(futures::wait(futures_of(fine), futures::FIRST_EXCEPTION).done.size() ==
          2); // none: all are waited for
}

TEST_CASE("wait takes any range of futures, each once", "[futures]") {
    std::vector<Promise<int>> promises(3);
    for (auto& promise : promises) promise.set_result(1);
    const auto a = promises[0].future();
    const auto b = promises[1].future();
    CHECK(futures::wait(std::vector<Future<int>>{}).done.empty());
    CHECK(futures::wait(std::vector<Future<int>>{}, futures::FIRST_COMPLETED).done.empty());
    CHECK(futures::wait(std::vector<Future<int>>{}, 0s, futures::FIRST_EXCEPTION).not_done.empty());
    CHECK(futures::wait({a, b, a, b, b}).done == std::vector{a, b});
    CHECK(futures::wait(std::list{b, a, b}).done == std::vector{b, a});
    CHECK(futures::wait(std::set{a, b}).done.size() == 2);
    CHECK(futures::wait(std::array{a}, 1s).done.size() == 1);
    CHECK(futures::wait(promises | std::views::transform([](auto& p) { return p.future(); })).done.size() == 3);
    Promise<std::string> text;
    CHECK(futures::wait({text.future(), text.future()}, 0s).not_done.size() == 1);
}

TEST_CASE("wait leaves nothing at futures that have not ended", "[futures]") {
    Promise<int> slow;
    Promise<int> quick;
    quick.set_exception(std::domain_error("x"));
    for (int i = 0; i < 1000; ++i) {
        futures::wait({slow.future()}, 0s, futures::FIRST_COMPLETED);
        futures::wait({slow.future(), quick.future()}, futures::FIRST_EXCEPTION);
        for (const auto& future : futures::as_completed({slow.future(), quick.future()})) {
            CHECK(future == quick.future());
            break;
        }
    }
    slow.set_result(1); // runs no hook whose waiter has gone
    CHECK(slow.future().result() == 1);
}

TEST_CASE("as_completed yields futures in the order of their ends", "[futures]") {
    std::vector<Promise<int>> promises(4);
    const auto all = futures_of(promises);
    promises[3].set_result(3);
    promises[1].future().cancel();
    std::set<std::size_t> early;
    std::vector<std::size_t> order;
    const auto index_of = [&](const Future<int>& future) {
        return static_cast<std::size_t>(std::find(all.begin(), all.end(), future) - all.begin());
    };
    for (const auto& future : futures::as_completed(all)) {
        CHECK(future.done());
        order.push_back(index_of(future));
        if (order.size() == 2) promises[2].set_exception(std::domain_error("x"));
        if (order.size() == 3) promises[0].set_result(0);
    }
    REQUIRE(order.size() == 4);
    early.insert(order.begin(), order.begin() + 2);
    CHECK(early == std::set<std::size_t>{1, 3}); // those that had ended come first
    CHECK(order[2] == 2);
    CHECK(order[3] == 0);
}

TEST_CASE("as_completed yields each future once, and none of no range", "[futures]") {
    Promise<int> a;
    Promise<int> b;
    a.set_result(1);
    b.set_result(2);
    int sum = 0;
    for (auto& future : futures::as_completed({a.future(), b.future(), a.future()})) sum += future.result();
    CHECK(sum == 3);
    for (auto& future : futures::as_completed(std::vector<Future<int>>{})) sum += future.result();
    CHECK(sum == 3);
    auto range = futures::as_completed(std::list{b.future()}, 1s);
    auto moved = std::move(range);
    auto at = moved.begin();
    CHECK(at != std::default_sentinel);
    CHECK((*at).result() == 2);
    ++at;
    CHECK(at == std::default_sentinel);
}

TEST_CASE("as_completed throws TimeoutError, and says how many are left", "[futures]") {
    std::vector<Promise<int>> promises(3);
    promises[1].set_result(1);
    int count = 0;
    try {
        for (auto& future : futures::as_completed(futures_of(promises), 20ms)) count += future.done();
        FAIL("nothing was thrown");
    } catch (const futures::TimeoutError& error) { CHECK_THAT(error.what(), ContainsSubstring("2 (of 3)")); }
    CHECK(count == 1);
    promises[0].set_result(0);
    promises[2].set_result(0);
    for (auto& future : futures::as_completed(futures_of(promises), 0s))
        count += future.done(); // all are there
    CHECK(count == 4);
}

TEST_CASE("threads set, cancel, wait for and call back one future", "[futures]") {
    for (int round = 0; round < 300; ++round) {
        Promise<std::string> promise;
        const auto future = promise.future();
        std::atomic<int> called{0};
        std::atomic<int> wrong{0};
        std::atomic<bool> cancelled{false};
        std::atomic<bool> set{false};
        in_threads(5, [&](int number) {
            switch (number) {
            case 0:
                try {
                    promise.set_result("value");
                    set = true;
                } catch (const futures::InvalidStateError&) {}
                break;
            case 1: cancelled = future.cancel(); break;
            case 2: try { wrong += future.result() != "value";
                } catch (const mp::CancelledError&) {}
                break;
            case 3: wrong += futures::wait({future}, futures::FIRST_COMPLETED).done.size() != 1; break;
            default:
                for (int i = 0; i < 5; ++i)
                    future.add_done_callback(
                        [&](const Future<std::string>& f) { wrong += !f.done(), ++called; });
            }
        });
        CHECK(set != cancelled);
        CHECK(future.cancelled() == cancelled);
        CHECK(called == 5);
        CHECK(wrong == 0);
    }
}

TEST_CASE("a promise refuses a null exception, and says that it was moved", "[futures]") {
    Promise<int> promise;
    CHECK_THROWS_AS(promise.set_exception(std::exception_ptr{}), std::invalid_argument);
    const auto future = promise.future();
    CHECK_FALSE(future.done());
    Promise<int> other = std::move(promise);
    CHECK_THROWS_AS(promise.future(), std::logic_error);
    CHECK_THROWS_AS(promise.set_result(1), std::logic_error);
    other.set_result(2);
    CHECK(future.result() == 2);
}

TEST_CASE("an executor of one's own gives futures like any other", "[futures]") {
    Immediate executor;
    const auto future = executor.submit([](int x) { return x + 1; }, 1);
    CHECK(futures::wait({future}).done.size() == 1);
    CHECK(future.result() == 2);
    CHECK_THROWS_AS(executor.submit([](int) -> int { throw std::domain_error("x"); }, 1).result(),
                    std::domain_error);
}
