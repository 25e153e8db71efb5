#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file queue_body.hpp  A managed Queue or JoinableQueue, in the server.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/managers/bodies/signal_bodies.hpp>
#include <multiprocessing/detail/managers/bodies/waiters.hpp>
#include <multiprocessing/detail/managers/served_object.hpp>
#include <multiprocessing/detail/space/layout.hpp>
#include <multiprocessing/exceptions.hpp>

#include <cstddef>
#include <deque>
#include <optional>
#include <stdexcept>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// Calls that wait hold no thread. An item goes to the consumer that has waited longest and is
/// still there; only what a consumer has in hand when it dies is lost with it.
template <class T>
class QueueBody {
public:
    using multiprocessing_brief = void;

    /// 0: without bound.
    explicit QueueBody(std::size_t maxsize) : maxsize_(maxsize) {}

    LookAt put(Deferred<bool> later, T item, WaitSpan span) {
        if (is_shut_) throw ShutDown("multiprocessing: the queue was shut down");
        if (is_full()) {
            if (span.is_none()) {
                later.answer(false);
                return {};
            }
            return putting_.add(std::move(later), span.end(), std::move(item));
        }
        accept(std::move(item));
        later.answer(true);
        return {};
    }
    LookAt get(Deferred<std::optional<T>> later, WaitSpan span) {
        if (items_.empty()) {
            if (is_shut_) throw ShutDown("multiprocessing: the queue was shut down, and is empty");
            if (span.is_none()) {
                later.answer(std::nullopt);
                return {};
            }
            return getting_.add(std::move(later), span.end(), {});
        }
        std::optional<T> item(std::move(items_.front()));
        items_.pop_front();
        later.answer(item);
        while (!putting_.empty() && !is_full()) {
            auto one = putting_.take_first();
            // Of a producer that died meanwhile it counts as not put.
            if (one.later.answer(true)) accept(std::move(one.want));
        }
        return {};
    }
    std::size_t qsize() const { return items_.size(); }
    const std::deque<T>& items() const { return items_; }
    bool full() const { return is_full(); }
    void shutdown() {
        is_shut_ = true;
        const ShutDown error("multiprocessing: the queue was shut down");
        putting_.take_all([&](auto one) { one.later.fail(error); });
        getting_.take_all([&](auto one) { one.later.fail(error); });
    }

    void task_done() {
        if (unfinished_ == 0)
            throw std::invalid_argument(
                "multiprocessing: task_done() was called more often than there were items");
        if (--unfinished_ == 0) joining_.take_all([](auto one) { one.later.answer(true); });
    }
    LookAt join(Deferred<bool> later, WaitSpan span) {
        if (unfinished_ == 0 || span.is_none()) {
            later.answer(unfinished_ == 0);
            return {};
        }
        return joining_.add(std::move(later), span.end(), {});
    }

    LookAt tick(WaitClock::time_point now) {
        LookAt next;
        putting_.take_late(now, next, [](auto one) { one.later.answer(false); });
        getting_.take_late(now, next, [](auto one) { one.later.answer(std::nullopt); });
        joining_.take_late(now, next, [](auto one) { one.later.answer(false); });
        return next;
    }
    void client_gone(Incarnation process) {
        putting_.forget(process);
        getting_.forget(process);
        joining_.forget(process);
    }

private:
    bool is_full() const { return maxsize_ != 0 && items_.size() >= maxsize_; }
    void accept(T item) {
        ++unfinished_;
        if (!getting_.empty()) {
            std::optional<T> given(std::move(item));
            while (!getting_.empty()) {
                if (getting_.take_first().later.answer(given)) return;
            }
            item = std::move(*given);
        }
        items_.push_back(std::move(item));
    }

    const std::size_t maxsize_;
    bool is_shut_ = false;
    std::size_t unfinished_ = 0; // put, and not reported by task_done()
    std::deque<T> items_;
    Waiters<bool, T> putting_;
    Waiters<std::optional<T>, Nothing> getting_;
    Waiters<bool, Nothing> joining_;
};

} // namespace multiprocessing::inline v1::detail
