#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file inputs.hpp  Inputs of maps that say how far they were read, and functions for their items.

#include <support/processes.hpp>

#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/synchronize.hpp>

#include <cstddef>
#include <iterator>
#include <limits>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>

namespace process {

inline int identity(int x) { return x; }

/// Ends this process at once, without a word, as a crash would.
inline void vanish(int code) { mp::detail::platform::exit_now(code); }

/// What an input is to throw, and where.
struct ThrowsAt {
    int value = -1; ///< None.
    bool in_increment = false;
};

/// Yields 0, 1, 2 and so on, and counts what was read: an increment reads, as that of a stream does. Walked once.
class Numbers {
public:
    class Iterator {
    public:
        using iterator_concept = std::input_iterator_tag;
        using value_type = int;
        using difference_type = std::ptrdiff_t;

        explicit Iterator(Numbers& owner) : owner_(&owner) {}
        int operator*() const {
            owner_->throw_at(owner_->current_, false);
            return owner_->current_;
        }
        Iterator& operator++() {
            ++owner_->current_;
            owner_->read();
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator& iterator, std::default_sentinel_t) {
            return iterator.is_at_end();
        }

    private:
        bool is_at_end() const { return owner_->current_ == owner_->end_; }
        Numbers* owner_;
    };

    /// `count` is where it counts.
    explicit Numbers(int& count, int end = (std::numeric_limits<int>::max)(), ThrowsAt throws = {})
        : count_(&count), end_(end), throws_(throws) {}

    Iterator begin() {
        read();
        return Iterator{*this};
    }
    static std::default_sentinel_t end() { return {}; }

private:
    void read() {
        throw_at(current_, true);
        if (current_ != end_) ++*count_;
    }
    void throw_at(int value, bool in_increment) const {
        if (value == throws_.value && in_increment == throws_.in_increment)
            throw std::range_error("the input ends at " + std::to_string(value));
    }

    int* count_;
    int end_;
    ThrowsAt throws_;
    int current_ = 0;
};
static_assert(std::ranges::input_range<Numbers>);

/// Item 0 waits for an event; all items count in a tally: [0] those that have begun, [1] those that have ended.
struct FirstWaits {
    mp::Event go;
    Tally tally;
    int operator()(int x) const {
        tally.add(0, 1);
        if (x == 0) go.wait();
        tally.add(1, 1);
        return x;
    }
};

/// Calls `act()`, and `look(error)` with the E that it throws; throws if it throws none.
template <class E, class Act, class Look>
void look_at(Act act, Look look) {
    try {
        act();
    } catch (const E& error) { return look(error); }
    throw std::runtime_error("the expected exception was not thrown");
}
/// The same, and returns a copy.
template <class E, class Act>
E thrown_by(Act act) {
    std::optional<E> thrown;
    look_at<E>(act, [&](const E& error) { thrown = error; });
    return *thrown;
}

} // namespace process
