// SPDX-License-Identifier: BSL-1.0
// The actor of a barrier (the thread that comes last and runs the action) is late, is stopped at
// each of its instructions, or is killed after each of its writes: other generations end as they
// should.
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/parking.hpp>
#include <multiprocessing/detail/platform/thread.hpp>
#include <multiprocessing/detail/synchronize/barrier_body.hpp>
#include <multiprocessing/timeout.hpp>

#include <cstddef>
#include <cstdint>
#include <thread>

#if defined(__linux__) && !defined(__SANITIZE_THREAD__)
#define MP_TEST_STEPS 1
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>

#include <csignal>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace detail = multiprocessing::detail;
namespace platform = multiprocessing::detail::platform;
using detail::Deadline;
using detail::SharedBarrier;
using Phase = SharedBarrier::Phase;

namespace {

/// A barrier of two parties with an action, as this process and its copies see it.
struct Two {
    SharedBarrier& barrier;
    platform::Parking parking{&barrier, {}};

    SharedBarrier::Arrival arrive(platform::ThreadName self) {
        return barrier.arrive(parking, 2, true, self, Deadline{});
    }
    bool is_over(std::uint32_t generation) { return barrier.is_over(parking, generation); }
    bool was_passed(std::uint32_t generation) {
        return barrier.await(parking, generation, Deadline::passed_long_ago());
    }
    bool is_broken() const { return barrier.state().phase == Phase::broken; }
};

platform::ThreadName name_of_dead_thread() {
    platform::ThreadName name = 0;
    std::thread([&] { name = platform::name_of_this_thread(); }).join();
    REQUIRE_FALSE(platform::lives(name));
    return name;
}

/// This thread is both parties, and all is well.
void pass(Two two) {
    const auto self = platform::name_of_this_thread();
    const auto first = two.arrive(self);
    REQUIRE(first.rank == 0);
    const auto actor = two.arrive(self);
    REQUIRE(actor.rank == 1);
    REQUIRE(actor.acts);
    CHECK_FALSE(two.is_over(first.generation));
    CHECK_FALSE(two.is_broken());
    CHECK(two.barrier.act_done(two.parking, actor));
    CHECK(two.was_passed(first.generation));
}

/// The actor dies in its action; the barrier is broken and reset, and still has the dead actor's
/// name.
void lose_an_actor(Two two) {
    const auto first = two.arrive(platform::name_of_this_thread());
    REQUIRE(two.arrive(name_of_dead_thread()).acts);
    CHECK_FALSE(two.is_over(first.generation)); // this look breaks the barrier
    CHECK(two.is_over(first.generation));
    CHECK(two.is_broken());
    two.barrier.reset(two.parking);
}

} // namespace

TEST_CASE("the name of a dead actor breaks no later generation of a barrier", "[synchronize]") {
    SharedBarrier barrier;
    Two two{barrier};
    for (int i = 0; i < 20; ++i) { // more than there are places for names
        lose_an_actor(two);
        pass(two);
    }
}

TEST_CASE("an actor that returns late ends and breaks no later generation of a barrier", "[synchronize]") {
    SharedBarrier barrier;
    Two two{barrier};
    const auto self = platform::name_of_this_thread();
    const bool fails = GENERATE(false, true);
    const auto come_back = [&](const SharedBarrier::Arrival& late) {
        if (fails) {
            barrier.act_failed(two.parking, late);
        } else {
            CHECK_FALSE(barrier.act_done(two.parking, late));
        }
    };
    const auto begin = [&] {
        static_cast<void>(two.arrive(self));
        return two.arrive(self);
    };
    const auto early = begin();
    const auto middle = [&] {
        barrier.reset(two.parking); // while the first actor acts
        return begin();
    }();
    barrier.reset(two.parking);
    const auto first = two.arrive(self);
    come_back(early);
    CHECK(barrier.state().phase == Phase::filling);
    CHECK(barrier.state().arrived == 1);
    const auto actor = two.arrive(self);
    REQUIRE(actor.acts);
    come_back(middle);
    CHECK_FALSE(two.is_over(first.generation));
    CHECK(barrier.state().phase == Phase::acting);
    CHECK(barrier.act_done(two.parking, actor));
    CHECK(two.was_passed(first.generation));
    pass(two);
}

#if defined(MP_TEST_STEPS)

namespace {

/// What this process and its copies share.
class Shared {
public:
    Shared() {
        void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        REQUIRE(memory != MAP_FAILED);
        barrier_ = new (memory) SharedBarrier;
    }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
    ~Shared() { ::munmap(static_cast<void*>(barrier_), size); }

    SharedBarrier& barrier() noexcept { return *barrier_; }
    std::array<std::byte, sizeof(SharedBarrier)> bytes() const {
        std::array<std::byte, sizeof(SharedBarrier)> copy;
        std::memcpy(copy.data(), static_cast<const void*>(barrier_), copy.size());
        return copy;
    }

private:
    static constexpr std::size_t size = 4096;
    static_assert(sizeof(SharedBarrier) <= size);
    SharedBarrier* barrier_;
};

/// A copy of this process that does `work`, instruction by instruction. It stops before `work`, and
/// where `work` calls pause().
class Stepped {
public:
    template <class Work>
    explicit Stepped(Work work) {
        pid_ = ::fork();
        if (pid_ == 0) {
            if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(1);
            const platform::ThreadName self = platform::name_of_this_thread();
            pause();
            work(self);
            ::_exit(0);
        }
        await_stop();
    }
    Stepped(const Stepped&) = delete;
    Stepped& operator=(const Stepped&) = delete;
    ~Stepped() { kill(); }

    static void pause() { ::raise(SIGSTOP); }

    /// False once it has ended, and where tracing is not allowed.
    bool is_there() const noexcept { return pid_ > 0; }
    /// One instruction. False when it came to a pause() or ended.
    bool step() { return is_there() && go(PTRACE_SINGLESTEP) == SIGTRAP; }
    /// Until the next pause(), or its end.
    void run() {
        while (is_there() && go(PTRACE_CONT) != SIGSTOP) {}
    }
    void kill() {
        if (!is_there()) return;
        ::kill(pid_, SIGKILL);
        while (is_there()) await_stop();
    }

private:
    int go(decltype(PTRACE_CONT) how) {
        const int signal = signal_ == SIGTRAP || signal_ == SIGSTOP ? 0 : signal_;
        ::ptrace(how, pid_, nullptr, reinterpret_cast<void*>(static_cast<std::intptr_t>(signal)));
        return await_stop();
    }
    int await_stop() {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {}
        signal_ = WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
        if (!WIFSTOPPED(status)) pid_ = 0;
        return signal_;
    }

    int pid_ = 0;
    int signal_ = 0;
};

/// The two steps of an actor.
auto actor_of(Shared& shared) {
    return [&shared](platform::ThreadName self) {
        Two two{shared.barrier()};
        const auto arrival = two.arrive(self);
        Stepped::pause(); // the action
        static_cast<void>(shared.barrier().act_done(two.parking, arrival));
    };
}

bool may_trace() {
    Shared shared;
    if (Stepped(actor_of(shared)).is_there()) return true;
    WARN("this process may not trace its children: nothing was tried");
    return false;
}

} // namespace

TEST_CASE("a waiter breaks no barrier while its actor lives, wherever that is stopped", "[synchronize]") {
    if (!may_trace()) return;
    Shared shared;
    Two two{shared.barrier()};
    lose_an_actor(two); // its name is where that of the next one will be
    const auto first = two.arrive(platform::name_of_this_thread());
    Stepped actor(actor_of(shared));
    const auto step_and_look = [&] {
        const bool went_on = actor.step();
        const bool over = two.is_over(first.generation);
        const auto now = shared.barrier().state();
        if (now.phase == Phase::broken || (over && now.generation != first.generation + 1))
            FAIL("a look ended or broke the generation");
        return went_on;
    };
    int steps = 0;
    while (step_and_look()) ++steps;
    CHECK(steps > 10);
    REQUIRE(shared.barrier().state().phase == Phase::acting);
    for (steps = 0; step_and_look();) ++steps;
    CHECK(steps > 10);
    CHECK(two.was_passed(first.generation));
}

TEST_CASE("an actor that is killed after any of its writes costs its own generation at most", "[synchronize]") {
    if (!may_trace()) return;
    const auto self = platform::name_of_this_thread();
    int breaks = 0;
    int passes = 0;
    int kills = 0;
    for (int writes = 0;; ++writes, ++kills) {
        Shared shared;
        Two two{shared.barrier()};
        lose_an_actor(two);
        const auto first = two.arrive(self);
        Stepped actor(actor_of(shared));
        auto before = shared.bytes();
        for (int seen = 0; seen < writes && actor.is_there();) {
            actor.step();
            const auto after = shared.bytes();
            seen += after != before;
            before = after;
        }
        if (!actor.is_there()) break;
        actor.kill();
        INFO("killed after " << writes << " writes");
        if (shared.barrier().state().phase == Phase::filling && shared.barrier().state().arrived == 1) {
            const auto instead = two.arrive(self); // it had not come yet
            REQUIRE(instead.acts);
            CHECK_FALSE(two.is_over(first.generation));
            CHECK(shared.barrier().act_done(two.parking, instead));
        }
        static_cast<void>(two.is_over(first.generation));
        CHECK(two.is_over(first.generation));
        if (two.is_broken()) {
            ++breaks;
            two.barrier.reset(two.parking);
        } else {
            ++passes;
            CHECK(two.was_passed(first.generation));
        }
        for (int i = 0; i < 3; ++i) pass(two);
    }
    CHECK(kills >= 4); // before and after it writes its name, becomes the actor, ends the generation
    CHECK(breaks >= 1);
    CHECK(passes >= 2);
}

TEST_CASE("an actor that is stopped anywhere in its end touches no later generation", "[synchronize]") {
    if (!may_trace()) return;
    const auto self = platform::name_of_this_thread();
    const auto stop_after = [&](int steps) {
        Shared shared;
        Two two{shared.barrier()};
        const auto old = two.arrive(self);
        Stepped actor(actor_of(shared));
        actor.run();
        for (int i = 0; i < steps; ++i) actor.step();
        INFO("stopped after " << steps << " instructions");
        two.barrier.reset(two.parking);
        CHECK(two.is_over(old.generation));
        const auto first = two.arrive(self);
        const auto next = two.arrive(self);
        REQUIRE(next.acts);
        actor.run();
        CHECK_FALSE(actor.is_there());
        CHECK_FALSE(two.is_over(first.generation));
        CHECK(shared.barrier().state().phase == Phase::acting);
        CHECK(shared.barrier().act_done(two.parking, next));
        CHECK(two.was_passed(first.generation));
        pass(two);
    };
    int instructions = 0;
    {
        Shared shared;
        Two two{shared.barrier()};
        static_cast<void>(two.arrive(self));
        Stepped actor(actor_of(shared));
        actor.run();
        while (actor.step()) ++instructions;
    }
    CHECK(instructions > 10);
    for (int steps = 0; steps <= instructions; steps += (std::max)(1, instructions / 200)) stop_after(steps);
}

#endif
