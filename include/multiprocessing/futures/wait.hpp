#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file wait.hpp  wait() and as_completed(): several futures at once.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/progress/stream_progress.hpp>
#include <multiprocessing/detail/result/result_base.hpp>
#include <multiprocessing/detail/result/result_state.hpp>
#include <multiprocessing/detail/result/stream_iterator.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/futures/future.hpp>
#include <multiprocessing/progress.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::futures {

/// What wait() waits for. Python: the constants of the same names.
enum class ReturnWhen { FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED };
using enum ReturnWhen;

/// What wait() returns: futures that have ended, and those that have not, each once, in the order
/// in which they were given.
template <class R>
struct DoneAndNotDone {
    std::vector<Future<R>> done;
    std::vector<Future<R>> not_done;
};

} // namespace multiprocessing::inline v1::futures

namespace multiprocessing::inline v1::detail {

/// Waits for any of several results. Shared by the thread that waits and the hooks of the results.
class AnyEnded {
public:
    /// Notes that result `index` has ended.
    void add(std::size_t index);
    /// The next that has ended; nullopt when the deadline passed.
    std::optional<std::size_t> next(const Deadline& deadline);

private:
    std::mutex mutex_; // a condition_variable wants this very type
    std::condition_variable changed_;
    std::deque<std::size_t> ended_;
};

/// Hooks of several results that note in an AnyEnded which has ended, as long as it lives.
class EndHooks {
public:
    EndHooks() = default;
    EndHooks(EndHooks&&) noexcept = default;
    EndHooks& operator=(EndHooks&&) = delete;
    ~EndHooks();

    /// The next to end is `index`.
    void add(const std::shared_ptr<ResultBase>& result, std::size_t index);
    std::optional<std::size_t> next(const Deadline& deadline);

private:
    struct Hooked {
        std::shared_ptr<ResultBase> result;
        std::size_t index;
        std::uint64_t number;
        bool is_told = false;
    };

    std::optional<std::size_t> find_ready() const;

    std::shared_ptr<AnyEnded> any_ = std::make_shared<AnyEnded>();
    std::vector<Hooked> hooks_;
};

template <class Range>
using FutureIn = std::remove_cvref_t<std::ranges::range_reference_t<Range>>;
template <class T>
inline constexpr bool is_future = false;
template <class R>
inline constexpr bool is_future<futures::Future<R>> = true;

/// A range of futures of one type.
template <class Range>
concept Futures = std::ranges::input_range<Range> && is_future<FutureIn<Range>>;

/// Each of them once, in order.
template <class Range>
std::vector<FutureIn<Range>> each_once(Range&& range) {
    std::vector<FutureIn<Range>> all;
    for (auto&& future : range) all.push_back(std::forward<decltype(future)>(future));
    std::vector<std::size_t> order(all.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return all[a] < all[b]; });
    std::vector<bool> again(all.size());
    for (std::size_t i = 1; i < order.size(); ++i) again[order[i]] = all[order[i]] == all[order[i - 1]];
    std::size_t index = 0;
    std::erase_if(all, [&](const auto&) { return again[index++]; });
    return all;
}

} // namespace multiprocessing::inline v1::detail

namespace multiprocessing::inline v1::futures {

/// Waits until all futures have ended, or the first one has, or the first one with an exception, or
/// the timeout has passed. `futures` is any range of them, also an empty one. Python:
/// `concurrent.futures.wait`.
template <detail::Futures Range>
auto wait(Range&& futures, Timeout timeout = no_timeout, ReturnWhen when = ALL_COMPLETED) {
    using F = detail::FutureIn<Range>;
    const auto deadline = detail::Deadline::after(timeout);
    const std::vector<F> all = detail::each_once(std::forward<Range>(futures));
    const auto is_enough = [&](const F& future) {
        if (!future.done()) return false;
        return when == FIRST_COMPLETED || (!future.cancelled() && future.exception());
    };
    if (when == ALL_COMPLETED) {
        for (const F& future : all) detail::state_of(future)->wait(deadline);
    } else if (std::none_of(all.begin(), all.end(), is_enough)) {
        detail::EndHooks hooks;
        // Also those that have ended since they were looked at: one of them may be enough.
        for (std::size_t i = 0; i < all.size(); ++i) hooks.add(detail::state_of(all[i]), i);
        for (std::size_t pending = all.size(); pending > 0; --pending) {
            const auto ended = hooks.next(deadline);
            if (!ended || is_enough(all[*ended])) break;
        }
    }
    DoneAndNotDone<typename F::value_type> result;
    for (const F& future : all) (future.done() ? result.done : result.not_done).push_back(future);
    return result;
}
template <detail::Futures Range>
auto wait(Range&& futures, ReturnWhen when) {
    return wait(std::forward<Range>(futures), no_timeout, when);
}
template <class R>
DoneAndNotDone<R> wait(std::initializer_list<Future<R>> futures, Timeout timeout = no_timeout,
                       ReturnWhen when = ALL_COMPLETED) {
    return wait(std::vector<Future<R>>(futures), timeout, when);
}
template <class R>
DoneAndNotDone<R> wait(std::initializer_list<Future<R>> futures, ReturnWhen when) {
    return wait(std::vector<Future<R>>(futures), no_timeout, when);
}

/// Futures as they end: what as_completed() returns. An input range that is walked once, by one
/// thread.
template <class R>
class AsCompleted {
public:
    using Iterator = detail::StreamIterator<AsCompleted, Future<R>, Future<R>&>;

    AsCompleted(std::vector<Future<R>> futures, Timeout timeout, Progress progress = {})
        : futures_(std::move(futures)),
          left_(futures_.size()),
          deadline_(detail::Deadline::after(timeout)),
          progress_(std::move(progress), futures_.size()) {
        for (std::size_t i = 0; i < futures_.size(); ++i) hooks_.add(detail::state_of(futures_[i]), i);
    }
    AsCompleted(AsCompleted&&) = default;
    AsCompleted& operator=(AsCompleted&&) = delete;

    Iterator begin() { return Iterator{*this}; }
    static std::default_sentinel_t end() noexcept { return {}; }

private:
    friend Iterator;
    bool has_next() {
        if (left_ == 0) progress_.end();
        return left_ != 0;
    }
    Future<R>& current() {
        if (!current_) {
            progress_.wait(
                deadline_,
                [this](const detail::Deadline& until) {
                    current_ = hooks_.next(until);
                    return current_.has_value();
                },
                [] { return 0.0; });
            if (!current_)
                throw TimeoutError("multiprocessing: " + std::to_string(left_) + " (of " +
                                   std::to_string(futures_.size()) + ") futures have not ended in time");
        }
        return futures_[*current_];
    }
    void skip() {
        const Future<R>& ended = current();
        // Only then: to ask for an exception is to read it, and what was read is not logged.
        if (progress_.wanted()) progress_.note(ended.cancelled() || ended.exception());
        current_.reset();
        --left_;
    }

    std::vector<Future<R>> futures_;
    detail::EndHooks hooks_;
    std::optional<std::size_t> current_;
    std::size_t left_;
    detail::Deadline deadline_;
    detail::StreamProgress progress_;
};

/// Returns a range over `futures` in the order in which they end, those that have ended first; each
/// once. Its iteration throws TimeoutError if they have not all ended `timeout` after this call.
/// `progress` is that of the iteration. Python: `concurrent.futures.as_completed`, and
/// `tqdm(as_completed(futures), total=len(futures))`.
template <detail::Futures Range>
auto as_completed(Range&& futures, Timeout timeout = no_timeout, Progress progress = {}) {
    using F = detail::FutureIn<Range>;
    return AsCompleted<typename F::value_type>(detail::each_once(std::forward<Range>(futures)), timeout,
                                               std::move(progress));
}
template <class R>
AsCompleted<R> as_completed(std::initializer_list<Future<R>> futures, Timeout timeout = no_timeout,
                            Progress progress = {}) {
    return as_completed(std::vector<Future<R>>(futures), timeout, std::move(progress));
}

} // namespace multiprocessing::inline v1::futures

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/result/moved_from.hpp>

#include <chrono>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void AnyEnded::add(std::size_t index) {
    {
        std::lock_guard lock{mutex_};
        ended_.push_back(index);
    }
    changed_.notify_one();
}

MULTIPROCESSING_INLINE std::optional<std::size_t> AnyEnded::next(const Deadline& deadline) {
    std::unique_lock lock{mutex_};
    while (ended_.empty()) {
        if (deadline.passed()) return std::nullopt;
        changed_.wait_for(lock, deadline.left(std::chrono::hours{1}));
    }
    const std::size_t index = ended_.front();
    ended_.pop_front();
    return index;
}

MULTIPROCESSING_INLINE EndHooks::~EndHooks() {
    for (const Hooked& hooked : hooks_) hooked.result->forget(hooked.number);
}

MULTIPROCESSING_INLINE void EndHooks::add(const std::shared_ptr<ResultBase>& result, std::size_t index) {
    hooks_.reserve(hooks_.size() + 1);
    hooks_.push_back({result, index, result->when_ready([any = any_, at = hooks_.size()] { any->add(at); })});
}

MULTIPROCESSING_INLINE std::optional<std::size_t> EndHooks::next(const Deadline& deadline) {
    AnyEnded& any = require_result(any_);
    // A callback waits: the hooks may be this thread's to call, when it has returned.
    const bool looks_itself = ResultBase::is_in_hook();
    for (;;) {
        std::optional<std::size_t> at =
            any.next(looks_itself ? deadline.sooner(Deadline::after(std::chrono::milliseconds{5})) : deadline);
        if (!at && looks_itself) at = find_ready();
        if (at && !std::exchange(hooks_[*at].is_told, true)) return hooks_[*at].index;
        if (!at && deadline.passed()) return std::nullopt;
    }
}

MULTIPROCESSING_INLINE std::optional<std::size_t> EndHooks::find_ready() const {
    for (std::size_t i = 0; i < hooks_.size(); ++i) {
        if (!hooks_[i].is_told && hooks_[i].result->ready()) return i;
    }
    return std::nullopt;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
