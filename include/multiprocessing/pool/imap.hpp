#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file imap.hpp  IMapIterator: the results of a map, one by one.

#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking/parking.hpp>
#include <multiprocessing/detail/progress/stream_progress.hpp>
#include <multiprocessing/detail/result/moved_from.hpp>
#include <multiprocessing/detail/result/result_stream.hpp>
#include <multiprocessing/detail/result/stream_iterator.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/progress.hpp>
#include <multiprocessing/timeout.hpp>

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1 {

namespace pool {

template <class Kind>
class BasicPool;

/// The results of `Pool::imap` and `Pool::imap_unordered`: an input range that is walked once, by
/// one thread at a time. It may be moved. Its destructor takes back what has not begun, and does
/// not wait.
///
/// The results of a function that returns nothing are `std::monostate`.
///
/// Python: `multiprocessing.pool.IMapIterator`.
template <class R>
class IMapIterator {
    using State = detail::ResultStream<R>;

public:
    using value_type = typename State::Value;
    /// To be moved from, where it cannot be copied.
    using reference = std::conditional_t<std::is_copy_constructible_v<value_type>, value_type&, value_type&&>;

    using Iterator = detail::StreamIterator<IMapIterator, value_type, reference>;

    IMapIterator(IMapIterator&&) noexcept = default;
    IMapIterator& operator=(IMapIterator&&) noexcept = default;

    Iterator begin() { return Iterator{*this}; }
    static std::default_sentinel_t end() noexcept { return {}; }

    /// Waits for the next result and returns it; nullopt at the end. Throws the error of its task;
    /// the call after that goes on behind it. Throws `TimeoutError` after the timeout, and loses
    /// nothing. Python: `next(iterator)`, `iterator.next(timeout)`.
    std::optional<value_type> next(Timeout timeout = no_timeout) {
        if (seen_) skip(); // by an iterator that has not gone on
        if (!has_next()) return std::nullopt;
        if (!wait(detail::Deadline::after(timeout)))
            throw TimeoutError("multiprocessing: the next result is not there in time: it is not lost, so ask "
                               "again");
        progress_.note(live().is_failure());
        const detail::ScopeExit popped{[this] { live().pop(); }};
        return std::move(live().value());
    }

private:
    friend Iterator;
    template <class Kind>
    friend class BasicPool;

    IMapIterator(std::unique_ptr<State> state, Progress progress, std::size_t total)
        : state_(std::move(state)), progress_(std::move(progress), total) {}

    bool has_next() {
        if (live().has_next()) return true;
        progress_.end();
        return false;
    }
    bool wait(const detail::Deadline& deadline) {
        return progress_.wait(
            deadline, [this](const detail::Deadline& until) { return live().wait(until); },
            [this] { return live().under_way(); });
    }
    value_type& current() {
        if (!live().is_at_hand()) await();
        seen_ = true;
        return live().value();
    }
    void skip() {
        seen_ = false;
        if (!live().is_at_hand()) await();
        progress_.note(live().is_failure());
        live().pop();
    }
    void await() {
        if (!has_next()) throw std::logic_error("multiprocessing: a result beyond the last one was asked for");
        wait(detail::Deadline{});
    }

    State& live() const { return detail::require_result(state_); }

    std::unique_ptr<State> state_;
    detail::StreamProgress progress_;
    bool seen_ = false; // the current result was looked at
};

} // namespace pool

} // namespace multiprocessing::inline v1
