// SPDX-License-Identifier: BSL-1.0
// What a Pipe costs, against a Queue, and a socket pair.

#include "bench.hpp"
#include "transports.hpp"

#include <multiprocessing/connection.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/spawn.hpp>

#include <array>
#include <chrono>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mp = multiprocessing;
using bench::place_on;

namespace {

using Bytes = std::vector<std::byte>;

void answer_queue(mp::Queue<long> in, mp::Queue<long> out, int cpu) {
    place_on(cpu);
    for (long item : in) out.put(item);
}
void answer_pipe(mp::Connection c, int cpu) {
    place_on(cpu);
    try {
        for (;;) c.send(c.recv<long>());
    } catch (const mp::EOFError&) {}
}

void round_trip(const std::string& measure, double at_most, int mine, int others) {
    constexpr int trips = 2000;
    const mp::Queue<long> in;
    const mp::Queue<long> out;
    auto [here, there] = mp::Pipe();
    const mp::ProcessOptions forked{.start_method = mp::StartMethod::fork};
    mp::Process queue_process(forked, answer_queue, in, out, others);
    mp::Process pipe_process(forked, answer_pipe, std::move(there), others);
    queue_process.start();
    pipe_process.start();
    place_on(mine);
    bench::compare(
        measure, at_most,
        [&] {
            return bench::seconds([&] {
                       for (long i = 0; i < trips; ++i) {
                           here.send(i);
                           bench::keep(here.recv<long>());
                       }
                   }) /
                   trips;
        },
        [&] {
            return bench::seconds([&] {
                       for (long i = 0; i < trips; ++i) {
                           in.put(i);
                           bench::keep(out.get());
                       }
                   }) /
                   trips;
        },
        10);
    place_on(-1);
    in.shutdown();
    here.close();
    queue_process.join();
    pipe_process.join();
}

/// Messages of one size from another process, on demand.
class Streams {
public:
    explicit Streams(std::size_t size) : size_(size), taken_(size), from_socket_(size) {
        auto [receiver, sender] = mp::Pipe(false);
        pipe_.emplace_back(std::move(receiver));
        const mp::ProcessOptions forked{.start_method = mp::StartMethod::fork};
        processes_.emplace_back(
            forked,
            [](mp::Queue<Bytes> queue, mp::Queue<int> demand, std::size_t bytes) {
                const Bytes item(bytes);
                for (int count : demand) {
                    for (int i = 0; i < count; ++i) queue.put(item);
                }
            },
            queue_, queue_demand_, size);
        processes_.emplace_back(
            forked,
            [](mp::Connection connection, mp::Queue<int> demand, std::size_t bytes) {
                const Bytes item(bytes);
                for (int count : demand) {
                    for (int i = 0; i < count; ++i) connection.send_bytes(item);
                }
            },
            std::move(sender), pipe_demand_, size);
        for (mp::Process& process : processes_) process.start();
        children_.start([this] {
            const Bytes item(size_);
            for (int count;;) {
                socket_demand_.receive(&count, sizeof count);
                for (int i = 0; i < count; ++i) socket_.send(item.data(), size_);
            }
        });
    }
    ~Streams() {
        queue_demand_.shutdown();
        pipe_demand_.shutdown();
        for (mp::Process& process : processes_) process.join();
    }

    double queue(int messages) {
        return per_message(
            messages, [&] { queue_demand_.put(messages); }, [&] { queue_.get_into(taken_); });
    }
    double pipe(int messages) {
        return per_message(
            messages, [&] { pipe_demand_.put(messages); }, [&] { pipe_.front().recv_bytes_into(taken_); });
    }
    double socket(int messages) {
        return per_message(
            messages, [&] { socket_demand_.send(&messages, sizeof messages); },
            [&] { socket_.receive(from_socket_.data(), size_); });
    }

private:
    template <class Demand, class Take>
    static double per_message(int messages, Demand demand, Take take) {
        return bench::seconds([&] {
                   demand();
                   for (int i = 0; i < messages; ++i) take();
               }) /
               messages;
    }

    std::size_t size_;
    mp::Queue<Bytes> queue_{mp::Count{4096}};
    mp::Queue<int> queue_demand_;
    mp::Queue<int> pipe_demand_;
    std::vector<mp::Connection> pipe_;
    std::vector<mp::Process> processes_;
    Bytes taken_;
    Bytes from_socket_;
    bench::SocketTransport socket_{0};
    bench::PipeTransport socket_demand_{4};
    bench::Children children_;
};

void stream(const std::string& size_name, std::size_t size, int messages) {
    Streams streams(size);
    const std::string measure = "pipe, messages of " + size_name + ", 1 to 1 / Queue";
    bench::compare(
        measure, 1.0, [&] { return streams.pipe(messages); }, [&] { return streams.queue(messages); }, 7);
    bench::compare(
        "the same / unix socket", 0.5, [&] { return streams.pipe(messages); },
        [&] { return streams.socket(messages); }, 7);
}

/// CPU time of a process that waits in recv(), as a part of the time that passes.
void idle() {
    auto [here, there] = mp::Pipe();
    mp::Process reader(
        {.start_method = mp::StartMethod::fork},
        [](mp::Connection c) {
            c.recv<int>();
            const double before = bench::cpu_seconds();
            c.recv<int>();
            c.send(bench::cpu_seconds() - before);
        },
        std::move(there));
    reader.start();
    here.send(1);
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
    const double time = bench::seconds([] { std::this_thread::sleep_for(std::chrono::seconds{5}); });
    here.send(2);
    bench::row("CPU time of a receiver that waits / time", here.recv<double>(), time, 0.0002);
    reader.join();
}

} // namespace

int main() {
    mp::freeze_support();
    round_trip("pipe, round trip of 8 B, two cores / Queue", 1.0, 0, 1);
    round_trip("the same, one core / Queue", 1.0, 0, 0);
    stream("8 B", 8, 100'000);
    stream("1 KiB", 1024, 100'000);
    stream("1 MiB", 1 << 20, 300);
    idle();
}
