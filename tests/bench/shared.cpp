// SPDX-License-Identifier: BSL-1.0
// What it costs to synchronise processes, and to share what they work on.

#include "bench.hpp"
#include "python.hpp"

#include <multiprocessing/pool.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/spawn.hpp>
#include <multiprocessing/synchronize.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mp = multiprocessing;

namespace {

constexpr int pairs = 100'000; // of acquire and release; as in peer.py

template <class Mutex>
void take_and_give(Mutex& mutex) {
    for (int i = 0; i < pairs; ++i) {
        mutex.lock();
        mutex.unlock();
    }
}

void uncontended(bench::Python& python) {
    const mp::Lock lock;
    std::mutex mutex;
    std::atomic<bool> over{false};
    std::thread other([&] { over.wait(false); }); // a std::mutex of a program without threads locks nothing
    const auto ours = [&] { take_and_give(lock); };
    bench::compare("Lock, 100,000 times, uncontended / std::mutex in a threaded program", 1.4, ours,
                   [&] { take_and_give(mutex); });
    over = true;
    over.notify_all();
    other.join();
    if (python.available()) {
        bench::compare("the same / CPython's Lock", 1 / 3.5, ours, [&] { return python.round("lock"); });
    } else {
        bench::skipped("the same / CPython's Lock", "no python3");
    }
}

/// A pthread mutex for several processes, in shared memory.
class PthreadMutex {
public:
    PthreadMutex() {
        pthread_mutexattr_t attributes;
        pthread_mutexattr_init(&attributes);
        pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        pthread_mutex_init(get(), &attributes);
        pthread_mutexattr_destroy(&attributes);
    }
    void lock() { pthread_mutex_lock(get()); }
    void unlock() { pthread_mutex_unlock(get()); }

    template <class Archive>
    void serialize(Archive& archive) {
        archive(memory_);
    }

private:
    friend struct mp::access;
    pthread_mutex_t* get() { return reinterpret_cast<pthread_mutex_t*>(memory_.data()); }
    mp::RawArray<std::max_align_t> memory_{sizeof(pthread_mutex_t) / sizeof(std::max_align_t) + 1};
};

/// Seconds from when the first begins, once all are there, until the last is through.
template <class Mutex>
double contend(int processes, Mutex mutex) {
    const mp::Barrier barrier(processes);
    const mp::RawValue<long> counter;
    mp::RawArray<double> times(static_cast<std::size_t>(2 * processes)); // when each began and ended
    std::vector<mp::Process> all;
    for (int i = 0; i < processes; ++i) {
        all.emplace_back(
            mp::ProcessOptions{.start_method = mp::StartMethod::fork},
            [](mp::Barrier here, Mutex held, mp::RawValue<long> count, mp::RawArray<double> at,
               std::size_t index) {
                const auto now = [] {
                    return std::chrono::duration<double>(bench::Clock::now().time_since_epoch()).count();
                };
                here.wait();
                at[2 * index] = now();
                for (int k = 0; k < pairs; ++k) {
                    held.lock();
                    ++count.value();
                    held.unlock();
                }
                at[2 * index + 1] = now();
            },
            barrier, mutex, counter, times, static_cast<std::size_t>(i));
        all.back().start();
    }
    for (mp::Process& process : all) process.join();
    if (counter.value() != static_cast<long>(processes) * pairs) std::abort();
    const auto [first, last] = std::minmax_element(times.begin(), times.end());
    return *last - *first;
}

void contended() {
    for (const int processes : {2, 4}) {
        bench::compare(
            "Lock contended by " + std::to_string(processes) + " processes / pthread's, process-shared", 1.1,
            [=] { return contend(processes, mp::Lock{}); }, [=] { return contend(processes, PthreadMutex{}); });
    }
}

// ---- Hand-over: each of two processes waits for the other, in turn ----

constexpr int turns = 1000;

struct Events {
    mp::Event ping, pong;
    static void wait(mp::Event& event) {
        event.wait();
        event.clear();
    }
    void there() { ping.set(), wait(pong); }
    void back() { wait(ping), pong.set(); }
};

struct Conditions {
    mp::Condition condition;
    mp::RawValue<int> turn;
    void go(int mine) {
        std::scoped_lock guard{condition};
        condition.wait_for([&] { return turn.value() == mine; });
        turn.value() = 1 - mine;
        condition.notify();
    }
    void there() { go(0); }
    void back() { go(1); }
};

struct Futexes {
    mp::RawArray<std::uint32_t> words = mp::RawArray<std::uint32_t>(32); // each on a line of its own: 0 and 16
    void post(std::size_t index) {
        std::atomic_ref(words[index]).store(1);
        ::syscall(SYS_futex, &words[index], FUTEX_WAKE, 1, nullptr, nullptr, 0);
    }
    void wait(std::size_t index) {
        while (std::atomic_ref(words[index]).exchange(0) == 0)
            ::syscall(SYS_futex, &words[index], FUTEX_WAIT, 0, nullptr, nullptr, 0);
    }
    void there() { post(0), wait(16); }
    void back() { wait(0), post(16); }
};

void run_on(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    ::sched_setaffinity(0, sizeof set, &set);
}

/// Seconds for a turn there and back; `peer_processor` is the child's, 0 ours.
template <class Means>
double hand_over(int peer_processor) {
    Means means;
    mp::Process process(
        {.start_method = mp::StartMethod::fork},
        [](Means given, int processor) {
            run_on(processor);
            for (int i = 0; i < turns; ++i) given.back();
        },
        means, peer_processor);
    cpu_set_t before;
    ::sched_getaffinity(0, sizeof before, &before);
    run_on(0);
    process.start();
    means.there();
    const double time = bench::seconds([&] {
        for (int i = 1; i < turns; ++i) means.there();
    });
    process.join();
    ::sched_setaffinity(0, sizeof before, &before);
    return time / (turns - 1);
}

void hand_overs() {
    const int other = static_cast<int>(std::thread::hardware_concurrency()) > 1 ? 1 : 0;
    for (const int processor : {other, 0}) {
        const std::string where = processor == 0 ? ", on one core" : ", on two cores";
        bench::compare(
            "Event, there and back" + where + " / futex", 1.5, [=] { return hand_over<Events>(processor); },
            [=] { return hand_over<Futexes>(processor); });
        bench::compare(
            "Condition, there and back" + where + " / futex", 1.5,
            [=] { return hand_over<Conditions>(processor); }, [=] { return hand_over<Futexes>(processor); });
    }
}

// ---- Shared state ----

void elements() {
    mp::Array<double> array(100'000);
    std::vector<double> plain(array.size());
    const auto add = [](auto& numbers) {
        for (double& x : numbers) x += 1;
        bench::keep(numbers);
    };
    bench::compare(
        "x += 1 for 100,000 doubles of an Array / of a std::vector", 1.0, [&] { add(array); },
        [&] { add(plain); }, 1000);
    bench::compare(
        "the same by arr[i] / vector[i]", {},
        [&] {
            for (std::size_t i = 0; i < array.size(); ++i) array[i] += 1;
            bench::keep(array);
        },
        [&] {
            for (std::size_t i = 0; i < plain.size(); ++i) plain[i] += 1;
            bench::keep(plain);
        },
        100);
    const mp::Value<long> value;
    long variable = 0;
    const auto count = [](long& x) {
        for (int i = 0; i < 100'000; ++i) {
            x += i;
            bench::keep(x);
        }
    };
    bench::compare(
        "x += i, 100,000 times, of a Value / of a variable", 1.0, [&] { count(value.value()); },
        [&] { count(variable); }, 1000);
}

template <class Handle>
void make(const std::string& name) {
    const auto microsecond = [] { return 1e-6; };
    const auto used = [] {
        Handle handle;
        static_cast<void>(handle.get());
        bench::keep(handle);
    };
    bench::compare(
        "making and freeing a " + name + " / 1 us", 5,
        [&] {
            return bench::seconds([&] {
                       for (int i = 0; i < 1000; ++i) used();
                   }) /
                   1000;
        },
        microsecond);
    bench::compare(
        "the same, 100,000 of them at once, each / 1 us", 5,
        [&] {
            return bench::seconds([&] {
                       std::vector<Handle> all(100'000);
                       for (Handle& handle : all) static_cast<void>(handle.get());
                       bench::keep(all);
                   }) /
                   100'000;
        },
        microsecond);
}
struct AnyLock : mp::Lock {
    bool get() { return locked(); }
};
struct AnyValue : mp::Value<int> {
    int get() { return value(); }
};

void to_a_worker() {
    mp::Pool pool{1};
    mp::shared_vector<double> large((std::size_t{64} << 20) / sizeof(double), 1.0);
    bench::compare(
        "shared_vector of 64 MiB to a worker and back / 8 bytes", 1.5,
        [&] { pool.apply([](mp::shared_vector<double>& given) { given[0] += 1; }, large); },
        [&] { bench::keep(pool.apply([](double x) { return x + 1; }, 1.0)); }, 1000);
}

} // namespace

int main() {
    mp::freeze_support();
    bench::Python python;
    uncontended(python);
    contended();
    hand_overs();
    elements();
    make<AnyLock>("Lock");
    make<AnyValue>("Value");
    to_a_worker();
}
