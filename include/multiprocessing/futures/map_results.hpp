#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file map_results.hpp  MapResults: what an executor's map() returns.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/progress/stream_progress.hpp>
#include <multiprocessing/detail/result/moved_from.hpp>
#include <multiprocessing/detail/result/result_stream.hpp>
#include <multiprocessing/detail/result/stream_iterator.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/timeout.hpp>

#include <iterator>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace multiprocessing::inline v1::futures {

template <class Kind>
class BasicExecutor;

/// The results of `map()`, in the order of the input: an input range that is walked once, by one
/// thread. Its destructor takes back the calls that have not begun, and does not wait; before the
/// first result was looked at it leaves all of them running, as in Python.
template <class R>
class MapResults {
    using State = detail::ResultStream<R>;

public:
    using value_type = typename State::Value;
    /// To be moved from, where it cannot be copied.
    using reference = std::conditional_t<std::is_copy_constructible_v<value_type>, value_type&, value_type&&>;

    using Iterator = detail::StreamIterator<MapResults, value_type, reference>;

    MapResults(MapResults&&) noexcept = default;
    MapResults& operator=(MapResults&& other) noexcept {
        if (this != &other) {
            drop();
            state_ = std::move(other.state_);
            deadline_ = other.deadline_;
            progress_ = std::move(other.progress_);
            is_begun_ = other.is_begun_;
        }
        return *this;
    }
    ~MapResults() { drop(); }

    Iterator begin() { return Iterator{*this}; }
    static std::default_sentinel_t end() noexcept { return {}; }

private:
    friend Iterator;
    template <class Kind>
    friend class BasicExecutor;
    MapResults(std::unique_ptr<State> state, detail::Deadline deadline, detail::StreamProgress progress)
        : state_(std::move(state)), deadline_(deadline), progress_(std::move(progress)) {}

    bool has_next() {
        if (live().has_next()) return true;
        progress_.end();
        return false;
    }
    void await() {
        is_begun_ = true;
        if (progress_.wait(
                deadline_, [this](const detail::Deadline& until) { return live().wait(until); },
                [this] { return live().under_way(); }))
            return;
        live().abandon();
        throw TimeoutError(
            "multiprocessing: the results of a map are not there in time; the calls that had not "
            "begun were taken back");
    }
    value_type& current() {
        if (!live().has_next())
            throw std::logic_error("multiprocessing: a result beyond the last one was asked for");
        await();
        return live().value();
    }
    void skip() {
        await();
        progress_.note(live().is_failure());
        live().pop();
    }
    void drop() noexcept {
        if (state_ && !is_begun_) state_->leave_running();
    }

    State& live() const { return detail::require_result(state_); }

    std::unique_ptr<State> state_;
    detail::Deadline deadline_;
    detail::StreamProgress progress_;
    bool is_begun_ = false;
};

} // namespace multiprocessing::inline v1::futures
