// SPDX-License-Identifier: BSL-1.0
#include <support/few_files.hpp>
#include <support/processes.hpp>
#include <support/program.hpp>
#include <support/sanitizers.hpp>

#include <multiprocessing/connection.hpp>
#include <multiprocessing/detail/shared_object/forked_copies.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#if !defined(_WIN32)

#include <csignal>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace process;

namespace {

/// Runs `work` in a copy that fork() makes, and returns its exit code.
template <class Work>
int in_copy(Work work) {
    const pid_t copy = ::fork();
    if (copy == 0) {
        int code = 99;
        try {
            code = work();
        } catch (const std::exception& error) {
            mp::detail::platform::write_error(std::string(error.what()) + "\n");
        }
        ::_exit(code);
    }
    int status = 0;
    while (::waitpid(copy, &status, 0) < 0) {}
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void nothing() {}

void sum_up(mp::Event go, mp::Queue<int> queue, mp::Value<long> result) {
    go.wait();
    long sum = 0;
    for (int i = 0; i < 1000; ++i) sum += queue.get(10s);
    result.value() = sum;
}

/// A child that alone has a queue with items: here only the lease is left.
mp::Process child_with_queue(const mp::Event& go, const mp::Value<long>& result) {
    mp::Queue<int> queue;
    for (int i = 1; i <= 1000; ++i) queue.put(i);
    mp::Process child(sum_up, go, queue, result);
    child.start();
    return child;
}

void add_one(mp::Value<int> value) { value += 1; }

void answer(mp::Queue<int> questions, mp::Queue<int> answers) {
    for (const int question : questions) answers.put(question + 1);
}

/// Waits for `ready()`, as what was kept for a copy is freed when its end is noticed.
template <class Ready>
bool comes_true(Ready ready) {
    for (int i = 0; i < 1000; ++i) {
        mp::detail::forked_copies().collect();
        mp::detail::leases().collect();
        mp::detail::tree().heap.trim();
        if (ready()) return true;
        std::this_thread::sleep_for(11ms);
    }
    return false;
}

/// A fork makes what other handles of this program have not needed yet, and earlier copies may have left something.
void settle() {
    in_copy([] { return 0; });
    comes_true([] { return mp::detail::forked_copies().living() == 0; });
}

} // namespace

TEST_CASE("a fork leaves alone what only a running child has", "[own_fork]") {
    mp::Event go;
    mp::Value<long> result(-1L);
    mp::Process child = child_with_queue(go, result);
    SECTION("of the program's") {
        CHECK(in_copy([] { return 0; }) == 0);
    }
    SECTION("for a child by fork") {
        mp::Process other({.start_method = mp::StartMethod::fork}, nothing);
        other.start();
        other.join();
    }
    // What is made now may lie where the queue would have lain.
    mp::Queue<int> mine;
    for (int i = 0; i < 20'000; ++i) mine.put(7);
    go.set();
    CHECK(child.join(60s));
    CHECK(result.value() == 500'500);
}

TEST_CASE("a copy passes on what was made before it", "[own_fork]") {
    mp::Value<int> used(41);
    used += 1;
    mp::Value<int> unused(7);
    CHECK(in_copy([&] {
              mp::Value<int> own(0);
              own += 100; // may not lie where the others lie
              mp::Process first(add_one, used);
              mp::Process second(add_one, unused);
              first.start();
              second.start();
              first.join();
              second.join();
              return used.value() == 43 && unused.value() == 8 && own.value() == 100 ? 0 : 1;
          }) == 0);
    CHECK(used.value() == 43);
    CHECK(unused.value() == 8);
}

TEST_CASE("a copy and its original use one queue, lock and event", "[own_fork]") {
    mp::Queue<int> there;
    mp::Queue<std::vector<int>> back;
    mp::Lock lock;
    mp::Event done;
    mp::Array<int> counts(2);
    const pid_t copy = ::fork();
    if (copy == 0) {
        for (const int item : there) {
            const std::scoped_lock guard{lock};
            counts[0] += 1;
            counts[1] += item;
            back.put(std::vector<int>(100'000, item));
        }
        done.set();
        ::_exit(0);
    }
    for (int i = 1; i <= 50; ++i) {
        there.put(i);
        CHECK(back.get(60s) == std::vector<int>(100'000, i));
        const std::scoped_lock guard{lock};
        counts[1] += 1;
    }
    there.shutdown();
    CHECK(done.wait(60s));
    CHECK(counts[0] == 50);
    CHECK(counts[1] == 50 * 51 / 2 + 50);
    ::waitpid(copy, nullptr, 0);
}

TEST_CASE("an object outlives its handle while a copy has it, and no longer", "[own_fork]") {
    mp::Event go;
    go.clear();
    mp::Value<int> seen(0);
    seen += 0;
    settle();
    const std::uint64_t before = mp::detail::tree().heap.live();
    auto value = std::make_unique<mp::Value<int>>(5);
    auto queue = std::make_unique<mp::Queue<int>>();
    queue->put(6);
    const pid_t copy = ::fork();
    if (copy == 0) {
        go.wait();
        *value += 1;
        seen.value() = value->value() * 10 + queue->get(10s);
        ::_exit(0);
    }
    value.reset();
    queue.reset();
    {
        mp::Value<int> others[]{mp::Value<int>(1), mp::Value<int>(1), mp::Value<int>(1)};
        for (auto& other : others) other += 0;
        mp::Queue<int> other_queue;
        other_queue.put(7);
        go.set();
        int status = 1;
        ::waitpid(copy, &status, 0);
        CHECK(status == 0);
        CHECK(seen.value() == 66);
        for (auto& other : others) CHECK(other.value() == 1);
        CHECK(other_queue.get(10s) == 7);
    }
    CHECK(comes_true([&] { return mp::detail::tree().heap.live() <= before; }));
}

TEST_CASE("the memory of a copy that was killed is taken back", "[own_fork]") {
    mp::Value<int> stage(0);
    stage += 0;
    settle();
    mp::detail::Space& space = mp::detail::tree().space;
    const auto taken = [&] {
        std::uint64_t count = 0;
        for (auto i = space.first_extent(); i < space.high_water(); ++i) count += space.extent(i).owner != 0;
        return count;
    };
    const std::uint64_t before = taken();
    const pid_t copy = ::fork();
    if (copy == 0) {
        mp::Array<char> large(std::size_t{4} << 20);
        large[0] = 1;
        mp::Queue<std::vector<char>> queue;
        queue.put(std::vector<char>(1 << 20));
        stage += 1;
        for (;;) ::pause();
    }
    while (stage.value() == 0) std::this_thread::sleep_for(1ms);
    CHECK(taken() > before + 64);
    ::kill(copy, SIGKILL);
    ::waitpid(copy, nullptr, 0);
    CHECK(comes_true([&] { return taken() <= before; }));
    CHECK(mp::detail::forked_copies().living() == 0);
}

TEST_CASE("a copy of a copy has what both had", "[own_fork]") {
    mp::Value<int> first(1);
    CHECK(in_copy([&] {
              first += 1;
              mp::Value<int> second(10);
              const int code = in_copy([&] {
                  first += 1;
                  second += 1;
                  mp::Process child(add_one, second);
                  child.start();
                  child.join();
                  return second.value() == 12 ? 0 : 1;
              });
              return code == 0 && second.value() == 12 ? 0 : 1;
          }) == 0);
    CHECK(first.value() == 3);
}

TEST_CASE("a copy goes on when its original has ended", "[own_fork]") {
    mp::Queue<int> result;
    result.put(0);
    CHECK(result.get(10s) == 0);
    CHECK(in_copy([&] {
              mp::Value<int> value(20);
              value += 1;
              mp::Event gone;
              if (::fork() == 0) { // as daemon(3) does
                  gone.wait();
                  mp::Process child(add_one, value);
                  child.start();
                  child.join();
                  result.put(value.value());
                  ::_exit(0);
              }
              gone.set();
              return 0;
          }) == 0);
    CHECK(result.get(60s) == 22);
}

TEST_CASE("a copy has a pool of its own over objects made before", "[own_fork]") {
    mp::Queue<int> questions;
    mp::Queue<int> answers;
    CHECK(in_copy([&] {
              mp::Process child(answer, questions, answers);
              child.start();
              for (int i = 0; i < 10; ++i) questions.put(i);
              int sum = 0;
              for (int i = 0; i < 10; ++i) sum += answers.get(60s);
              questions.shutdown();
              child.join();
              return sum == 55 ? 0 : 1;
          }) == 0);
}

TEST_CASE("a copy that no fork handler sees ends nothing of its original's", "[own_fork]") {
    auto value = std::make_unique<mp::Value<int>>(5);
    *value += 0;
    const long copy = ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, 0);
    if (copy == 0) {
        *value += 1;
        value.reset();
        mp::Value<int> own(0);
        own += 1;
        ::_exit(own.value() == 1 ? 0 : 1);
    }
    int status = 1;
    ::waitpid(static_cast<pid_t>(copy), &status, 0);
    CHECK(status == 0);
    mp::Value<int> other(1);
    other += 0;
    CHECK(value->value() == 6);
}

TEST_CASE("a fork without descriptors keeps what it cannot watch", "[own_fork]") {
    if (support::has_asan) return; // UndefinedBehaviorSanitizer needs a descriptor to look at an exception
    auto value = std::make_unique<mp::Value<int>>(5);
    *value += 0;
    mp::Event go;
    go.clear();
    mp::Value<int> seen(0);
    seen += 0;
    pid_t copy = -1;
    {
        const support::FewFiles none{0};
        copy = ::fork();
        if (copy == 0) {
            go.wait();
            *value += 1;
            seen.value() = value->value();
            ::_exit(0);
        }
    }
    value.reset();
    mp::Value<int> others[]{mp::Value<int>(1), mp::Value<int>(1), mp::Value<int>(1), mp::Value<int>(1)};
    for (auto& other : others) other += 0;
    go.set();
    ::waitpid(copy, nullptr, 0);
    CHECK(seen.value() == 6);
    for (auto& other : others) CHECK(other.value() == 1);
}

TEST_CASE("a fork beside threads that make and drop objects leaves the copy able to", "[own_fork]") {
    if (support::has_asan) return; // whose allocator is not ready for such a fork
    std::atomic<bool> stop{false};
    std::vector<std::thread> busy;
    for (int i = 0; i < 2; ++i) {
        busy.emplace_back([&] {
            while (!stop) {
                mp::Value<int> value(1);
                value += 1;
                mp::Lock unused;
            }
        });
    }
    int wrong = 0;
    for (int i = 0; i < 100; ++i) {
        wrong += in_copy([] {
                     mp::Value<int> value(1);
                     value += 1;
                     return value.value() == 2 ? 0 : 1;
                 }) != 0;
    }
    stop = true;
    for (std::thread& thread : busy) thread.join();
    CHECK(wrong == 0);
}

/// A lock that another library holds while something forks, as older C libraries do.
static std::mutex of_another_library;

TEST_CASE("the program forks while its other threads start processes, and pools replace workers",
          "[own_fork]") {
    if (support::has_asan) return; // a copy may find its allocator's locks taken, which are not malloc's
    // Each fork takes every mutex of the library: two at a time took each other's, and one of them stayed locked.
    mp::Value<int>(1).value() = 2; // the library's handlers are there
    SECTION("alone") {}
    SECTION("beside handlers of others") {
        REQUIRE(::pthread_atfork([] { of_another_library.lock(); }, [] { of_another_library.unlock(); },
                                 [] { of_another_library.unlock(); }) == 0);
    }
    std::atomic<bool> is_over{false};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&] {
            while (!is_over) wrong += in_copy([] { return mp::Value<int>(3).value() == 3 ? 0 : 1; }) != 0;
        });
    }
    std::thread starts([&] {
        for (int i = 0; i < 100; ++i) {
            mp::Process child(nothing);
            child.start();
            child.join();
            wrong += child.exitcode() != 0;
        }
    });
    {
        mp::Pool pool({.processes = 2, .maxtasksperchild = 1});
        for (int i = 0; i < 50; ++i) wrong += pool.apply([](int x) { return x + 1; }, i) != i + 1;
    }
    starts.join();
    is_over = true;
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
}

TEST_CASE("a copy made while another thread looks for its program for the first time can look as well",
          "[own_fork]") {
    for (int i = 0; i < 15; ++i) REQUIRE(support::output_of("looks_up_beside_forks").exitcode == 0);
}
#endif
