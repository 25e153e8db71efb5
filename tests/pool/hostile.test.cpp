// SPDX-License-Identifier: BSL-1.0
// Tasks that harm their process, and pools where the system gives little: at worst a worker is lost, and a pool that
// cannot be made says so.
#include <process/copy.hpp>
#include <support/processes.hpp>
#include <support/sanitizers.hpp>

#include <multiprocessing/pool.hpp>
#include <multiprocessing/process_pool_executor.hpp>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#if !defined(_WIN32)
#include <sys/resource.h>
#include <unistd.h>
#endif

using namespace process;

#if !defined(_WIN32)

namespace {

void limit(int resource, rlim_t value) {
    rlimit now{};
    ::getrlimit(static_cast<__rlimit_resource_t>(resource), &now);
    now.rlim_cur = value;
    ::setrlimit(static_cast<__rlimit_resource_t>(resource), &now);
}

/// Closes all that it may not touch, for item 3.
std::string closes_all(int x) {
    for (int descriptor = 3; x == 3 && descriptor < 4096; ++descriptor) ::close(descriptor);
    return std::string(static_cast<std::size_t>(x) * 1000, 'x');
}

bool is_of(const std::string& text, int x) {
    return text == std::string(static_cast<std::size_t>(x) * 1000, 'x');
}

} // namespace

TEST_CASE("a task that closes the descriptors of its worker costs nobody else anything", "[pool]") {
    mp::Pool pool(2);
    for (int round = 0; round < 3; ++round) {
        const auto outcomes = pool.try_map(closes_all, {0, 1, 2, 3, 4, 5, 6, 7}, {.chunksize = 1});
        for (int x = 0; x < 8; ++x) {
            const auto& outcome = outcomes[static_cast<std::size_t>(x)];
            CHECK((outcome ? is_of(*outcome, x) : x == 3));
        }
        CHECK(is_of(pool.apply(closes_all, 100), 100)); // perhaps in that very worker
    }
    pool.close();
    pool.join();
}

TEST_CASE("a task of an executor that closes the descriptors of its worker costs nobody else anything",
          "[pool]") {
    mp::futures::ProcessPoolExecutor executor(2);
    std::vector<mp::futures::Future<std::string>> futures;
    for (int x = 0; x < 20; ++x) futures.push_back(executor.submit(closes_all, x));
    for (int x = 0; x < 20; ++x) {
        const auto& future = futures[static_cast<std::size_t>(x)];
        CHECK((future.exception() ? x == 3 : is_of(future.result(), x)));
    }
}

TEST_CASE("pools work on tiny stacks", "[pool]") {
    if (support::has_asan) return; // its frames are many times as large
    CHECK(in_copy([] {
              limit(RLIMIT_STACK, 160 * 1024);
              mp::Pool pool(2);
              std::vector<int> items(1000, 2);
              const auto twice = [](int x) { return 2 * x; };
              const bool is_mapped = pool.map(twice, items) == std::vector<int>(1000, 4);
              const auto fails = [](int) -> int { throw std::domain_error("x"); };
              try {
                  pool.apply(fails, 1);
              } catch (const std::domain_error&) { return is_mapped ? 0 : 1; }
              return 2;
          }) == 0);
}

TEST_CASE("a pool for which the system has no processes throws, and leaves nothing", "[pool]") {
    if (::geteuid() != 0) return; // needs a user of its own
    CHECK(in_copy([] {
              limit(RLIMIT_NPROC, 4);
              if (::setgid(54322) != 0 || ::setuid(54322) != 0) return 50;
              try {
                  mp::Pool pool(10);
                  return 1;
              } catch (const std::system_error& error) {
                  if (error.code() != std::errc::resource_unavailable_try_again) return 2;
              }
              return mp::active_children().empty() ? 0 : 3;
          }) == 0);
}

#endif
