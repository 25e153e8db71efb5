#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file elements.hpp  One or many T behind the head of a shared object: what may lie there, where,
/// and how it is used.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/shared_object/text_form.hpp>
#include <multiprocessing/detail/synchronize/lock_body.hpp>
#include <multiprocessing/detail/types/plain.hpp>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Memory is mapped at the beginning of a page in every process: what is aligned within pages is so
/// everywhere.
inline constexpr std::size_t most_shared_alignment = 4096;

template <class T>
concept SharedObjectType = std::is_object_v<T> && std::is_trivially_copyable_v<T> && !shows_address<T>();

template <class T>
inline constexpr bool is_shared_atomic = false;
template <class T>
inline constexpr bool is_shared_atomic<std::atomic<T>> =
    SharedObjectType<T> && std::atomic<T>::is_always_lock_free;

/// What may lie in shared memory as it is.
template <class T>
inline constexpr bool can_be_shared =
    (SharedObjectType<T> || is_shared_atomic<T>)&&alignof(T) <= most_shared_alignment;

template <class T>
constexpr bool require_sharing() {
    if constexpr (!SharedObjectType<T> && !is_shared_atomic<T>) {
        static_assert(
            can_be_shared<T>,
            "only a trivially copyable type without pointers, references or views, or a lock-free "
            "std::atomic of one, can lie in shared memory: an address means nothing in another process");
    } else {
        static_assert(can_be_shared<T>, "a type in shared memory is aligned to at most 4096 bytes, a page");
    }
    return true;
}

/// How many bytes lie at most between a head and the T behind it. Behind a head, as behind any
/// block, T up to 64 are aligned by a constant distance; others wherever the head lies.
template <class Head, class T>
inline constexpr std::size_t most_gap_behind =
    alignof(T) <= block_alignment ? (sizeof(Head) + alignof(T) - 1) / alignof(T) * alignof(T) - sizeof(Head)
                                  : alignof(T) - 1;

struct ValueHead {
    LockBody lock; // first: an RLock may refer to it
};
struct ArrayHead {
    LockBody lock; // first, as above
    std::uint64_t size;
};
struct RawValueHead {};
struct RawArrayHead {
    std::uint64_t size;
};
struct alignas(64) VectorHead {
    /// Written by the owner alone, after the elements: a process that sees it sees them.
    std::atomic<std::uint64_t> size;
    std::uint64_t capacity;
    std::uint64_t gap; ///< Between this and the elements, where that depends on where this lies.
};

/// What an element is made from and copied to: of an atomic, what it holds.
template <class T>
struct PlainOf {
    using Type = T;
};
template <class T>
struct PlainOf<std::atomic<T>> {
    using Type = T;
};
template <class T>
using ElementOf = typename PlainOf<T>::Type;

template <class Head, class T>
T* elements_behind(Head& head) noexcept {
    std::byte* const end = reinterpret_cast<std::byte*>(&head) + sizeof(Head);
    if constexpr (alignof(T) <= block_alignment) {
        return std::launder(reinterpret_cast<T*>(end + most_gap_behind<Head, T>));
    } else {
        const auto past = static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(end) % alignof(T));
        return std::launder(reinterpret_cast<T*>(end + (past ? alignof(T) - past : 0)));
    }
}

/// The bytes beside the head that one T needs.
template <class Head, class T>
inline constexpr std::uint64_t room_behind = most_gap_behind<Head, T> + sizeof(T);

/// Returns what is done to the zeroed memory of a value.
template <class Head, class T, class... Argument>
auto value_of(Argument... argument) {
    return [... argument = std::move(argument)](Head& head) {
        new (elements_behind<Head, T>(head)) T(argument...);
    };
}
template <class T>
ElementOf<T> content_of(const T& value) {
    return value;
}

/// Returns the bytes of `count` elements. Throws std::length_error if nothing could hold them.
template <class Head, class T>
std::uint64_t bytes_behind(std::size_t count) {
    if (count > (std::numeric_limits<std::uint32_t>::max)() * std::uint64_t{4096} / sizeof(T)) {
        throw std::length_error("multiprocessing: " + std::to_string(count) + " elements of " +
                                std::to_string(sizeof(T)) + " bytes are more than any shared memory holds");
    }
    return most_gap_behind<Head, T> + count * sizeof(T);
}

/// The interface of a contiguous range, for a Derived that has `T* first() const` and `size()`.
template <class Derived, class T>
class Elements {
public:
    using value_type = T;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using reference = T&;
    using const_reference = const T&;
    using iterator = T*;
    using const_iterator = const T*;

    bool empty() const { return count() == 0; }

    T* data() { return first(); }
    const T* data() const { return first(); }
    T* begin() { return first(); }
    const T* begin() const { return first(); }
    T* end() { return first() + count(); }
    const T* end() const { return first() + count(); }
    std::span<T> span() { return {first(), count()}; }
    std::span<const T> span() const { return {first(), count()}; }
    /// Returns all elements, without a lock. Python: `get_obj()`.
    std::span<T> get_obj() { return span(); }

    T& operator[](std::size_t index) { return first()[index]; }
    const T& operator[](std::size_t index) const { return first()[index]; }
    /// Throws std::out_of_range.
    T& at(std::size_t index) { return first()[checked(index)]; }
    const T& at(std::size_t index) const { return first()[checked(index)]; }
    T& front() { return *first(); }
    const T& front() const { return *first(); }
    T& back() { return *(end() - 1); }
    const T& back() const { return *(end() - 1); }

protected:
    /// Returns what ctypes shows of an array.
    std::string shown_elements() const {
        return "<multiprocessing.sharedctypes." + ctype_name<ElementOf<T>>() + "_Array_" +
               std::to_string(count()) + " object at " + shown_address(first()) + ">";
    }

    auto content() const {
        if constexpr (is_shared_atomic<T>) {
            return std::vector<typename T::value_type>(begin(), end());
        } else {
            return std::vector<T>(begin(), end());
        }
    }

private:
    T* first() const { return static_cast<const Derived&>(*this).first(); }
    std::size_t count() const { return static_cast<const Derived&>(*this).size(); }
    std::size_t checked(std::size_t index) const {
        if (index < count()) return index;
        throw std::out_of_range("multiprocessing: index " + std::to_string(index) + " of an " + Derived::kind +
                                " of " + std::to_string(count()));
    }
};

/// Returns the elements of a range, to be copied into an object when that is made.
template <class T, class Range>
std::vector<ElementOf<T>> collected(Range&& range) {
    std::vector<ElementOf<T>> elements;
    for (auto&& element : range) elements.push_back(static_cast<ElementOf<T>>(element));
    return elements;
}

/// Returns what is done to the zeroed memory of an array.
template <class Head, class T>
auto array_of_zeros(std::size_t size) {
    return [size](Head& head) { head.size = size; };
}
template <class Head, class T>
auto array_of(std::vector<ElementOf<T>> elements) {
    return [elements = std::move(elements)](Head& head) {
        head.size = elements.size();
        std::copy(elements.begin(), elements.end(), elements_behind<Head, T>(head));
    };
}

template <class Range, class T, class Derived>
concept RangeOf = std::ranges::input_range<Range> && !std::same_as<std::remove_cvref_t<Range>, Derived> &&
                  std::convertible_to<std::ranges::range_reference_t<Range>, ElementOf<T>>;

} // namespace multiprocessing::inline v1::detail
