#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file queues.hpp  Queue, JoinableQueue and SimpleQueue: items from process to process, in order.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/call/refused.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/ring/queue_handle.hpp>
#include <multiprocessing/detail/ring/ring.hpp>
#include <multiprocessing/detail/shared_object/handle_base.hpp>
#include <multiprocessing/exceptions.hpp> // for Empty, Full, ShutDown
#include <multiprocessing/reduction.hpp>
#include <multiprocessing/timeout.hpp>

#include <chrono>
#include <cstddef>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace multiprocessing::inline v1 {

namespace detail {

/// The base of Queue and JoinableQueue.
template <class Derived, class T>
class BoundedQueueHandle : public QueueHandle<Derived, T> {
    using Base = QueueHandle<Derived, T>;

public:
    /// Appends `item`. Waits for room if the queue has a maxsize, until the timeout. When put()
    /// returns, the item is in the queue, whatever happens to this process: no thread sends it
    /// later, so `item` may be changed, and a child that has put items may be joined before they
    /// are read.
    ///
    /// Throws SerializationError if `item` cannot be serialized, Full after the timeout (see
    /// Queue), ShutDown if the queue was shut down, `std::invalid_argument` after close(), and
    /// `std::system_error` with the figures if there is no memory. The item is not in the queue
    /// then.
    ///
    /// Python: `put(obj, timeout=timeout)`, where a feeder thread serializes the item later, and
    /// prints its errors.
    void put(const T& item, Timeout timeout = no_timeout) const {
        if (!put_until(item, Deadline::after(timeout))) Base::throw_full(maxsize());
    }
    /// Appends `item` without waiting; throws Full if there is no room. Python: `put_nowait(obj)`.
    void put_nowait(const T& item) const { put(item, std::chrono::seconds{0}); }
    /// Appends `item` without waiting; returns false if there is no room.
    bool try_put(const T& item) const { return put_until(item, Deadline::after(std::chrono::seconds{0})); }

    /// Removes the oldest item and returns it. Waits for an item until the timeout. Throws Empty
    /// after the timeout; ShutDown if the queue was shut down and is empty; `std::invalid_argument`
    /// after close(); SerializationError if the item cannot be read as a T: the item is lost then.
    /// Python: `get(timeout=timeout)`.
    T get(Timeout timeout = no_timeout) const {
        std::optional<T> item = get_until(Deadline::after(timeout));
        if (!item) Base::throw_empty();
        return std::move(*item);
    }
    /// Removes the oldest item and assigns it to `item`, whose memory is used again: for large
    /// items in a loop, as fresh memory costs many times what the copy does. Throws as get() does;
    /// `item` may have any value then.
    void get_into(T& item, Timeout timeout = no_timeout) const {
        require_open();
        const RingResult result = this->pop_before(item, Deadline::after(timeout));
        if (result == RingResult::shut_down) Base::throw_shut_down();
        if (result == RingResult::timed_out) Base::throw_empty();
    }
    /// Removes the oldest item and returns it, without waiting; throws Empty if there is none.
    /// Python: `get_nowait()`.
    T get_nowait() const { return get(std::chrono::seconds{0}); }
    /// Removes the oldest item and returns it, without waiting; returns nullopt if there is none.
    std::optional<T> try_get() const { return get_until(Deadline::after(std::chrono::seconds{0})); }

    /// Returns the number of items at the moment. Python: `qsize()`.
    std::size_t qsize() const { return static_cast<std::size_t>(this->body().size()); }
    /// Returns whether a put() would wait at the moment. Python: `full()`.
    bool full() const { return this->body().full(); }
    /// Returns the largest number of items; 0 if there is no limit.
    std::size_t maxsize() const { return static_cast<std::size_t>(this->body().limit()); }

    /// Ends the queue for all processes. Every put(), also one that waits, throws ShutDown from now
    /// on. Items that are in the queue can still be taken; when it is empty, get() throws ShutDown
    /// and iteration ends. Python: `queue.Queue.shutdown()`, since 3.13.
    void shutdown() const {
        Ring& ring = this->body();
        ring.shut_down(this->parking());
    }

    /// Does nothing, as put() has done all. Throws `std::logic_error` before close(). Python:
    /// `join_thread()`, which waits until the feeder thread has sent all items.
    void join_thread() const {
        if (this->is_closed()) return;
        throw std::logic_error(std::string("multiprocessing: join_thread() of a ") + Derived::kind +
                               " that is in use: close() it first");
    }
    /// Does nothing: an item is in the queue when its put() returns, and stays there. Python:
    /// `cancel_join_thread()`.
    void cancel_join_thread() const noexcept {}

    /// An iterator that takes items, for `for (T item : queue)`.
    class Iterator {
    public:
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;

        explicit Iterator(const BoundedQueueHandle& queue) : queue_(&queue) { ++*this; }
        /// Returns the item, which may be moved from.
        T&& operator*() const noexcept { return std::move(*item_); }
        Iterator& operator++() {
            item_.reset();
            if (queue_->pop_or_end(item_)) return *this;
            queue_ = nullptr;
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator& iterator, std::default_sentinel_t) noexcept {
            return !iterator.queue_;
        }

    private:
        const BoundedQueueHandle* queue_;
        mutable std::optional<T> item_;
    };

    /// `for (T item : queue)` takes items until the queue was shut down and is empty. The loop does
    /// not end if no process shuts the queue down, and a process that is killed does not. Where
    /// that may happen, call get() with a timeout and look at the sentinels of the producers.
    /// Python: `iter(queue.get, None)`, where each producer puts a None at its end.
    Iterator begin() const { return Iterator(*this); }
    std::default_sentinel_t end() const noexcept { return {}; }

protected:
    using Base::Base;

private:
    void require_open() const {
        if (this->begin_use()) return;
        throw std::invalid_argument(std::string("multiprocessing: this ") + Derived::kind +
                                    " was closed in this process");
    }

    bool put_until(const T& item, const Deadline& deadline) const {
        require_open();
        const RingResult result = this->put_before(item, deadline);
        if (result == RingResult::shut_down) Base::throw_shut_down();
        return result != RingResult::timed_out;
    }

    std::optional<T> get_until(const Deadline& deadline) const {
        require_open();
        std::optional<T> item;
        if (this->pop_before(item, deadline) == RingResult::shut_down) Base::throw_shut_down();
        return item;
    }

    bool pop_or_end(std::optional<T>& item) const {
        require_open();
        return this->pop_before(item, Deadline{}) == RingResult::done;
    }
};

} // namespace detail

/// A first-in first-out queue of T. Any number of processes put items and take them. A Queue is a
/// cheap handle: copies refer to the same queue, and it reaches other processes as an argument. T
/// is Serializable, and may be move-only.
///
/// Each item is taken once. The items of one process come in the order in which it put them.
/// Without a maxsize put() never waits, and items occupy shared memory until they are taken.
///
/// A process that is killed in put() or get(), at any instant, costs at most the item that it was
/// about to put or take. Other processes do not notice, and the items that it had put before stay.
///
/// A process that is *stopped* in put() or get() (SIGSTOP, a debugger, the freezer of a control
/// group) is alive and keeps its end of the queue. A call without a timeout waits until that
/// process goes on. A call with a timeout, and try_put(), put_nowait(), try_get() and get_nowait(),
/// wait at most 0.1 s longer than their timeout; then the queue counts as full, also without a
/// maxsize, or as empty. The same holds while a process copies a very large item. qsize(), empty(),
/// full(), close(), shutdown() and task_done() never wait.
///
/// Python: `multiprocessing.Queue(maxsize)`.
template <class T>
class Queue : public detail::BoundedQueueHandle<Queue<T>, T> {
    using Base = detail::BoundedQueueHandle<Queue<T>, T>;

public:
    static constexpr char kind[] = "Queue";

    /// Makes a queue without a limit.
    Queue() : Base(Count{}) {
        if constexpr (!Serializable<T>) detail::refuse<detail::why_not<T, detail::Crossing::anywhere>>();
    }
    /// Makes a queue of at most `maxsize` items; 0 is no limit.
    explicit Queue(Count maxsize) : Base(maxsize) {
        if constexpr (!Serializable<T>) detail::refuse<detail::why_not<T, detail::Crossing::anywhere>>();
    }

private:
    friend detail::HandleBase<Queue, detail::Ring>;
    explicit Queue(detail::Received received) : Base(std::move(received)) {}
};

/// A Queue without an item type is an error that asks for one.
Queue(Count = {}) -> Queue<detail::Refused>;

/// A Queue that counts unfinished items. A consumer calls task_done() for each item when it has
/// processed it; join() waits until that was done for all items.
///
/// A consumer that is killed between get() and task_done() never calls it: use join() with a
/// timeout where that may happen.
///
/// Python: `multiprocessing.JoinableQueue(maxsize)`.
template <class T>
class JoinableQueue : public detail::BoundedQueueHandle<JoinableQueue<T>, T> {
    using Base = detail::BoundedQueueHandle<JoinableQueue<T>, T>;

public:
    static constexpr char kind[] = "JoinableQueue";

    /// Makes a queue without a limit.
    JoinableQueue() : Base(Count{}) {
        if constexpr (!Serializable<T>) detail::refuse<detail::why_not<T, detail::Crossing::anywhere>>();
    }
    /// Makes a queue of at most `maxsize` items; 0 is no limit.
    explicit JoinableQueue(Count maxsize) : Base(maxsize) {
        if constexpr (!Serializable<T>) detail::refuse<detail::why_not<T, detail::Crossing::anywhere>>();
    }

    /// Counts one item as processed. Throws `std::invalid_argument` if more calls than items were
    /// counted. Python: `task_done()`.
    void task_done() const {
        detail::Ring& ring = this->body();
        if (ring.task_done(this->parking())) return;
        throw std::invalid_argument("multiprocessing: task_done() of a JoinableQueue was called more often "
                                    "than items were put");
    }

    /// Waits until all items are processed. Returns false after the timeout. Python: `join()`,
    /// which has no timeout.
    bool join(Timeout timeout = no_timeout) const {
        detail::Ring& ring = this->body();
        return ring.join(this->parking(), detail::Deadline::after(timeout));
    }

private:
    friend detail::HandleBase<JoinableQueue, detail::Ring>;
    explicit JoinableQueue(detail::Received received) : Base(std::move(received)) {}
};

JoinableQueue(Count = {}) -> JoinableQueue<detail::Refused>;

/// A Queue with the smallest interface: put, get, empty, close. It has no timeouts: a process that
/// is stopped in put() or get() delays the others. Python: `multiprocessing.SimpleQueue()`, whose
/// put() waits while its pipe is full; this one never waits.
template <class T>
class SimpleQueue : public detail::QueueHandle<SimpleQueue<T>, T> {
    using Base = detail::QueueHandle<SimpleQueue<T>, T>;

public:
    static constexpr char kind[] = "SimpleQueue";

    SimpleQueue() : Base(Count{}) {
        if constexpr (!Serializable<T>) detail::refuse<detail::why_not<T, detail::Crossing::anywhere>>();
    }

    /// Appends `item`, as Queue::put() does. Throws `std::system_error` (EBADF) after close().
    void put(const T& item) const {
        require_open();
        this->put_before(item, detail::Deadline{});
    }

    /// Removes the oldest item and returns it, as Queue::get() does.
    T get() const {
        require_open();
        std::optional<T> item;
        this->pop_before(item, detail::Deadline{});
        return std::move(*item);
    }

private:
    static constexpr bool always_closes = true;

    void require_open() const {
        if (!this->begin_use()) Base::throw_closed();
    }

    friend Base;
    friend detail::HandleBase<SimpleQueue, detail::Ring>;
    explicit SimpleQueue(detail::Received received) : Base(std::move(received)) {}
};

SimpleQueue() -> SimpleQueue<detail::Refused>;

} // namespace multiprocessing::inline v1
