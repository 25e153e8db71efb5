// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/process_barrier.hpp>

#include <atomic>
#include <thread>

using namespace contracts;

namespace {

struct alignas(64) Word {
    std::atomic<unsigned> value{0};
};

} // namespace

TEST_CASE("where there is a barrier, it can be joined and executed", "[process_barrier]") {
    if (!platform::has_process_barrier()) return;
    CHECK(platform::join_process_barrier());
    CHECK(platform::process_barrier());
}

// The pattern that it is for, with one side that only stores and loads. Two threads serve as two
// processes: the barrier interrupts processors, and knows no difference.
TEST_CASE("one of two sides that store and then load sees the other, with the barrier of both at one",
          "[process_barrier]") {
    if (!platform::has_process_barrier() || !platform::join_process_barrier()) return;
    Word item, ask;
    std::atomic<unsigned> seen{0}; // by the hot side: the last ask
    std::atomic<bool> over{false};
    std::thread hot([&] {
        for (unsigned i = 1; !over.load(std::memory_order_relaxed); ++i) {
            item.value.store(i, std::memory_order_release);
            std::atomic_signal_fence(std::memory_order_seq_cst);
            const unsigned asked = ask.value.load(std::memory_order_relaxed);
            if (asked == 0) continue;
            // It halts here until the ask is taken back, without going on to another item.
            seen.store(asked);
            while (ask.value.load() == asked) {}
        }
    });
    unsigned went_on = 0;
    for (unsigned round = 1; round <= 20'000; ++round) {
        const unsigned before = item.value.load();
        ask.value.store(round);
        platform::process_barrier();
        // At the same item still: then it must not begin another while it is asked.
        const bool is_there = item.value.load() == before;
        if (is_there) {
            for (int look = 0; look < 50; ++look) {
                const unsigned now = item.value.load();
                went_on += now > before + 1; // the next item may be shown, and is not begun
            }
        }
        ask.value.store(0);
    }
    over.store(true);
    hot.join();
    CHECK(went_on == 0);
    CHECK(seen.load() != 0);
}
