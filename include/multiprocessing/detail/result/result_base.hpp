#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file result_base.hpp  What every result has, whatever its type and its maker: it ends once, and
/// then calls its hooks.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/exceptions/cause.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/timeout.hpp>
#include <multiprocessing/util.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// The state that all copies of a handle (AsyncResult, Future) share; any number of threads may use
/// it at once. Owned by its handles, and by whatever is to call its hooks.
class ResultBase : public std::enable_shared_from_this<ResultBase> {
public:
    using Hook = std::function<void()>;

    ResultBase() = default;
    ResultBase(const ResultBase&) = delete;
    ResultBase& operator=(const ResultBase&) = delete;
    virtual ~ResultBase() = default;

    /// Returns whether its work has ended, in whatever way.
    virtual bool ready() = 0;
    /// Returns whether its work has begun and not ended, as far as this process knows.
    virtual bool running() = 0;
    /// Waits for the end of the work; false when the deadline passed.
    virtual bool wait(const Deadline& deadline) = 0;
    /// Waits, and has the outcome at hand in this process; false when the deadline passed.
    virtual bool fetch(const Deadline& deadline) = 0;
    /// Takes the work back; false if it has begun, or ended. Then nothing changes.
    virtual bool cancel() = 0;
    /// Takes the work back, and ends what runs of it; false if it has ended.
    virtual bool kill() = 0;

    /// Returns why it failed; null for a value. After fetch().
    const std::exception_ptr& error() const noexcept { return error_; }
    /// Throws if it ended with an exception. After fetch().
    void require_success() const;

    /// Calls `hook` when the result is ready: at once, in this thread, if it is; else in whichever
    /// thread calls the hooks of this result, after those that were added before. What a hook
    /// throws is logged. Returns a number for forget().
    std::uint64_t when_ready(Hook hook);

    /// Returns whether there is something for call_hooks(). Whichever comes later, the end or the
    /// first hook, sees the other.
    bool has_hooks();

    /// Forgets a hook: it is not called any more, unless it is being called.
    void forget(std::uint64_t number) noexcept;

    /// Calls the hooks in the order in which they were added. Called by the watcher (see watch())
    /// when the result is ready; a second call does no harm.
    void call_hooks() noexcept;

    /// Returns whether this thread is in a hook.
    static bool is_in_hook() noexcept { return hooks_here() != 0; }

    // The next in the watcher's list of results that have ended.
    std::shared_ptr<ResultBase> next_ended = {};

protected:
    /// Sees to it that call_hooks() is called when the result is ready. It may be already.
    virtual void watch() = 0;

    std::exception_ptr error_; // written before the result says that it can be read

private:
    static int& hooks_here() noexcept;

    static void call(const Hook& hook) noexcept;

    struct NumberedHook {
        std::uint64_t number;
        Hook hook;
    };

    Mutex hooks_mutex_;
    std::vector<NumberedHook> hooks_;
    std::uint64_t last_number_ = 0;
    bool is_watched_ = false;  // watch() was called
    bool calls_hooks_ = false; // a thread does
};

/// Returns what comes of work that was taken back.
MULTIPROCESSING_INLINE std::exception_ptr cancellation();

/// Returns what is thrown at work that comes when a pool is closed.
MULTIPROCESSING_INLINE std::exception_ptr pool_refusal();

/// Logs what `find()` gives, if anything. That makes exceptions of the program's own types, and
/// calls sinks.
template <class Find>
void log_unread_error(Find find) noexcept {
    require_no_mutex();
    try {
        if (const std::exception_ptr error = find()) std::rethrow_exception(error);
    } catch (const CancelledError&) { // not an error of the task's
    } catch (...) {
        try {
            get_logger().log(LogLevel::error,
                             "a task whose result nobody waits for failed:\n" + describe_current_exception());
        } catch (...) { // out of memory: the line is lost
        }
    }
}

/// Results that have ended and whose hooks are to be called: a list that needs no memory.
class EndedResults {
public:
    EndedResults() = default;
    EndedResults(const EndedResults&) = delete;
    EndedResults& operator=(const EndedResults&) = delete;
    ~EndedResults();

    bool empty() const noexcept { return !first_; }
    void add(std::shared_ptr<ResultBase> result) noexcept;
    std::shared_ptr<ResultBase> take_first() noexcept;

private:
    std::shared_ptr<ResultBase> first_;
    ResultBase* last_ = nullptr;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/scope_exit.hpp>

#include <mutex>
#include <stdexcept>
#include <utility>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void ResultBase::require_success() const {
    if (error_) std::rethrow_exception(error_);
}

MULTIPROCESSING_INLINE std::uint64_t ResultBase::when_ready(Hook hook) {
    bool first = false;
    std::uint64_t number = 0;
    ready(); // refuses another process before the mutex, which may be a thread's that is not there
    {
        std::lock_guard lock{hooks_mutex_};
        // Those that were added before come first, even if the result is ready by now.
        if (!hooks_.empty() || calls_hooks_ || !ready()) {
            first = !is_watched_;
            is_watched_ = true;
            number = ++last_number_;
            hooks_.push_back({number, std::move(hook)});
        }
    }
    if (number == 0) call(hook); // NOLINT(bugprone-use-after-move): it was not moved then
    if (!first) return number;
    try {
        watch();
    } catch (...) { // no thread can be made, say: the next hook tries again
        forget(number);
        std::lock_guard lock{hooks_mutex_};
        is_watched_ = false;
        throw;
    }
    return number;
}

MULTIPROCESSING_INLINE bool ResultBase::has_hooks() {
    std::lock_guard lock{hooks_mutex_};
    return !hooks_.empty();
}

MULTIPROCESSING_INLINE void ResultBase::forget(std::uint64_t number) noexcept {
    Hook forgotten; // ends without the mutex
    std::lock_guard lock{hooks_mutex_};
    for (auto at = hooks_.begin(); at != hooks_.end(); ++at) {
        if (at->number != number) continue;
        forgotten = std::move(at->hook);
        hooks_.erase(at);
        return;
    }
}

MULTIPROCESSING_INLINE void ResultBase::call_hooks() noexcept {
    for (bool mine = false;; mine = true) {
        std::vector<NumberedHook> hooks;
        {
            std::lock_guard lock{hooks_mutex_};
            if (calls_hooks_ && !mine) return; // another thread does, and sees what was added
            hooks = std::exchange(hooks_, {});
            calls_hooks_ = !hooks.empty();
            if (hooks.empty()) return;
        }
        for (const NumberedHook& numbered : hooks) call(numbered.hook);
    }
}

MULTIPROCESSING_INLINE int& ResultBase::hooks_here() noexcept {
    thread_local int count = 0;
    return count;
}

MULTIPROCESSING_INLINE void ResultBase::call(const Hook& hook) noexcept {
    require_no_mutex();
    ++hooks_here();
    const ScopeExit over{[] { --hooks_here(); }};
    try {
        hook();
    } catch (...) {
        try {
            get_logger().log(LogLevel::error, "a callback of a result threw:\n" + describe_current_exception());
        } catch (...) { // out of memory: the line is lost
        }
    }
}

MULTIPROCESSING_INLINE std::exception_ptr cancellation() {
    return std::make_exception_ptr(CancelledError("multiprocessing: the task was cancelled"));
}

MULTIPROCESSING_INLINE std::exception_ptr pool_refusal() {
    return std::make_exception_ptr(
        std::invalid_argument("multiprocessing: this pool is closed and takes no more work: submit "
                              "before close(), or make another pool"));
}

MULTIPROCESSING_INLINE EndedResults::~EndedResults() { // one by one, as a long list would end recursively
    while (first_) first_ = std::exchange(first_->next_ended, nullptr);
}

MULTIPROCESSING_INLINE void EndedResults::add(std::shared_ptr<ResultBase> result) noexcept {
    std::shared_ptr<ResultBase>& end = last_ ? last_->next_ended : first_;
    last_ = result.get();
    end = std::move(result);
}

MULTIPROCESSING_INLINE std::shared_ptr<ResultBase> EndedResults::take_first() noexcept {
    std::shared_ptr<ResultBase> result = std::move(first_);
    first_ = std::exchange(result->next_ended, nullptr);
    if (!first_) last_ = nullptr;
    return result;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
