// SPDX-License-Identifier: BSL-1.0
#include <support/eventually.hpp>
#include <support/killer.hpp>
#include <support/processes.hpp>

#include <multiprocessing/detail/launch/children.hpp>

using namespace process;

namespace {

/// A chain of processes that compute for ever; each says that it runs.
void chain(Tally tally, int depth) {
    tally.add(0, 1);
    if (depth > 0) {
        mp::Process child(chain, tally, depth - 1);
        child.start();
        for (std::atomic<unsigned> spin = 0;; ++spin) {}
    }
    for (std::atomic<unsigned> spin = 0;; ++spin) {}
}

} // namespace

TEST_CASE("when a process is killed all generations below it end, and its memory comes back", "[orphans]") {
    auto& space = mp::detail::tree().space;
    mp::Process warm([] {}); // the fork server, if it is that
    warm.start();
    warm.join();
    const auto owned_by_others = [&] {
        int count = 0;
        for (auto i = space.first_extent(); i < space.high_water(); ++i) {
            const auto owner = space.extent(i).owner.load();
            count += owner != 0 && owner != mp::detail::tree().self;
        }
        return count;
    };
    const int before = owned_by_others();
    const int rounds = support::rounds(10);
    for (int round = 0; round < rounds; ++round) {
        Tally tally;
        mp::Process p(chain, tally, 2);
        p.start();
        tally.wait_for(0, 3);
        p.kill();
        p.join();
        CHECK(p.exitcode() == -9);
        // The others are ended by the system, at once but not in the same instant.
        CHECK(support::eventually([&] {
            mp::detail::children().bury();
            return owned_by_others() == before;
        }));
    }
}
