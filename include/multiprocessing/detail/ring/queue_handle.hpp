#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file queue_handle.hpp  What the handles of all queues have: a ring, and whether this process
/// has closed it.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/ring/item.hpp>
#include <multiprocessing/detail/ring/ring.hpp>
#include <multiprocessing/detail/shared_object/handle_base.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/reduction.hpp>
#include <multiprocessing/timeout.hpp>

#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace multiprocessing::inline v1::detail {

/// The base of the handles of all queues of T.
template <class Derived, class T>
class QueueHandle : public HandleBase<Derived, Ring> {
    using Base = HandleBase<Derived, Ring>;

public:
    using value_type = T;

    /// Returns whether the queue has no item at the moment. Throws `std::system_error` (EBADF)
    /// after close(), if this process has used the queue before. Python: `empty()`.
    bool empty() const {
        if (is_closed() && (was_used() || Derived::always_closes)) throw_closed();
        return this->body().size() == 0;
    }

    /// Returns `<multiprocessing.queues.Queue object at 0x7f1798d59610>`, the same text for all
    /// handles of a queue in this process. Python: `repr(queue)`.
    std::string repr() const {
        return std::string("<multiprocessing.queues.") + Derived::kind + " object at " + this->identity() + ">";
    }

    /// Ends the use of the queue by this process: this handle and its copies here throw from now
    /// on. Other processes go on. Python: `close()`.
    void close() const noexcept {
        if (here_) here_->fetch_or(closed_bit, std::memory_order_relaxed);
    }

protected:
    explicit QueueHandle(Count maxsize) : Base(Opening{maxsize.value()}) {}
    explicit QueueHandle(Received received) : Base(std::move(received)) {}

    bool is_closed() const noexcept { return (state() & closed_bit) != 0; }
    /// Throws unless this process may put items or take them.
    bool begin_use() const noexcept {
        const unsigned now = state();
        if (now == 0 && here_) here_->fetch_or(used_bit, std::memory_order_relaxed);
        return (now & closed_bit) == 0;
    }
    [[noreturn]] static void throw_closed() {
        throw std::system_error(std::make_error_code(std::errc::bad_file_descriptor),
                                std::string("multiprocessing: this ") + Derived::kind +
                                    " was closed in this process");
    }
    static constexpr bool always_closes = false; ///< Also if nothing was put or taken before.

    RingResult put_before(const T& item, const Deadline& deadline) const {
        if constexpr (!Serializable<T>) {
            std::terminate(); // see the constructors
        } else {
            Ring& ring = this->body();
            return put_item(ring, this->member().space, item, deadline);
        }
    }
    /// Takes an item into `place`, a T or a `std::optional<T>`.
    template <class Place>
    RingResult pop_before(Place& place, const Deadline& deadline) const {
        if constexpr (!Serializable<T>) {
            std::terminate();
        } else {
            Ring& ring = this->body();
            return pop_item<T>(ring, this->member().space, place, deadline);
        }
    }

    [[noreturn]] static void throw_full(std::size_t maxsize) {
        if (maxsize == 0) {
            throw Full(std::string("multiprocessing: nothing was put into the ") + Derived::kind +
                       " in time: another process is putting an item, and does not come to an end");
        }
        throw Full(std::string("multiprocessing: the ") + Derived::kind + " holds its " +
                   std::to_string(maxsize) + " items");
    }
    [[noreturn]] static void throw_empty() {
        throw Empty(std::string("multiprocessing: the ") + Derived::kind + " is empty");
    }
    [[noreturn]] static void throw_shut_down() {
        throw ShutDown(std::string("multiprocessing: the ") + Derived::kind + " was shut down");
    }

private:
    struct Opening {
        std::size_t limit;
        void operator()(Ring& ring) const { ring.open(tree().self, limit, tree().spare_names.pop()); }
        void end(Ring& ring, TreeMember& member) const { member.spare_names.put(ring.end(member.space)); }
    };

    static constexpr unsigned used_bit = 1;
    static constexpr unsigned closed_bit = 2;

    unsigned state() const noexcept { return here_ ? here_->load(std::memory_order_relaxed) : 0; }
    bool was_used() const noexcept { return (state() & used_bit) != 0; }

    // What this process has done with it; null after a move. Relaxed: it orders nothing else.
    std::shared_ptr<std::atomic<unsigned>> here_ = std::make_shared<std::atomic<unsigned>>(0U);
};

} // namespace multiprocessing::inline v1::detail
