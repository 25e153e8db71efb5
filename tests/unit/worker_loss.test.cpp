// SPDX-License-Identifier: BSL-1.0
// What the errors say that a task gets because its worker ended.
#include <support/catch.hpp>

#include <multiprocessing/detail/pool/worker_loss.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

using namespace multiprocessing::detail;
namespace mp = multiprocessing;
using namespace std::chrono_literals;

namespace {

mp::WorkerEnd end_with(std::optional<int> exitcode) {
    return {.pid = 12,
            .exitcode = exitcode,
            .worker = 1,
            .peak_memory = std::uint64_t{64} << 20,
            .cpu_time = 1234us};
}

std::string text_of(const mp::WorkerEnd& end, const TaskEnd& task) {
    return describe_loss("Spawn-PoolWorker-2", end, task);
}

} // namespace

TEST_CASE("the loss of a worker tells how it ended, what it ran, what it used, and what to do", "[pool]") {
    CHECK(text_of(end_with(3), {}) == "multiprocessing: worker Spawn-PoolWorker-2 (number 1, pid 12) ended "
                                      "with exit code 3 while it ran a task "
                                      "(peak memory 64 MiB, 1 ms of CPU time); let the task return or throw "
                                      "instead of ending its process, or "
                                      "catch this error");
    CHECK(text_of(end_with(-9), {.item = 7}) ==
          "multiprocessing: worker Spawn-PoolWorker-2 (number 1, pid 12) was killed by SIGKILL while it ran "
          "item 7 "
          "(peak memory 64 MiB, 1 ms of CPU time); that was probably the system's out-of-memory killer: use "
          "fewer "
          "workers, or less memory in each, or keep what the other items give by Pool::try_map()");
    CHECK(text_of(end_with(-11), {.item = 64, .count = 64}) ==
          "multiprocessing: worker Spawn-PoolWorker-2 (number 1, pid 12) was killed by SIGSEGV while it ran "
          "item 64 "
          "or one of the 63 after it (peak memory 64 MiB, 1 ms of CPU time); set .retries for further "
          "attempts, or "
          "keep what the other items give by Pool::try_map()");
    CHECK(text_of(end_with(-11), {.failures = 1, .policy = {.retries = 1}}) ==
          "multiprocessing: worker Spawn-PoolWorker-2 (number 1, pid 12) was killed by SIGSEGV while it ran a "
          "task, "
          "attempt 2 of 2 (peak memory 64 MiB, 1 ms of CPU time); raise .retries, or catch this error");
    mp::WorkerEnd unmeasured = end_with(3);
    unmeasured.peak_memory = 0;
    CHECK(text_of(unmeasured, {}).find("while it ran a task (1 ms of CPU time); ") != std::string::npos);
    mp::WorkerEnd unknown;
    unknown.pid = 12;
    CHECK(
        text_of(unknown, {}) ==
        "multiprocessing: worker Spawn-PoolWorker-2 (number 0, pid 12) ended in an unknown way while it ran a "
        "task; set .retries for further attempts, or catch this error");
}

TEST_CASE("the place of a crash comes last", "[pool]") {
    mp::WorkerEnd end = end_with(-6);
    end.trace = "crash() at x+0x1\nmain at x+0x2";
    CHECK(text_of(end, {}).ends_with("or catch this error; the crash was at\n" + end.trace));
}

TEST_CASE("a limit that was passed is told with its figures, and the option to raise", "[pool]") {
    TaskEnd late{.reason = EndReason::time_limit, .policy = {.time_limit = 1500ms}};
    CHECK(
        text_of(end_with(-9), late) ==
        "multiprocessing: a task ran longer than its time limit of 1500 ms; for that worker Spawn-PoolWorker-2 "
        "(number 1, pid 12) was killed by SIGKILL (peak memory 64 MiB, 1 ms of CPU time); raise .timeout, or "
        "catch "
        "this error");
    late.item = 0;
    late.failures = 2;
    late.policy.retries = 2;
    CHECK(text_of(end_with(-9), late) ==
          "multiprocessing: item 0, attempt 3 of 3, ran longer than its time limit of 1500 ms; for that worker "
          "Spawn-PoolWorker-2 (number 1, pid 12) was killed by SIGKILL (peak memory 64 MiB, 1 ms of CPU time); "
          "raise "
          ".timeout, or keep what the other items give by Pool::try_map()");
    const TaskEnd large{.reason = EndReason::memory_limit,
                        .item = 5,
                        .policy = {.memory_limit = 1},
                        .memory = std::uint64_t{300} << 20};
    CHECK(text_of(end_with(-9), large) ==
          "multiprocessing: item 5 had its worker use 300 MiB, more than its memory limit of 1 byte; for that "
          "worker "
          "Spawn-PoolWorker-2 (number 1, pid 12) was killed by SIGKILL (peak memory 64 MiB, 1 ms of CPU time); "
          "raise "
          ".memory_limit, or keep what the other items give by Pool::try_map()");
}

TEST_CASE("bytes are told in the unit that leaves two digits", "[pool]") {
    const auto limit = [](std::uint64_t bytes) {
        const TaskEnd task{.reason = EndReason::memory_limit, .policy = {.memory_limit = bytes}};
        const std::string text = text_of(end_with(-9), task);
        const std::string before = "memory limit of ";
        const auto begin = text.find(before) + before.size();
        return text.substr(begin, text.find(';', begin) - begin);
    };
    CHECK(limit(1) == "1 byte");
    CHECK(limit(100) == "100 bytes");
    CHECK(limit(10'239) == "10239 bytes");
    CHECK(limit(10'240) == "10 KiB");
    CHECK(limit((std::uint64_t{10} << 20) - 1) == "10239 KiB");
    CHECK(limit(std::uint64_t{10} << 20) == "10 MiB");
}
