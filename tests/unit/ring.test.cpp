// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>

#include <multiprocessing/detail/ring.hpp>
#include <multiprocessing/detail/tree.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <span>
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
            [&](std::byte* to) {
                fill({to, size}, seed);
            },
            at_once);
        if (result == RingResult::done) model_.push_back({size, seed});
        return result;
    }

    /// Whether a record came, and was the right one.
    bool take() {
        bool right = false;
        const RingResult result = ring_->take(
            detail::tree().space,
            [&](std::span<const std::byte> bytes) {
                std::vector<std::byte> expected(bytes.size());
                fill(expected, model_.front().seed);
                right = bytes.size() == model_.front().size &&
                        (bytes.empty() || std::memcmp(bytes.data(), expected.data(), bytes.size()) == 0);
            },
            at_once);
        if (result == RingResult::done) model_.pop_front();
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
        for (auto i = random() % 4; i > 0 && ring.size() > 0; --i) REQUIRE(ring.take());
        REQUIRE(ring.size() == ring.expected_size());
        if (step % 100 == 0) {
            while (ring.size() > 0) REQUIRE(ring.take());
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
            REQUIRE(ring.take());
        }
    }
    CHECK(taken() - before <= 4 + 18);
}

TEST_CASE("a ring with a limit takes no more, and tells it", "[ring]") {
    Checked ring{3};
    for (int round = 0; round < 5; ++round) {
        for (int i = 0; i < 3; ++i) REQUIRE(ring.put(10) == RingResult::done);
        CHECK(ring.put(10) == RingResult::timed_out);
        CHECK(ring.take());
        CHECK(ring.put(10) == RingResult::done);
        for (int i = 0; i < 3; ++i) CHECK(ring.take());
        CHECK_FALSE(ring.take());
    }
}

#if !defined(_WIN32)
namespace {

/// A copy of this process puts a record, and is killed while it writes it.
void put_and_die(detail::Ring& ring, std::size_t size) {
    detail::Space& space = detail::tree().space; // in the copy, tree() would be a new one
    const pid_t child = ::fork();
    if (child == 0) {
        ring.put(space, size,
                 [&](std::byte* to) {
                     std::memset(to, 3, size / 2);
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
        ring.put(space, size, [&](std::byte* to) { std::memset(to, content, size); }, {});
    };
    const auto take = [&] {
        std::pair<std::size_t, int> taken{};
        ring.take(
            space,
            [&](std::span<const std::byte> bytes) {
                taken = {bytes.size(), int(bytes.back())};
            },
            at_once);
        return taken;
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
    const auto extent = space.take(1, detail::tree().self, 0);
    REQUIRE(extent);
    auto& content = space.at<std::uint64_t>(*extent * detail::Space::extent_bytes);
    content = 42;
    space.extent(*extent).owner.store(nobody); // free, and about to be somebody's
    detail::SegmentChain chain;
    chain.sweep(space, 0);
    CHECK(chain.end(space) == 0);
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
    CHECK(ring.put(member.space, 8, [](std::byte*) {}, {}) == RingResult::done);
    CHECK(ring.size() == 1);
    CHECK(std::all_of(content, content + 200'000, [](std::byte byte) { return byte == std::byte{7}; }));
    ring.end(member.space);
}
#endif
