// SPDX-License-Identifier: BSL-1.0
// What a queue costs, against the ways that the system and Boost have to get bytes to another process.

#include "bench.hpp"
#include "python.hpp"
#include "transports.hpp"

#include <multiprocessing/process.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/spawn.hpp>

#include <array>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace mp = multiprocessing;
using bench::Children;
using bench::place_on;

namespace {

template <std::size_t size>
using Message = std::array<char, size>;
using Bytes = std::vector<char>;

// ---- round trips of 8 bytes ----

constexpr int trips = 2000;

void answer(mp::Queue<long> in, mp::Queue<long> out, int cpu) {
    place_on(cpu);
    for (long item : in) out.put(item);
}

/// A process that answers by our queues.
class QueueEcho {
public:
    explicit QueueEcho(int cpu) : process_({.start_method = mp::StartMethod::fork}, answer, in_, out_, cpu) {
        process_.start();
    }
    ~QueueEcho() {
        in_.shutdown();
        process_.join();
    }
    double round() {
        return bench::seconds([&] {
                   for (int i = 0; i < trips; ++i) {
                       in_.put(i);
                       bench::keep(out_.get());
                   }
               }) /
               trips;
    }

private:
    mp::Queue<long> in_;
    mp::Queue<long> out_;
    mp::Process process_;
};

/// A process that answers by two of `Transport`.
template <class Transport>
class PeerEcho {
public:
    explicit PeerEcho(int cpu) {
        children_.start([this, cpu] {
            place_on(cpu);
            for (long item;;) {
                in_.receive(&item, sizeof item);
                out_.send(&item, sizeof item);
            }
        });
    }
    double round() {
        return bench::seconds([&] {
                   for (long i = 0; i < trips; ++i) {
                       long item = i;
                       in_.send(&item, sizeof item);
                       out_.receive(&item, sizeof item);
                   }
               }) /
               trips;
    }

private:
    Transport in_{sizeof(long)};
    Transport out_{sizeof(long)};
    Children children_;
};

template <class Transport>
void round_trip(const std::string& measure, double at_most, int mine, int others) {
    PeerEcho<Transport> peer{others};
    QueueEcho ours{others};
    place_on(mine);
    bench::compare(
        measure, at_most, [&] { return ours.round(); }, [&] { return peer.round(); }, 10);
    place_on(-1);
}

void round_trips() {
    round_trip<bench::PipeTransport>("queue, round trip of 8 B, two cores / pipe", 0.05, 0, 1);
    round_trip<bench::BoostQueue>("the same / Boost's message_queue", 0.1, 0, 1);
    round_trip<bench::FutexSlot>("the same, one core / futex", 1.5, 0, 0);
    round_trip<bench::BoostQueue>("the same, one core / Boost's message_queue", 0.714, 0, 0);
    round_trip<bench::FutexSlot>("the same, anywhere / futex", 1.2, -1, -1);
    Children busy;
    for (int i = 0; i < 2; ++i) {
        busy.start([] {
            for (volatile unsigned long count = 0;;) count = count + 1;
        });
    }
    round_trip<bench::FutexSlot>("the same beside two busy processes / futex", 1.2, -1, -1);
}

// ---- messages from others to this process ----

template <class Item>
void put_on_demand(mp::Queue<Item> queue, mp::Queue<int> demand, std::size_t size) {
    Item item{};
    if constexpr (requires { item.resize(size); }) item.resize(size);
    for (int count : demand) {
        for (int i = 0; i < count; ++i) queue.put(item);
    }
}

/// Processes that put, and as many less one that take beside this one; seconds per message.
template <class Item>
class QueueStream {
public:
    QueueStream(int pairs, std::size_t size, mp::Count maxsize) : queue_(maxsize), pairs_(pairs) {
        for (int i = 0; i < pairs; ++i) {
            processes_.emplace_back(mp::ProcessOptions{.start_method = mp::StartMethod::fork},
                                    put_on_demand<Item>, queue_, demand_, size);
        }
        for (int i = 1; i < pairs; ++i) {
            processes_.emplace_back(
                mp::ProcessOptions{.start_method = mp::StartMethod::fork},
                [](mp::Queue<Item> queue, mp::JoinableQueue<int> shares) {
                    Item item{};
                    for (int count : shares) {
                        for (int k = 0; k < count; ++k) queue.get_into(item);
                        shares.task_done();
                    }
                },
                queue_, shares_);
        }
        for (auto& process : processes_) process.start();
    }
    ~QueueStream() {
        demand_.shutdown();
        shares_.shutdown();
        for (auto& process : processes_) process.join();
    }
    double round(int messages) {
        return bench::seconds([&] {
                   for (int i = 1; i < pairs_; ++i) shares_.put(messages);
                   for (int i = 0; i < pairs_; ++i) demand_.put(messages);
                   for (int i = 0; i < messages; ++i) queue_.get_into(item_);
                   shares_.join();
               }) /
               messages / pairs_;
    }

private:
    mp::Queue<Item> queue_;
    mp::Queue<int> demand_;
    mp::JoinableQueue<int> shares_;
    std::vector<mp::Process> processes_;
    Item item_{};
    int pairs_;
};

/// The same by one `Transport`, whose ends are locked by semaphores if several use them and it does not do so itself.
template <class Transport>
class PeerStream {
public:
    PeerStream(int pairs, std::size_t size) : transport_(size), item_(size), pairs_(pairs) {
        for (int i = 0; i < pairs; ++i) {
            children_.start([this] {
                for (int count;;) {
                    demand_.receive(&count, sizeof count);
                    for (int k = 0; k < count; ++k) send();
                }
            });
        }
        for (int i = 1; i < pairs; ++i) {
            children_.start([this] {
                for (int count;;) {
                    shares_.receive(&count, sizeof count);
                    for (int k = 0; k < count; ++k) receive();
                    done_.send(&count, sizeof count);
                }
            });
        }
    }
    double round(int messages) {
        return bench::seconds([&] {
                   for (int i = 1; i < pairs_; ++i) shares_.send(&messages, sizeof messages);
                   for (int i = 0; i < pairs_; ++i) demand_.send(&messages, sizeof messages);
                   for (int i = 0; i < messages; ++i) receive();
                   int count;
                   for (int i = 1; i < pairs_; ++i) done_.receive(&count, sizeof count);
               }) /
               messages / pairs_;
    }

private:
    void send() {
        const auto guard = sending_.guard(pairs_ > 1 && !Transport::is_shared);
        transport_.send(item_.data(), item_.size());
    }
    void receive() {
        const auto guard = receiving_.guard(pairs_ > 1 && !Transport::is_shared);
        transport_.receive(item_.data(), item_.size());
    }

    Transport transport_;
    bench::PipeTransport demand_{4};
    bench::PipeTransport shares_{4};
    bench::PipeTransport done_{4};
    bench::SemaphoreBody sending_;
    bench::SemaphoreBody receiving_;
    Bytes item_;
    int pairs_;
    Children children_;
};

template <class Item, class Transport>
void stream(const std::string& measure, double at_most, std::size_t size, int pairs, int messages,
            mp::Count maxsize = {}) {
    PeerStream<Transport> peer{pairs, size};
    QueueStream<Item> ours{pairs, size, maxsize};
    bench::compare(
        measure, at_most, [&] { return ours.round(messages); }, [&] { return peer.round(messages); }, 7);
}

void streams(bench::Python& python) {
    stream<Message<8>, bench::BoostQueue>("queue, messages of 8 B, 1 to 1 / Boost's message_queue", 0.5, 8, 1,
                                          200'000);
    stream<Message<8>, bench::PipeTransport>("the same / pipe", 0.25, 8, 1, 200'000);
    stream<Message<64>, bench::BoostQueue>("queue, messages of 64 B, 1 to 1 / Boost's message_queue", 0.5, 64,
                                           1, 200'000);
    stream<Message<64>, bench::PipeTransport>("the same / pipe", 0.25, 64, 1, 200'000);
    if (python.available()) {
        QueueStream<Message<64>> ours{1, 64, {}};
        bench::compare(
            "the same / CPython's Queue", 0.02, [&] { return ours.round(20'000); },
            [&] { return python.round("queue") / 20'000; });
    } else {
        bench::skipped("the same / CPython's Queue", "no python3");
    }
    stream<Message<64>, bench::BoostQueue>("queue, messages of 64 B, 2 to 2 / Boost's message_queue", 0.77, 64,
                                           2, 100'000);
    stream<Message<64>, bench::PipeTransport>("the same / pipe with semaphores", 0.33, 64, 2, 100'000);
}

void large() {
    constexpr std::size_t size = 1 << 20;
    constexpr int messages = 500;
    {
        QueueStream<Bytes> ours{1, size, 4};
        Bytes from(size);
        Bytes to(size);
        bench::compare(
            "queue, messages of 1 MiB, 1 to 1 / memcpy", 1.67, [&] { return ours.round(messages); },
            [&] {
                return bench::seconds([&] {
                           for (int i = 0; i < messages; ++i) {
                               std::memcpy(to.data(), from.data(), size);
                               bench::keep(to);
                           }
                       }) /
                       messages;
            },
            7);
    }
    stream<Bytes, bench::BoostQueue>("the same / Boost's message_queue", 0.5, size, 1, messages, 4);
    stream<Bytes, bench::PipeTransport>("the same / pipe", 0.067, size, 1, 100, 4);
}

void answer_large(mp::Queue<Bytes> in, mp::Queue<Bytes> out) {
    Bytes item;
    try {
        for (;;) {
            in.get_into(item);
            out.put(item);
        }
    } catch (const mp::ShutDown&) {}
}

void there_and_back() {
    constexpr std::size_t size = 64 << 20;
    const mp::Queue<Bytes> in;
    const mp::Queue<Bytes> out;
    mp::Process process({.start_method = mp::StartMethod::fork}, answer_large, in, out);
    process.start();
    bench::SocketTransport there{size};
    bench::SocketTransport back{size};
    Bytes item(size, 'x');
    Bytes copy(size, 'y');
    Children children;
    children.start([&] {
        for (;;) {
            there.receive(copy.data(), size);
            back.send(copy.data(), size);
        }
    });
    const auto ours = [&] {
        in.put(item);
        out.get_into(copy);
    };
    bench::compare("queue, 64 MiB there and back / memcpy", 3, ours, [&] {
        std::memcpy(copy.data(), item.data(), size);
        bench::keep(copy);
    });
    bench::compare("the same / unix socket", 0.556, ours, [&] {
        there.send(item.data(), size);
        back.receive(copy.data(), size);
    });
    in.shutdown();
    process.join();
}

/// CPU time of a process that waits in get(), as a part of the time that passes.
void idle() {
    const mp::Queue<int> queue;
    const mp::Queue<double> answers;
    mp::Process reader(
        {.start_method = mp::StartMethod::fork},
        [](mp::Queue<int> q, mp::Queue<double> a) {
            q.get();
            const double before = bench::cpu_seconds();
            q.get();
            a.put(bench::cpu_seconds() - before);
        },
        queue, answers);
    reader.start();
    queue.put(1);
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
    const double time = bench::seconds([] { std::this_thread::sleep_for(std::chrono::seconds{5}); });
    queue.put(2);
    bench::row("CPU time of a reader that waits / time", answers.get(), time, 0.0002);
    reader.join();
}

} // namespace

int main() {
    mp::freeze_support();
    {
        bench::Python python;
        round_trips();
        streams(python);
    }
    large();
    there_and_back();
    idle();
}
