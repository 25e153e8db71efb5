// SPDX-License-Identifier: BSL-1.0
// What workers may use: memory, processors, threads of libraries; and what a task can ask about itself.
#include <support/counted_memory.hpp>
#include <support/eventually.hpp>
#include <support/inputs.hpp>
#include <support/tally.hpp>

#include <multiprocessing/detail/platform/affinity.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/pool/current_task.hpp>
#include <multiprocessing/process_pool_executor.hpp>
#include <multiprocessing/shared_vector.hpp>
#include <multiprocessing/spawn.hpp>
#include <multiprocessing/thread_pool.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <limits>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <fstream>

#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>
#endif

using namespace process;

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

/// Touches so much memory, and keeps it until it is ended if it is more than 100 MiB.
int hog(int mebibytes) {
    std::vector<std::unique_ptr<char[]>> blocks;
    for (int i = 0; i < mebibytes; ++i) {
        blocks.emplace_back(new char[mebibyte]);
        std::fill_n(blocks.back().get(), mebibyte, 'x');
    }
    while (mebibytes > 100) std::this_thread::sleep_for(1h);
    return mebibytes;
}

int own_pid() { return mp::current_process().pid(); }

constexpr std::size_t burned_memory = 48 * mebibyte;
constexpr auto burned_time = 50ms;

/// Uses that much memory and CPU time.
void burn() {
    const std::clock_t begin = std::clock();
    const std::vector<char> memory(burned_memory, 'x');
    while (std::chrono::duration<double>(double(std::clock() - begin) / CLOCKS_PER_SEC) < burned_time) {}
    if (memory.back() != 'x') vanish(1);
}

/// What a worker that burned has used at least. (Windows: std::clock() is a clock on the wall.)
constexpr std::chrono::microseconds least_time = mp::detail::platform::can_fork ? burned_time : 0ms;
/// Wine tells no peak of a process that has ended.
constexpr std::size_t least_memory = mp::detail::platform::can_fork ? burned_memory : 0;

/// Whether the error says what a worker that burned has used.
void check_usage(const mp::WorkerFault& fault, const std::string& text) {
    INFO(text);
    CHECK(fault.peak_memory() >= least_memory);
    CHECK(fault.cpu_time() >= least_time);
    CHECK((least_memory == 0 || text.find(" (peak memory ") != std::string::npos));
    CHECK((fault.cpu_time() == 0us || text.find(" ms of CPU time)") != std::string::npos));
}
void check_burned(const mp::WorkerFault& fault, const std::string& text) {
    INFO(text);
    check_usage(fault, text);
    CHECK(text.find("pid " + std::to_string(fault.pid()) + ") was killed by SIGKILL") != std::string::npos);
    CHECK(text.find("(number 0, ") != std::string::npos);
}

} // namespace

TEST_CASE("a task that uses more memory than it may is ended, and says how much that was", "[pool]") {
    if (!support::counts_memory()) return;
    mp::Pool pool(2);
    const mp::TaskOptions options{.memory_limit = 100 * mebibyte};
    CHECK(pool.apply_async(options, hog, 20).get() == 20);
    try {
        pool.apply_async(options, hog, 200).get();
        FAIL("it was not ended");
    } catch (const mp::MemoryLimitExceeded& error) {
        CHECK_THAT(error.what(), ContainsSubstring("more than its memory limit of 100 MiB"));
        CHECK(error.exitcode() == -9);
        CHECK_FALSE(error.task_index());
    }
    CHECK(pool.apply(identity, 7) == 7);
}

TEST_CASE("the errors of an ended worker tell the memory and the CPU time that it used", "[pool]") {
    if (!support::counts_memory()) return;
    mp::Pool pool(1);
    try {
        pool.apply([] {
            burn();
            vanish(6);
        });
        FAIL("it was not lost");
    } catch (const mp::WorkerLostError& error) { check_usage(error, error.what()); }
    const auto burns_and_stays = [](const Tally& burned) {
        burn();
        burned.set(0, 1);
        for (;;) std::this_thread::sleep_for(1h);
    };
    const Tally burned;
    for (auto limit = 500ms; burned.get(0) == 0; limit *= 4) { // a busy machine may need longer
        try {
            pool.apply_async(mp::TaskOptions{.timeout = limit}, burns_and_stays, burned).get();
            FAIL("it was not ended");
        } catch (const mp::TimeLimitExceeded& error) {
            if (burned.get(0) == 1) check_burned(error, error.what());
            CHECK_THAT(error.what(), ContainsSubstring("; raise .timeout, or "));
        }
    }
    const auto burns_and_grows = [] {
        burn();
        hog(200);
    };
    try {
        pool.apply_async(mp::TaskOptions{.memory_limit = 100 * mebibyte}, burns_and_grows).get();
        FAIL("it was not ended");
    } catch (const mp::MemoryLimitExceeded& error) {
        check_burned(error, error.what());
        CHECK((least_memory == 0 || error.peak_memory() >= 100 * mebibyte));
        CHECK_THAT(error.what(), ContainsSubstring("; raise .memory_limit, or "));
    }
}

TEST_CASE("the memory of an item costs that item alone", "[pool]") {
    if (!support::counts_memory()) return;
    mp::Pool pool({.processes = 2, .memory_limit = 100 * mebibyte});
    const auto outcomes = pool.try_map(hog, {1, 2, 200, 3, 4}, {.chunksize = 5});
    for (std::size_t i = 0; i < outcomes.size(); ++i) CHECK(outcomes[i].has_value() == (i != 2));
    CHECK_THROWS_AS(outcomes[2].value(), mp::MemoryLimitExceeded);
    CHECK_THROWS_AS(pool.map(hog, {200}), mp::MemoryLimitExceeded);
}

TEST_CASE("a map's memory limit holds for its items, and for no other task", "[pool]") {
    if (!support::counts_memory()) return;
    mp::Pool pool(2);
    const mp::MapOptions options{.chunksize = 5, .timeout = 60s, .memory_limit = 100 * mebibyte};
    const auto is_of_item_2 = [](auto throws) {
        try {
            throws();
        } catch (const mp::MemoryLimitExceeded& error) { return error.task_index() == 2u; }
        return false;
    };
    const auto outcomes = pool.try_map(hog, {1, 2, 200, 3, 4}, options);
    for (std::size_t i = 0; i < outcomes.size(); ++i) CHECK(outcomes[i].has_value() == (i != 2));
    CHECK(is_of_item_2([&] { outcomes[2].value(); }));
    CHECK(is_of_item_2([&] { pool.map(hog, {1, 2, 200}, options); }));
    auto results = pool.imap(hog, {1, 2, 200, 3}, options);
    CHECK(results.next() == 1);
    CHECK(results.next() == 2);
    CHECK(is_of_item_2([&] { results.next(); }));
    CHECK(results.next() == 3);
    const auto goes_beyond = [](int) {
        const std::vector<char> much(150 * mebibyte, 'x');
        std::this_thread::sleep_for(100ms); // it would be looked at in the meantime
        return much.back();
    };
    CHECK(pool.map(goes_beyond, {1}).front() == 'x');
}

TEST_CASE("an executor's memory limit costs the call that exceeds it", "[pool]") {
    if (!support::counts_memory()) return;
    mp::futures::ProcessPoolExecutor executor(
        {.max_workers = 1, .timeout = 60s, .memory_limit = 100 * mebibyte});
    const auto large = executor.submit(hog, 200);
    CHECK_THROWS_AS(large.result(), mp::MemoryLimitExceeded);
    CHECK(executor.submit(hog, 20).result() == 20);
}

TEST_CASE("an executor's worker that has grown is replaced between two calls", "[pool]") {
    if (!support::counts_memory()) return;
    mp::futures::ProcessPoolExecutor executor({.max_workers = 1, .recycle_memory = 30 * mebibyte});
    const auto grows = [] {
        static std::vector<char> leak;
        if (leak.empty()) leak.assign(40 * mebibyte, 'x');
        std::this_thread::sleep_for(50ms);
        return own_pid();
    };
    std::set<int> pids;
    CHECK(support::eventually([&] {
        pids.insert(executor.submit(grows).result());
        return pids.size() >= 3;
    }));
}

TEST_CASE("what workers share with the program is not counted as theirs", "[pool]") {
    const std::vector<char> of_the_program(300 * mebibyte, 'x'); // before the workers are made
    mp::Pool pool({.processes = 2, .memory_limit = 100 * mebibyte});
    const auto naps = [](int x) { return std::this_thread::sleep_for(100ms), x; };
    CHECK(pool.map(naps, {1, 2, 3, 4}) == std::vector{1, 2, 3, 4});
    CHECK(of_the_program[of_the_program.size() / 2] == 'x');
}

TEST_CASE("what a task touches of shared arrays and of files is not counted as its own", "[pool]") {
    mp::Pool pool({.processes = 1, .memory_limit = 100 * mebibyte});
    mp::shared_vector<char> shared(150 * mebibyte);
    const auto fills = [](mp::shared_vector<char> given) {
        std::fill(given.begin(), given.end(), 'x');
        std::this_thread::sleep_for(100ms); // it is looked at in the meantime
        return given.size();
    };
    CHECK(pool.apply(fills, shared) == 150 * mebibyte);
#if defined(__linux__)
    const auto reads_a_file = [] {
        const int file = ::memfd_create("of a test", MFD_CLOEXEC);
        if (file < 0 || ::ftruncate(file, 150 * mebibyte) != 0) return std::size_t{0};
        void* const bytes = ::mmap(nullptr, 150 * mebibyte, PROT_READ, MAP_SHARED, file, 0);
        std::size_t pages = 0;
        for (std::size_t i = 0; i < 150 * mebibyte; i += 4096) pages += static_cast<char*>(bytes)[i] == 0;
        std::this_thread::sleep_for(100ms);
        return pages * 4096;
    };
    CHECK(pool.apply(reads_a_file) == 150 * mebibyte);
#endif
}

TEST_CASE("limits that nobody can reach are none", "[pool]") {
    if (!support::counts_memory()) return;
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    mp::Pool pool({.processes = 1,
                   .timeout = std::chrono::hours{24 * 365 * 200},
                   .memory_limit = most,
                   .recycle_memory = most});
    CHECK(pool.apply(identity, 7) == 7);
    CHECK(pool.map(identity, {1, 2, 3}, {.timeout = std::chrono::nanoseconds::max()}) == std::vector{1, 2, 3});
    CHECK(pool.apply_async(mp::TaskOptions{.timeout = mp::no_timeout}, identity, 8).get() == 8);
}

TEST_CASE("what the function for the workers' environments throws is thrown where the pool is made", "[pool]") {
    const auto make = [] {
        mp::Pool pool({.processes = 3, .worker_env = [](int worker) -> mp::Environment {
                           if (worker == 2) throw std::domain_error("no such device");
                           return {};
                       }});
    };
    CHECK_THROWS_AS(make(), std::domain_error);
}

TEST_CASE("the memory of a worker's children counts", "[pool]") {
    if (!mp::detail::platform::can_fork) return; // Windows keeps no list of them
    mp::Pool pool({.processes = 1, .memory_limit = 100 * mebibyte});
    const auto has_child_hog = [](int mebibytes) {
        mp::Process child(mp::ProcessOptions{.daemon = false}, hog, mebibytes);
        child.start();
        child.join();
    };
    CHECK_THROWS_AS(pool.apply(has_child_hog, 200), mp::ProcessError);
}

TEST_CASE("a worker that has grown is replaced between two tasks, and no task is lost", "[pool]") {
    if (!support::counts_memory()) return;
    mp::Pool pool({.processes = 2, .recycle_memory = 60 * mebibyte});
    const auto leaks = [](int) {
        static std::vector<std::unique_ptr<char[]>> leak;
        for (std::size_t i = 0; i < 20 && leak.size() < 200; ++i) {
            leak.emplace_back(new char[mebibyte]);
            std::fill_n(leak.back().get(), mebibyte, 'x');
        }
        std::this_thread::sleep_for(50ms);
        return own_pid();
    };
    const std::vector<int> items(24);
    // 480 MiB at a time, of which no worker keeps much more than 60, if its replacement starts that
    // quickly.
    std::set<int> of_items;
    CHECK(support::eventually([&] {
        const auto pids = pool.map(leaks, items, {.chunksize = 1});
        of_items.insert(pids.begin(), pids.end());
        return of_items.size() >= 4;
    }));
    std::set<int> of_tasks;
    CHECK(support::eventually([&] {
        for (int i = 0; i < 12; ++i) of_tasks.insert(pool.apply(leaks, i));
        return of_tasks.size() >= 2;
    }));
}

TEST_CASE("the replacement of a worker that has grown is initialized while that one works on", "[pool]") {
    if (!support::counts_memory()) return;
    constexpr int starts = 0;
    constexpr int done = 1;
    const Tally tally;
    const auto initializer = [](const Tally& counts) {
        // Of the first replacement: whose pool has nobody else.
        if (counts.add(starts, 1) == 2) counts.wait_for(done, counts.get(done) + 3);
    };
    mp::Pool pool({.processes = 1, .recycle_memory = 40 * mebibyte}, initializer, tally);
    const auto grows = [](const Tally& counts) {
        static std::vector<char> leak;
        if (leak.empty()) leak.assign(60 * mebibyte, 'x');
        std::this_thread::sleep_for(10ms);
        counts.add(done, 1);
        return std::pair(own_pid(), mp::current_task().worker());
    };
    std::set<int> pids;
    while (pids.size() < 3) {
        const auto [pid, worker] = pool.apply(grows, tally);
        pids.insert(pid);
        CHECK(worker == 0); // as the one that it replaces
    }
}

TEST_CASE("a worker that has grown and its replacement do not work at the same time", "[pool]") {
    if (!support::counts_memory()) return;
    const Tally tally;
    mp::Pool pool({.processes = 2, .recycle_memory = 30 * mebibyte});
    const auto grows = [](const Tally& at_work, int) {
        static std::vector<char> leak;
        const auto together = at_work.add(0, 1);
        if (leak.empty()) leak.assign(40 * mebibyte, 'x');
        std::this_thread::sleep_for(30ms);
        at_work.add(0, -1);
        return std::pair(together, own_pid());
    };
    std::set<int> pids;
    CHECK(support::eventually([&] { // until a replacement was quick enough
        std::vector<mp::AsyncResult<std::pair<std::int64_t, int>>> results;
        for (int i = 0; i < 40; ++i) results.push_back(pool.apply_async(grows, tally, i));
        for (auto& result : results) {
            const auto [together, pid] = result.get();
            CHECK(together <= 2);
            pids.insert(pid);
        }
        return pids.size() > 2;
    }));
}

TEST_CASE("a pool that is closed has no replacements made for workers that have grown", "[pool]") {
    if (!support::counts_memory()) return;
    mp::Pool pool({.processes = 1, .recycle_memory = 30 * mebibyte});
    const auto grows = [] {
        const std::vector<char> much(40 * mebibyte, 'x');
        std::this_thread::sleep_for(500ms);
        return much.back();
    };
    auto result = pool.apply_async(grows);
    pool.close();
    std::set<int> pids;
    while (!result.ready()) {
        for (const auto& child : mp::active_children()) pids.insert(child.pid());
        std::this_thread::sleep_for(2ms);
    }
    CHECK(result.get() == 'x');
    pool.join();
    CHECK(pids.size() <= 2); // one, unless it was looked at before it was closed
}

#if defined(__linux__)
TEST_CASE("a replacement that is killed while it waits for its place is made up for", "[pool]") {
    mp::Pool pool({.processes = 1, .recycle_memory = 30 * mebibyte});
    const auto grows = [] {
        static std::vector<char> leak;
        if (leak.empty()) leak.assign(40 * mebibyte, 'x');
        std::this_thread::sleep_for(200ms); // longer than it takes to look at its memory, and to start another
        return own_pid();
    };
    std::set<int> served;
    int tasks = 0;
    // From the tenth on replacements have all the time that they need.
    CHECK(support::eventually([&] {
        auto result = pool.apply_async(mp::TaskOptions{.retries = 3}, grows);
        std::this_thread::sleep_for(100ms);
        for (const auto& child : mp::active_children()) {
            if (tasks < 10 && tasks % 2 == 0 && !served.count(child.pid())) ::kill(child.pid(), SIGKILL);
        }
        served.insert(result.get());
        return ++tasks >= 10 && served.size() > 1;
    }));
}
#endif

TEST_CASE("threads_per_worker is what numeric libraries read", "[pool]") {
    mp::Pool pool({.processes = 1, .threads_per_worker = 3, .env = {{"MKL_NUM_THREADS", "5"}}});
    const auto variable = [](const std::string& name) {
        const char* const value = std::getenv(name.c_str());
        return std::string(value ? value : "none");
    };
    CHECK(pool.apply(variable, "OMP_NUM_THREADS") == "3");
    CHECK(pool.apply(variable, "OPENBLAS_NUM_THREADS") == "3");
    CHECK(pool.apply(variable, "MKL_NUM_THREADS") == "5"); // what the program says itself
}

#if defined(__linux__)
namespace {

/// OpenMP's library of g++, as what the program is linked with has loaded it; null where it is not.
void* load_openmp() { return ::dlopen("libgomp.so.1", RTLD_NOW | RTLD_GLOBAL); }
void preload_openmp() { load_openmp(); }

/// How many threads it would start here.
int openmp_threads() {
    if (!load_openmp()) return -1; // a child by spawn loads it only here
    return reinterpret_cast<int (*)()>(::dlsym(RTLD_DEFAULT, "omp_get_max_threads"))();
}

int threads_at_first = 0;

} // namespace

TEST_CASE("threads_per_worker reaches a library that was loaded before", "[pool]") {
    if (!load_openmp()) {
        WARN("libgomp.so.1 is not there");
        return;
    }
    mp::set_forkserver_preload(preload_openmp);
    const auto notes = [] { threads_at_first = openmp_threads(); };
    mp::Pool pool({.processes = 1, .threads_per_worker = 33}, notes);
    CHECK(pool.apply(openmp_threads) == 33);
    CHECK(pool.apply([] { return threads_at_first; }) == 33);
    CHECK(openmp_threads() != 33);
    // What the program says itself.
    mp::Pool told({.processes = 1, .threads_per_worker = 33, .env = {{"OMP_NUM_THREADS", "34"}}});
    CHECK(told.apply(openmp_threads) == 34);
    mp::Pool each_told({.processes = 1, .threads_per_worker = 33, .worker_env = [](int) {
                            return mp::Environment{{"OMP_NUM_THREADS", "35,2"}};
                        }});
    CHECK(each_told.apply(openmp_threads) == 35);
    mp::Pool not_told({.processes = 1, .threads_per_worker = 33, .env = {{"OMP_NUM_THREADS", std::nullopt}}});
    CHECK(not_told.apply(openmp_threads) == openmp_threads());
    mp::futures::ProcessPoolExecutor executor({.max_workers = 1, .threads_per_worker = 33});
    CHECK(executor.submit(openmp_threads).result() == 33);
    mp::set_forkserver_preload(nullptr);
}
#endif

namespace {

/// The processors on which this thread may run.
std::vector<int> allowed_processors() {
    const auto allowed = mp::detail::platform::allowed_affinity();
    std::vector<int> processors;
    for (int i = 0; i < 1024; ++i) {
        if (allowed.has(static_cast<std::size_t>(i))) processors.push_back(i);
    }
    return processors;
}

} // namespace

TEST_CASE("workers of an executor run on the processors that they were given", "[pool]") {
    const int first = allowed_processors().front();
    const int last = allowed_processors().back();
    mp::futures::ProcessPoolExecutor executor({.max_workers = 2, .cpu_affinity = {{first}, {last}}});
    const auto where = [](const Tally& begun) {
        begun.add(0, 1);
        begun.wait_for(0, 2); // so that both workers have a call
        return std::pair(mp::current_task().worker(), allowed_processors());
    };
    const Tally begun;
    const auto one = executor.submit(where, begun);
    const auto other = executor.submit(where, begun);
    CHECK(one.result().first + other.result().first == 1);
    for (const auto& [worker, processors] : {one.result(), other.result()})
        CHECK(processors == std::vector{worker == 0 ? first : last});
    CHECK_THROWS_AS(mp::futures::ProcessPoolExecutor({.cpu_affinity = {{}}}), std::invalid_argument);
}

TEST_CASE("workers run on the processors that they were given, in turn", "[pool]") {
    const int first = allowed_processors().front();
    const int last = allowed_processors().back();
    mp::Pool pool({.processes = 3, .cpu_affinity = {{first}, {last}}});
    const auto where = [](int) {
        std::this_thread::sleep_for(50ms);
        const auto processors = allowed_processors();
        return std::pair(mp::current_task().worker(), processors.size() == 1 ? processors[0] : -2);
    };
    for (const auto& [worker, processor] : pool.map(where, {1, 2, 3, 4, 5, 6}, {.chunksize = 1}))
        CHECK(processor == (worker % 2 == 0 ? first : last));
    CHECK_THROWS_AS(mp::Pool({.processes = 1, .cpu_affinity = {{}}}), std::invalid_argument);
    CHECK_THROWS_AS(mp::Pool({.processes = 1, .cpu_affinity = {{-1}}}), std::invalid_argument);
    CHECK_THROWS_AS(mp::Pool({.processes = 1, .cpu_affinity = {{100'000}}}), std::invalid_argument);
}

namespace {

std::string directory_here() { return std::filesystem::canonical(".").string(); }

/// A directory that is there while this is; the program works in it meanwhile.
struct InDirectory {
    std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("mp_cwd_" + std::to_string(own_pid()));
    InDirectory() {
        std::filesystem::create_directory(path);
        std::filesystem::current_path(path);
    }
    void leave() { std::filesystem::current_path(before); }
    ~InDirectory() {
        leave();
        std::filesystem::remove(path);
    }
};

/// What the error says that is thrown where it is called.
template <class Make>
std::string system_error_of(Make make) {
    try {
        make();
    } catch (const std::system_error& error) { return error.what(); }
    return "nothing was thrown";
}

} // namespace

TEST_CASE("workers work in their directory, also those that start when the program works elsewhere", "[pool]") {
    InDirectory directory;
    const std::string wanted = directory_here();
    {
        mp::Pool pool({.processes = 1, .maxtasksperchild = 1, .cwd = "."});
        mp::futures::ProcessPoolExecutor executor({.max_workers = 1, .cwd = "."});
        directory.leave();
        CHECK(directory_here() != wanted);
        CHECK(pool.apply(directory_here) == wanted);
        CHECK(pool.apply(directory_here) == wanted); // another worker
        CHECK(executor.submit(directory_here).result() == wanted);
        mp::Pool absolute({.processes = 1, .cwd = directory.path});
        CHECK(absolute.apply(directory_here) == wanted);
        CHECK(mp::Pool(1).apply(directory_here) == directory_here());
    }
}

TEST_CASE("a pool or an executor whose directory is not there is refused where it is made", "[pool]") {
    for (const std::string wrong : {"", "no/such/directory"}) {
        INFO('"' << wrong << '"');
        CHECK_THAT(system_error_of([&] { mp::Pool({.processes = 1, .cwd = wrong}); }),
                   ContainsSubstring("with .cwd = \"" + wrong + "\": that is no directory"));
        CHECK_THAT(system_error_of([&] { mp::futures::ProcessPoolExecutor({.max_workers = 1, .cwd = wrong}); }),
                   ContainsSubstring("with .cwd = \"" + wrong + "\": that is no directory"));
    }
    CHECK(mp::active_children().empty());
}

TEST_CASE("a task knows its index, its worker, its attempt and its deadline", "[pool]") {
    mp::Pool pool(2);
    CHECK(pool.apply([] { return mp::current_task().index(); }) == 0);
    CHECK(pool.apply([] { return mp::in_task(); }));
    CHECK(pool.apply([] { return mp::current_task().attempt(); }) == 1);
    CHECK(pool.apply([] { return mp::current_task().worker(); }) < 2);
    CHECK_FALSE(pool.apply([] { return mp::current_task().deadline().has_value(); }));
    const auto left = [](int) {
        return std::chrono::duration<double>(mp::current_task().deadline().value() -
                                             std::chrono::steady_clock::now())
            .count();
    };
    const double seconds = pool.apply_async(mp::TaskOptions{.timeout = 1000s}, left, 1).get();
    CHECK(seconds > 900);
    CHECK(seconds <= 1000);
    CHECK(pool.map(left, {1}, {.timeout = 1000s}).front() > 900);

    const auto offset = [](int x) { return static_cast<int>(mp::current_task().index()) - x; };
    const std::vector<int> zeros(5000);
    std::vector<int> items(5000);
    for (std::size_t i = 0; i < items.size(); ++i) items[i] = static_cast<int>(i);
    CHECK(pool.map(offset, items) == zeros);
    CHECK(pool.map(offset, items, {.timeout = 60s}) == zeros);
    CHECK(std::ranges::all_of(pool.try_map(offset, items), [](const auto& outcome) { return *outcome == 0; }));
    auto results = pool.imap(offset, items, {.chunksize = 7});
    CHECK(std::ranges::all_of(results, [](int difference) { return difference == 0; }));
}

TEST_CASE("outside of a task there is none", "[pool]") {
    CHECK_FALSE(mp::in_task());
    CHECK_THROWS_AS(mp::current_task(), std::logic_error);
    mp::pool::ThreadPool threads(1);
    CHECK_FALSE(threads.apply([] { return mp::in_task(); }));
}

TEST_CASE("a replaced worker has its predecessor's number", "[pool]") {
    mp::Pool pool(1);
    for (int i = 0; i < 3; ++i) {
        CHECK(pool.apply([] { return mp::current_task().worker(); }) == 0);
        CHECK_THROWS_AS(pool.apply([] { vanish(3); }), mp::WorkerLostError);
    }
}

TEST_CASE("an initializer that takes more than a worker may have lets tasks run, and costs a worker each",
          "[pool]") {
    if (!support::counts_memory()) return;
    const auto model = [](int mebibytes) {
        static std::vector<char> data(static_cast<std::size_t>(mebibytes) * mebibyte, 'x');
    };
    mp::Pool recycles({.processes = 2, .recycle_memory = 50 * mebibyte}, model, 100);
    const auto naps = [](int x) { return std::this_thread::sleep_for(30ms), x; };
    CHECK(recycles.map(naps, {1, 2, 3, 4, 5, 6}, {.chunksize = 1}) == std::vector{1, 2, 3, 4, 5, 6});
    mp::Pool limited({.processes = 1, .memory_limit = 50 * mebibyte}, model, 100);
    CHECK_THROWS_AS(limited.apply([] { std::this_thread::sleep_for(1h); }), mp::MemoryLimitExceeded);
}

#if defined(__linux__)
TEST_CASE("a worker that is ended for a limit takes with it what its task has started", "[pool]") {
    mp::Pool pool(1);
    const Tally tally;
    const auto starts_another = [](const Tally& started) {
        const pid_t child = ::fork();
        if (child == 0) {
            const pid_t grandchild = ::fork();
            if (grandchild != 0) started.set(1, grandchild);
            for (;;) ::pause();
        }
        started.set(0, child);
        for (;;) ::pause();
    };
    // A busy machine may take longer than that to start them.
    for (auto limit = 500ms; limit < 60s && (tally.get(0) == 0 || tally.get(1) == 0); limit *= 4) {
        tally.set(0, 0);
        tally.set(1, 0);
        CHECK_THROWS_AS(pool.apply_async(mp::TaskOptions{.timeout = limit}, starts_another, tally).get(),
                        mp::TimeLimitExceeded);
    }
    for (const int which : {0, 1}) {
        const auto pid = static_cast<pid_t>(tally.get(which));
        REQUIRE(pid > 0);
        const auto lives = [pid] {
            std::ifstream status("/proc/" + std::to_string(pid) + "/stat");
            std::string number, name, state;
            return status >> number >> name >> state && state != "Z" && state != "X";
        };
        CHECK(support::eventually([&] { return !lives(); }));
    }
}
#endif
