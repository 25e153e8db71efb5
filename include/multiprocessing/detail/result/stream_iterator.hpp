#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file stream_iterator.hpp  The iterator of a range that is walked once and waits for its
/// elements.

#include <multiprocessing/detail/config.hpp>

#include <cstddef>
#include <iterator>

namespace multiprocessing::inline v1::detail {

/// An input iterator over an Owner that has, for it alone, `current()`, which waits for the element
/// and returns it or throws its error; `skip()`, which goes on behind it; and `has_next()`.
template <class Owner, class Value, class Reference>
class StreamIterator {
public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Value;
    using difference_type = std::ptrdiff_t;

    explicit StreamIterator(Owner& owner) noexcept : owner_(&owner) {}

    /// Waits for the element and returns it; throws its error, each time.
    Reference operator*() const { return static_cast<Reference>(owner_->current()); }
    /// Goes on behind the element, also behind one that is an error.
    StreamIterator& operator++() {
        owner_->skip();
        return *this;
    }
    void operator++(int) { ++*this; }
    /// Asks whether an element is left, which may not be there yet.
    friend bool operator==(const StreamIterator& iterator, std::default_sentinel_t) {
        return iterator.is_at_end();
    }

private:
    bool is_at_end() const { return !owner_->has_next(); }

    Owner* owner_;
};

} // namespace multiprocessing::inline v1::detail
