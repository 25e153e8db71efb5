#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file exit_hooks.hpp  What a child does last: the functions of at_child_exit(), and which thread
/// ends the process.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/process.hpp>
#include <multiprocessing/detail/process_wide.hpp>
#include <multiprocessing/util.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// While one lives, this thread may hold mutexes that the end of the process needs. A signal
/// handler that calls std::exit() then finds them held by the very thread it runs in.
class [[nodiscard("an unnamed guard ends at once")]] NotToEndIn {
public:
    NotToEndIn() noexcept;
    NotToEndIn(const NotToEndIn&) = delete;
    NotToEndIn& operator=(const NotToEndIn&) = delete;
    ~NotToEndIn();

    /// Tells this thread from others: without a function of the system, which each child would have
    /// to look up again.
    static const void* thread() noexcept { return &depth(); }

    static bool any() noexcept;
    /// Forgets, in a forked child, what the thread was in: that is its parent's.
    static void forget() noexcept;

private:
    static std::atomic<int>& depth() noexcept;
};

/// The steps of a child's end, each of which is begun once.
enum class EndStep { none, functions, children, family, streams, last };

/// What a child does last: the functions of at_child_exit(), and which thread takes the last steps.
///
/// Any thread may end the child, by std::exit(), and so may one that takes the last steps already:
/// a function of at_child_exit() that calls std::exit(), or a signal handler that does. Then the
/// inner call goes on where the outer one was interrupted, with the next step.
class ExitHooks : public ForkSafe {
public:
    static constexpr StateSlot slot = StateSlot::exit_hooks;

    void add(std::function<void()> hook);

    bool any();

    /// Makes this thread the one that ends the child. If another thread is at it, waits for that
    /// thread, forever if need be; unless that makes no progress, as it may be waiting for this
    /// thread: then this one goes on in its place.
    void take_over();

    /// Returns whether this step is to be taken, by this thread; waits forever in a thread that
    /// another one has taken the place of.
    bool begins(EndStep step);

    /// Runs them, last added first; also those that are added meanwhile. What they throw is logged.
    /// One that ends its thread (pthread_exit) does not come back: `instead` is called, and does
    /// not return.
    void run(void (*instead)(int), int code) noexcept;

    /// Clears, in a new child, what its parent had registered.
    void clear();

private:
    std::vector<std::function<void()>> hooks_;
    std::atomic<const void*> ending_{nullptr}; // the thread that takes the last steps
    std::atomic<EndStep> step_{EndStep::none};
    std::atomic<std::uint64_t> progress_{0};
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/wait.hpp>

#include <chrono>
#include <exception>
#include <mutex>
#include <string>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE NotToEndIn::NotToEndIn() noexcept { depth().fetch_add(1, std::memory_order_relaxed); }

MULTIPROCESSING_INLINE NotToEndIn::~NotToEndIn() { depth().fetch_sub(1, std::memory_order_relaxed); }

MULTIPROCESSING_INLINE bool NotToEndIn::any() noexcept { return depth().load(std::memory_order_relaxed) != 0; }

MULTIPROCESSING_INLINE void NotToEndIn::forget() noexcept {
    if (any()) depth().store(0, std::memory_order_relaxed); // a store would cost each child a page
}

MULTIPROCESSING_INLINE std::atomic<int>& NotToEndIn::depth() noexcept {
    static constinit thread_local std::atomic<int> here{0}; // atomic against a handler in this thread
    return here;
}

MULTIPROCESSING_INLINE void ExitHooks::add(std::function<void()> hook) {
    std::lock_guard lock{mutex};
    hooks_.push_back(std::move(hook));
}

MULTIPROCESSING_INLINE bool ExitHooks::any() {
    std::lock_guard lock{mutex};
    return !hooks_.empty();
}

MULTIPROCESSING_INLINE void ExitHooks::take_over() {
    const void* const me = NotToEndIn::thread();
    const void* before = nullptr;
    while (!ending_.compare_exchange_strong(before, me) && before != me) {
        const std::uint64_t seen = progress_.load();
        platform::wait_any({}, Deadline::after(std::chrono::seconds{2}));
        if (progress_.load() != seen) before = nullptr; // which is none: it is looked at once more
    }
}

MULTIPROCESSING_INLINE bool ExitHooks::begins(EndStep step) {
    while (ending_.load() != NotToEndIn::thread()) platform::wait_any({}, Deadline{});
    ++progress_;
    if (step_.load() >= step) return false;
    step_.store(step);
    return true;
}

MULTIPROCESSING_INLINE void ExitHooks::run(void (*instead)(int), int code) noexcept {
    while (step_.load() <= EndStep::functions) {
        std::function<void()> hook;
        {
            std::lock_guard lock{mutex};
            if (hooks_.empty()) return;
            hook = std::move(hooks_.back());
            hooks_.pop_back();
        }
        ++progress_;
        try {
            hook();
        } catch (const std::exception& error) {
            get_logger().log(LogLevel::error,
                             std::string("a function of at_child_exit() threw: ") + error.what());
        } catch (...) {
            if (platform::is_thread_exit()) instead(code);
            get_logger().log(LogLevel::error, "a function of at_child_exit() threw");
        }
        begins(EndStep::functions); // or another thread has lost its patience
    }
}

MULTIPROCESSING_INLINE void ExitHooks::clear() {
    std::lock_guard lock{mutex};
    hooks_.clear();
    NotToEndIn::forget();
    ending_.store(nullptr);
    step_.store(EndStep::none);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
