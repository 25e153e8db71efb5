// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>

#include <multiprocessing/synchronize.hpp>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <vector>

using namespace process;

namespace {

struct Bag {
    std::optional<mp::Lock> lock;
    std::vector<mp::Semaphore> semaphores;
    mp::Condition condition;
};

} // namespace

TEST_CASE("they travel inside structures and down to grandchildren", "[synchronize]") {
    Bag bag{mp::Lock{}, {mp::Semaphore{0}, mp::Semaphore{0}}, mp::Condition{}};
    bag.lock->acquire();
    mp::Process child(
        [](const Bag& given) {
            mp::Process grandchild(
                [](const Bag& inner) {
                    if (inner.lock->try_lock()) std::exit(1);
                    inner.semaphores[1].release();
                },
                given);
            grandchild.start();
            given.semaphores[0].release();
            grandchild.join();
            std::exit(grandchild.exitcode().value());
        },
        bag);
    child.start();
    CHECK(bag.semaphores[0].acquire(60s));
    CHECK(bag.semaphores[1].acquire(60s));
    child.join();
    CHECK(child.exitcode() == 0);
    bag.lock->release();
}
