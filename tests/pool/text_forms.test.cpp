// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>

#include <multiprocessing/connection.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>
#include <multiprocessing/util.hpp>

#include <atomic>
#include <limits>
#include <sstream>
#include <string>

using namespace process;

namespace {

/// Whether `text` is `begin`, then an address, then `end`.
bool is_at_address(const std::string& text, const std::string& begin, const std::string& end) {
    return text.starts_with(begin + "0x") && text.ends_with(end);
}

std::string of_child(const mp::Lock& lock, const mp::RLock& recursive) {
    return mp::to_string(lock) + mp::to_string(recursive);
}

} // namespace

TEST_CASE("locks say whose they are, as Python does", "[text_forms]") {
    const mp::Lock lock;
    const mp::RLock recursive;
    CHECK(mp::to_string(lock) == "<Lock(owner=None)>");
    CHECK(mp::to_string(recursive) == "<RLock(owner=None, count=0)>");
    CHECK(mp::to_string(mp::Condition{lock}) == "<Condition(<Lock(owner=None)>, 0)>");
    std::scoped_lock guard{lock, recursive};
    recursive.acquire();
    CHECK(mp::to_string(lock) == "<Lock(owner=MainProcess)>");
    CHECK(mp::to_string(recursive) == "<RLock(owner=MainProcess, count=2)>");
    std::thread([&] {
        CHECK(mp::to_string(lock) == "<Lock(owner=SomeOtherThread)>");
        CHECK(mp::to_string(recursive) == "<RLock(owner=SomeOtherThread, count=nonzero)>");
        const mp::Lock own;
        std::scoped_lock mine{own};
        CHECK(mp::to_string(own).starts_with("<Lock(owner=MainProcess|Thread-"));
    }).join();
    mp::Pool pool(1);
    CHECK(pool.apply(of_child, lock, recursive) ==
          "<Lock(owner=SomeOtherProcess)><RLock(owner=SomeOtherProcess, count=nonzero)>");
    recursive.release();
}

TEST_CASE("semaphores, events, barriers and queues have Python's text forms", "[text_forms]") {
    std::ostringstream out;
    out << mp::Semaphore{2} << mp::BoundedSemaphore{3} << mp::Condition();
    CHECK(out.str() == "<Semaphore(value=2)><BoundedSemaphore(value=3, maxvalue=3)>"
                       "<Condition(<RLock(owner=None, count=0)>, 0)>");
    const mp::Event event;
    CHECK(is_at_address(mp::to_string(event), "<Event at ", " unset>"));
    event.set();
    CHECK(is_at_address(mp::to_string(event), "<Event at ", " set>"));
    const mp::Barrier barrier{2};
    CHECK(is_at_address(mp::to_string(barrier), "<multiprocessing.synchronize.Barrier at ", ": waiters=0/2>"));
    barrier.abort();
    CHECK(is_at_address(mp::to_string(barrier), "<multiprocessing.synchronize.Barrier at ", ": broken>"));
    const mp::Queue<int> queue;
    CHECK(is_at_address(mp::to_string(queue), "<multiprocessing.queues.Queue object at ", ">"));
    const auto copy = queue;
    CHECK(mp::to_string(copy) == mp::to_string(queue));
    CHECK(is_at_address(mp::to_string(mp::JoinableQueue<int>()),
                        "<multiprocessing.queues.JoinableQueue object at ", ">"));
    CHECK(is_at_address(mp::to_string(mp::SimpleQueue<int>()), "<multiprocessing.queues.SimpleQueue object at ",
                        ">"));
    const auto [first, second] = mp::Pipe();
    CHECK(is_at_address(mp::to_string(first), "<multiprocessing.connection.Connection object at ", ">"));
}

TEST_CASE("values and arrays show their content's type", "[text_forms]") {
    const auto content = [](const auto& value) { return mp::to_string(mp::RawValue{value}); };
    CHECK(mp::to_string(mp::Value{3}) == "<Synchronized wrapper for c_int(3)>");
    CHECK(mp::to_string(mp::Value<std::atomic<short>>{short{4}}) == "<Synchronized wrapper for c_short(4)>");
    CHECK(content(true) == "c_bool(True)");
    CHECK(content('x') == "c_char(b'x')");
    CHECK(content(1.5) == "c_double(1.5)");
    CHECK(content(100.0) == "c_double(100.0)");
    CHECK(content(0.1) == "c_double(0.1)");
    CHECK(content(1e15) == "c_double(1000000000000000.0)");
    CHECK(content(1e16) == "c_double(1e+16)");
    CHECK(content(1e-5) == "c_double(1e-05)");
    CHECK(content(-std::numeric_limits<double>::infinity()) == "c_double(-inf)");
    CHECK(content(1e20F) == "c_float(1.0000000200408773e+20)");
    CHECK(is_at_address(mp::to_string(mp::Array{1, 2, 3}),
                        "<SynchronizedArray wrapper for <multiprocessing.sharedctypes.c_int_Array_3 object at ",
                        ">>"));
    CHECK(is_at_address(mp::to_string(mp::RawArray<double>(2)),
                        "<multiprocessing.sharedctypes.c_double_Array_2 object at ", ">"));
}

TEST_CASE("processes say how they are, as Python's do", "[text_forms]") {
    const std::string parent = " parent=" + std::to_string(mp::current_process().pid());
    CHECK(mp::to_string(mp::current_process()) == "<_MainProcess name='MainProcess' parent=None started>");
    mp::Process p({.name = "it's", .daemon = true}, [] { std::this_thread::sleep_for(100s); });
    CHECK(mp::to_string(p) == "<Process name=\"it's\"" + parent + " initial daemon>");
    p.start();
    const std::string begin = "<Process name=\"it's\" pid=" + std::to_string(p.pid().value()) + parent;
    CHECK(mp::to_string(p) == begin + " started daemon>");
    p.kill();
    p.join();
    std::ostringstream out;
    out << p;
#if defined(_WIN32)
    CHECK(out.str().starts_with(begin + " stopped exitcode="));
#else
    CHECK(out.str() == begin + " stopped exitcode=-SIGKILL daemon>");
#endif
    p.close();
    CHECK(mp::to_string(p) == "<Process name=\"it's\"" + parent + " closed daemon>");
    const mp::Process moved = std::move(p);
    CHECK(mp::to_string(p) == "<Process unknown>");
    mp::Lock lock;
    const mp::Lock other = std::move(lock);
    CHECK(mp::to_string(lock) == "<Lock(owner=unknown)>");
}

TEST_CASE("pools and results have Python's text forms", "[text_forms]") {
    mp::Pool pool(2);
    CHECK(mp::to_string(pool) == "<multiprocessing.pool.Pool state=RUN pool_size=2>");
    CHECK(is_at_address(mp::to_string(pool.apply_async([] {})), "<multiprocessing.pool.AsyncResult object at ",
                        ">"));
    pool.close();
    CHECK(mp::to_string(pool) == "<multiprocessing.pool.Pool state=CLOSE pool_size=2>");
    pool.terminate();
    CHECK(mp::to_string(pool) == "<multiprocessing.pool.Pool state=TERMINATE pool_size=2>");
}
