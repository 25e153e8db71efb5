// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>
#include <support/eventually.hpp>

#include <multiprocessing/detail/ring/item.hpp>
#include <multiprocessing/detail/ring/ring.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#if !defined(_WIN32)
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace detail = multiprocessing::detail;
using detail::RingResult;

namespace {

const detail::Deadline at_once = detail::Deadline::after(std::chrono::seconds{0});

/// A ring beside a model of it: what is taken is compared with what was put.
class Checked {
public:
    explicit Checked(std::uint64_t limit = 0) { ring_->open(detail::tree().self, limit); }
    ~Checked() { ring_->end(detail::tree().space); }

    RingResult put(std::size_t size) {
        const unsigned seed = next_++;
        const RingResult result = ring_->put(
            detail::tree().space, size,
            [&](std::byte* to, std::uint64_t from, std::size_t count) {
                std::vector<std::byte> whole(size);
                fill(whole, seed);
                if (count) std::memcpy(to, whole.data() + from, count);
            },
            at_once);
        if (result == RingResult::done) model_.push_back({size, seed});
        return result;
    }

    /// Whether a record came, and was the right one.
    bool pop() {
        bool right = false;
        detail::ByteBuffer taken;
        const RingResult result = ring_->pop(detail::tree().space, taken, at_once);
        if (result == RingResult::done) {
            const std::span<const std::byte> bytes = taken.view();
            std::vector<std::byte> expected(bytes.size());
            fill(expected, model_.front().seed);
            right = bytes.size() == model_.front().size &&
                    (bytes.empty() || std::memcmp(bytes.data(), expected.data(), bytes.size()) == 0);
            model_.pop_front();
        }
        return result == RingResult::done && right;
    }

    std::size_t size() const { return static_cast<std::size_t>(ring_->size()); }
    std::size_t expected_size() const { return model_.size(); }

private:
    struct Record {
        std::size_t size;
        unsigned seed;
    };

    static void fill(std::span<std::byte> bytes, unsigned seed) {
        if (bytes.empty()) return;
        std::memset(bytes.data(), static_cast<int>(seed % 251), bytes.size());
        std::memcpy(bytes.data(), &seed, (std::min)(sizeof seed, bytes.size()));
    }

    std::unique_ptr<detail::Ring> ring_ = std::make_unique<detail::Ring>();
    std::deque<Record> model_;
    unsigned next_ = 0;
};

} // namespace

TEST_CASE("a ring gives back what was put, whatever the sizes and however far it is behind", "[ring]") {
    std::mt19937 random{GENERATE(1u, 2u, 3u)};
    // Sizes that fill a segment exactly, or nearly, are those that go wrong.
    const std::size_t segment = 4 * detail::Space::extent_bytes - detail::SegmentChain::first_record;
    const std::size_t sizes[]{0,
                              1,
                              8,
                              100,
                              5000,
                              60'000,
                              130'000,
                              segment / 2,
                              segment - 8,
                              segment - 16,
                              segment - 24,
                              segment - 32,
                              segment - 40,
                              segment,
                              segment + 8,
                              1 << 20,
                              (1 << 20) + 72};
    Checked ring;
    for (int step = 0; step < 1500; ++step) {
        const std::size_t size = sizes[random() % std::size(sizes)];
        for (auto i = random() % 3; i > 0; --i) REQUIRE(ring.put(size) == RingResult::done);
        for (auto i = random() % 4; i > 0 && ring.size() > 0; --i) REQUIRE(ring.pop());
        REQUIRE(ring.size() == ring.expected_size());
        if (step % 100 == 0) {
            while (ring.size() > 0) REQUIRE(ring.pop());
        }
    }
}

TEST_CASE("records of one size go around in the same memory when each is taken before the next", "[ring]") {
    const auto& space = detail::tree().space;
    const auto taken = [&] {
        std::uint64_t extents = 0;
        for (std::uint64_t i = space.first_extent(); i < space.high_water(); ++i)
            extents += space.extent(i).owner.load() != 0;
        return extents;
    };
    Checked ring;
    const std::uint64_t before = taken();
    for (const std::size_t size : {100'000u, 1u << 20}) {
        for (int i = 0; i < 20; ++i) {
            REQUIRE(ring.put(size) == RingResult::done);
            REQUIRE(ring.pop());
        }
    }
    CHECK(taken() - before <= 4 + 18);
}

TEST_CASE("a ring with a limit takes no more, and tells it", "[ring]") {
    Checked ring{3};
    for (int round = 0; round < 5; ++round) {
        for (int i = 0; i < 3; ++i) REQUIRE(ring.put(10) == RingResult::done);
        CHECK(ring.put(10) == RingResult::timed_out);
        CHECK(ring.pop());
        CHECK(ring.put(10) == RingResult::done);
        for (int i = 0; i < 3; ++i) CHECK(ring.pop());
        CHECK_FALSE(ring.pop());
    }
}

namespace {

constexpr std::size_t large = 4 * detail::Draft::least_bytes;

/// A ring in the Space, and a way to put large records that are all of one value, in parts.
class Shared {
public:
    explicit Shared() { ring().open(detail::tree().self, 0); }
    ~Shared() { ring().end(space); }

    detail::Ring& ring() { return space.at<detail::Ring>(block_.position()); }

    /// Calls `at_part(n)` before part n is written.
    template <class AtPart>
    RingResult put(std::size_t size, int value, AtPart at_part) {
        int part = 0;
        return ring().put(space, size,
                          [&](std::byte* to, std::uint64_t, std::size_t count) {
                              at_part(part++);
                              std::memset(to, value, count);
                          },
                          {});
    }
    RingResult put(std::size_t size, int value) {
        return put(size, value, [](int) {});
    }

    /// Of the test, for all processes.
    std::atomic<int>& flag() { return space.at<std::atomic<int>>(block_.position() + sizeof(detail::Ring)); }

    detail::Space& space = detail::tree().space;

private:
    detail::Block block_{detail::tree().heap.allocate_zeroed(sizeof(detail::Ring) + sizeof(std::atomic<int>))};
};

/// Tells how often a record was begun, and how much of one has come.
struct WatchedSink {
    static constexpr std::uint64_t grain = 3;
    std::atomic<int>& begun;
    std::atomic<std::size_t>& come;
    std::vector<std::byte>& bytes;

    void begin(std::size_t size) {
        bytes.clear();
        bytes.reserve(size);
        come = 0;
        ++begun;
    }
    void add(std::span<const std::byte> part) {
        bytes.insert(bytes.end(), part.begin(), part.end());
        come = bytes.size();
    }
};

/// A thread that takes a record.
class HandleSource {
public:
    HandleSource(detail::Ring& ring, detail::Space& space, detail::Deadline deadline = {})
        : thread_([this, &ring, &space, deadline] {
              result = ring.pop(space, WatchedSink{begun, come, bytes}, deadline);
          }) {}
    ~HandleSource() { join(); }
    void join() {
        if (thread_.joinable()) thread_.join();
    }
    bool is_all(std::size_t size, int value) const {
        return bytes.size() == size &&
               std::ranges::all_of(bytes, [&](std::byte byte) { return byte == std::byte(value); });
    }

    std::atomic<int> begun{0};
    std::atomic<std::size_t> come{0};
    std::vector<std::byte> bytes;
    RingResult result = RingResult::unheard;

private:
    std::thread thread_;
};

} // namespace

TEST_CASE("a draft is seen by who waits for that record, until it is dropped", "[ring]") {
    detail::Draft draft;
    CHECK(draft.look(0).stamp == 0);
    const std::uint64_t first = draft.begin(5);
    CHECK(draft.look(5).stamp == 0); // nothing is there yet
    draft.grow(first, 100);
    CHECK(draft.look(5).stamp == first);
    CHECK(draft.look(5).bytes == 100);
    CHECK(draft.look(4).stamp == 0);
    CHECK(draft.look(6).stamp == 0);
    draft.drop();
    CHECK(draft.look(5).stamp == 0);
    const std::uint64_t second = draft.begin(5);
    CHECK(second != first);
    draft.grow(second, 7);
    CHECK(draft.look(5).stamp == second);
}

TEST_CASE("a large record is taken while it is put", "[ring]") {
    Shared shared;
    for (const bool sleeps : {false, true}) {
        HandleSource source{shared.ring(), shared.space};
        if (sleeps) std::this_thread::sleep_for(std::chrono::milliseconds{30});
        bool came = false;
        shared.put(large + 5, 7, [&](int part) {
            if (part == 3) came = support::eventually([&] { return source.come > 0; });
        });
        source.join();
        CHECK(came);
        CHECK(source.result == RingResult::done);
        CHECK(source.begun == 1);
        CHECK(source.is_all(large + 5, 7));
        CHECK(shared.ring().size() == 0);
    }
}

TEST_CASE("who has a deadline follows nothing, and leaves the record whole to the next", "[ring]") {
    Shared shared;
    std::optional<std::vector<char>> item;
    RingResult late{};
    int begun = -1;
    shared.put(large, 7, [&](int part) {
        if (part == 2) {
            late = detail::pop_item<std::vector<char>>(shared.ring(), shared.space, item,
                                                       detail::Deadline::after(std::chrono::milliseconds{5}));
            HandleSource hasty{shared.ring(), shared.space,
                               detail::Deadline::after(std::chrono::milliseconds{5})};
            hasty.join();
            begun = hasty.begun;
        }
    });
    CHECK(late == RingResult::timed_out);
    CHECK_FALSE(item);
    CHECK(begun == 0);
    HandleSource next{shared.ring(), shared.space};
    next.join();
    CHECK(next.is_all(large, 7));
}

TEST_CASE("elements that lie badly are followed to the last", "[ring]") {
    struct alignas(16) Four {
        float x, y, z, w;
    };
    Shared shared;
    using Item = std::vector<Four>;
    // The first goes away; the second stands where the third is behind it, at 8 modulo 16.
    for (const std::size_t size : {std::size_t{8} << 20, std::size_t{1} << 20, (std::size_t{1} << 20) + 112}) {
        std::optional<Item> item;
        RingResult result{};
        std::thread source([&] { result = detail::pop_item<Item>(shared.ring(), shared.space, item, {}); });
        shared.put(size, 1, [&](int part) {
            // Time to follow; and to take all but the last part of the third, which is a small one.
            if (part == 1 || part == 16) std::this_thread::sleep_for(std::chrono::milliseconds{30});
        });
        source.join();
        REQUIRE(result == RingResult::done);
        REQUIRE(item);
        CHECK(item->size() == size / sizeof(Four));
        float expected = 0;
        std::memset(&expected, 1, sizeof expected);
        CHECK(std::ranges::all_of(*item,
                                  [&](const Four& four) { return four.x == expected && four.w == expected; }));
    }
}

TEST_CASE("a record that is put when the ring is shut down is still taken", "[ring]") {
    Shared shared;
    HandleSource source{shared.ring(), shared.space};
    shared.put(large, 7, [&](int part) {
        if (part == 1) CHECK(support::eventually([&] { return source.come > 0; }));
        if (part == 2) shared.ring().shut_down(shared.space.parking());
        if (part == 3) std::this_thread::sleep_for(std::chrono::milliseconds{20});
    });
    source.join();
    CHECK(source.result == RingResult::done);
    CHECK(source.is_all(large, 7));
    HandleSource end{shared.ring(), shared.space};
    end.join();
    CHECK(end.result == RingResult::shut_down);
}

#if !defined(_WIN32)
TEST_CASE("of a record whose writer was killed nothing is taken, however much had been copied", "[ring]") {
    Shared shared;
    HandleSource source{shared.ring(), shared.space};
    const int parts = static_cast<int>(large / detail::Draft::part_bytes);
    const int last = GENERATE_COPY(3, parts - 1);
    const pid_t child = ::fork();
    if (child == 0) {
        shared.put(large, 3, [&](int part) {
            if (part < last) return;
            while (!shared.flag()) std::this_thread::sleep_for(std::chrono::milliseconds{1});
            ::kill(::getpid(), SIGKILL);
        });
        ::_exit(0);
    }
    CHECK(support::eventually([&] { return source.come > 0; }));
    shared.flag() = 1;
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    SECTION("the ring is shut down") {
        shared.ring().shut_down(shared.space.parking());
        source.join();
        CHECK(source.result == RingResult::shut_down);
        return;
    }
    std::size_t size = 0;
    SECTION("the next record is as long") { size = large; }
    SECTION("the next record is longer") { size = 2 * large; }
    SECTION("the next record is short") { size = 300; }
    CHECK(shared.put(size, 4) != RingResult::timed_out);
    CHECK(shared.put(50, 5) != RingResult::timed_out);
    source.join();
    CHECK(source.result == RingResult::done);
    CHECK(source.begun > 1);
    CHECK(source.is_all(size, 4));
    HandleSource next{shared.ring(), shared.space};
    next.join();
    CHECK(next.is_all(50, 5));
}

namespace {

/// Ends its process with the first part.
struct FatalSink {
    static constexpr std::uint64_t grain = 1;
    void begin(std::size_t) {}
    void add(std::span<const std::byte>) { ::kill(::getpid(), SIGKILL); }
};

} // namespace

TEST_CASE("who is killed while he follows a record takes nothing of it", "[ring]") {
    Shared shared;
    const pid_t child = ::fork();
    if (child == 0) {
        shared.flag() = 1;
        shared.ring().pop(shared.space, FatalSink{}, {});
        ::_exit(0);
    }
    CHECK(support::eventually([&] { return shared.flag() == 1; }));
    int status = 0;
    shared.put(large, 7, [&](int part) {
        if (part == 2) REQUIRE(::waitpid(child, &status, 0) == child); // so it was here in the middle
    });
    CHECK(WIFSIGNALED(status));
    HandleSource source{shared.ring(), shared.space};
    source.join();
    CHECK(source.result == RingResult::done);
    CHECK(source.is_all(large, 7));
}

namespace {

/// A copy of this process puts a record, and is killed while it writes it.
void put_and_die(detail::Ring& ring, std::size_t size) {
    detail::Space& space = detail::tree().space; // in the copy, tree() would be a new one
    const pid_t child = ::fork();
    if (child == 0) {
        ring.put(space, size,
                 [&](std::byte* to, std::uint64_t, std::size_t count) {
                     std::memset(to, 3, count / 2);
                     ::kill(::getpid(), SIGKILL);
                 },
                 {});
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
}

} // namespace

TEST_CASE("a writer that is killed when it begins a segment anew leaves nothing that is found", "[ring]") {
    auto& member = detail::tree();
    auto& space = member.space;
    const detail::Block block{member.heap.allocate_zeroed(sizeof(detail::Ring))};
    auto& ring = space.at<detail::Ring>(block.position());
    ring.open(member.self, 0);
    const auto put = [&](std::size_t size, int content) {
        ring.put(space, size, [&](std::byte* to, auto, std::size_t count) { std::memset(to, content, count); },
                 {});
    };
    const auto take = [&] {
        detail::ByteBuffer taken;
        if (ring.pop(space, taken, at_once) != RingResult::done) return std::pair<std::size_t, int>{};
        return std::pair{taken.view().size(), int(taken.view().back())};
    };
    using Taken = std::pair<std::size_t, int>;
    for (int i = 0; i < 2; ++i) {
        put(100'000, 1);
        REQUIRE(take() == Taken(100'000, 1));
    }
    put_and_die(ring, 100'000);
    SECTION("the next record is longer") { put(300'000, 4); }
    SECTION("the next record is shorter") { put(300, 4); }
    SECTION("the next record is as long") { put(100'000, 4); }
    put(50, 5);
    CHECK(take().second == 4);
    CHECK(take() == Taken(50, 5));
    CHECK(ring.size() == 0);
    ring.end(space);
}

TEST_CASE("a ring that never had memory gives none back", "[ring]") {
    auto& space = detail::tree().space;
    const detail::Incarnation nobody = 0;
    const auto extent = space.allocate_extents(1, detail::tree().self);
    REQUIRE(extent);
    auto& content = space.at<std::uint64_t>(*extent * detail::Space::extent_bytes);
    content = 42;
    space.extent(*extent).owner.store(nobody); // free, and about to be somebody's
    detail::SegmentChain chain;
    chain.sweep(space, 0);
    CHECK(chain.end(space, false) == 0);
    CHECK(content == 42);
}

TEST_CASE("a writer that is killed at the first record of a ring frees nothing of others", "[ring]") {
    auto& member = detail::tree();
    const detail::Block block{member.heap.allocate_zeroed(sizeof(detail::Ring))};
    auto& ring = member.space.at<detail::Ring>(block.position());
    ring.open(member.self, 0);
    const detail::Block kept{member.heap.allocate(200'000)};
    auto* const content = &member.space.at<std::byte>(kept.position());
    std::memset(content, 7, 200'000);
    put_and_die(ring, 10);
    CHECK(ring.put(member.space, 8, [](auto...) {}, {}) == RingResult::done);
    CHECK(ring.size() == 1);
    CHECK(std::all_of(content, content + 200'000, [](std::byte byte) { return byte == std::byte{7}; }));
    ring.end(member.space);
}
#endif
