#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file shared_vector.hpp  A vector whose elements are born in memory that processes share.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/shared_object/handle_base.hpp>
#include <multiprocessing/detail/shared_object/shared_object.hpp>
#include <multiprocessing/detail/sharedctypes/elements.hpp>
#include <multiprocessing/detail/space/process_tree.hpp>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <memory>
#include <new>
#include <ranges>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1 {

/// A std::vector in memory that processes share: its elements are not copied for a child, a task or
/// a map, nor are the changes that those make copied back. T is trivially copyable and holds no
/// pointers, or is a lock-free `std::atomic`.
///
/// A shared_vector belongs to the process that made it, and is move-only; copy() returns a
/// std::vector. As an argument of a child or task, or inside of one, it refers to the same memory
/// there, whatever its size. All processes that have it read and write elements in place, without a
/// lock, and may pass it on.
///
/// Only the owner changes the number of elements: elsewhere `push_back` and the like throw
/// `std::logic_error`. Elements that the owner appends within capacity() are visible to the others.
/// If it appends more, the elements move: processes that had the vector before keep the old memory
/// unchanged, and neither side sees the other's later changes. So call reserve() before passing it
/// on.
///
/// A task may return a shared_vector: the caller owns it then, and nothing is copied, unless other
/// processes have it as well. `pool.map(f, v)` reads the elements in place;
/// `pool.map_into(f, range, v)` has the results written in place. While other processes use it,
/// only one thread of the owner may use it if that thread changes the size.
///
/// An empty vector, and zeros, take no memory before they are used.
///
/// Python: `numpy.ndarray(shape, dtype, shm.buf)` over a SharedMemory, which cannot grow.
template <class T>
class shared_vector : public detail::HandleBase<shared_vector<T>, detail::VectorHead>,
                      public detail::Elements<shared_vector<T>, T> {
    static_assert(detail::require_sharing<T>());
    using Head = detail::VectorHead;
    using Base = detail::HandleBase<shared_vector<T>, Head>;
    using Element = detail::ElementOf<T>;

public:
    static constexpr char kind[] = "shared_vector";
    using multiprocessing_in_place = void;    // a map reads the elements where they are
    using multiprocessing_handed_over = void; // may be the result of a task

    shared_vector() = default;
    /// Makes `size` elements `T()`.
    explicit shared_vector(std::size_t size)
        : Base(
              [size](Head& head) {
                  head.capacity = size;
                  head.gap = gap_behind(head);
                  fill(detail::elements_behind<Head, T>(head), size);
                  head.size.store(size, std::memory_order_release);
              },
              detail::bytes_behind<Head, T>(size)) {}
    shared_vector(std::size_t size, Element value) { assign(size, value); }
    shared_vector(std::initializer_list<Element> elements)
        requires(!std::convertible_to<shared_vector, Element>)
    {
        append_range(elements);
    }
    /// Makes one of elements that a shared_vector converts to; `shared_vector b{std::move(a)}` is a
    /// move.
    template <std::same_as<Element> X>
        requires std::convertible_to<shared_vector, X>
    shared_vector(std::initializer_list<X> elements) {
        append_range(elements);
    }
    template <std::input_iterator Iterator>
    shared_vector(Iterator first, Iterator last) {
        append_range(std::ranges::subrange(first, last));
    }
    template <detail::RangeOf<T, shared_vector> Range>
    explicit shared_vector(Range&& range) {
        append_range(std::forward<Range>(range));
    }

    /// Leaves `other` empty. (noexcept: an allocation for an empty vector that fails ends the
    /// program.)
    shared_vector(shared_vector&& other) noexcept : shared_vector() { swap(other); }
    shared_vector& operator=(shared_vector&& other) noexcept {
        shared_vector taken(std::move(other));
        swap(taken);
        return *this;
    }
    shared_vector& operator=(std::initializer_list<Element> elements) {
        assign(elements);
        return *this;
    }
    ~shared_vector() = default;

    void swap(shared_vector& other) noexcept {
        std::swap(static_cast<Base&>(*this), static_cast<Base&>(other));
    }
    friend void swap(shared_vector& a, shared_vector& b) noexcept { a.swap(b); }

    std::size_t size() const {
        return static_cast<std::size_t>(this->body().size.load(std::memory_order_acquire));
    }
    std::size_t capacity() const { return static_cast<std::size_t>(this->body().capacity); }
    static constexpr std::size_t max_size() noexcept {
        return static_cast<std::size_t>((std::numeric_limits<std::ptrdiff_t>::max)()) / sizeof(T);
    }

    static shared_vector import_from(detail::HandleSource& source) {
        shared_vector vector = Base::import_from(source);
        if constexpr (alignof(T) > detail::block_alignment) vector.realign();
        return vector;
    }

    /// Returns the content at the moment. Python: `array.copy()`.
    auto copy() const { return this->content(); }

    // All that follows is the owner's, and throws `std::logic_error` in a process that it was given
    // to; besides `std::system_error` with the figures, and leaves everything as it was, where
    // there is no room.

    void reserve(std::size_t capacity) {
        if (capacity > own().capacity) move_to(capacity);
    }
    void shrink_to_fit() {
        if (own().capacity > size()) move_to(size());
    }
    void clear() { set_size(own(), 0); }
    /// Changes the number of elements; new elements are `T()`, or `value`. In any process it may be
    /// called with the present size, and does nothing then.
    void resize(std::size_t size) {
        const std::size_t before = this->size();
        if (size == before) return;
        if (size > before) fill(room_for(size - before) + before, size - before);
        set_size(own(), size);
    }
    void resize(std::size_t size, Element value) {
        const std::size_t before = this->size();
        if (size > before) return append(size - before, value);
        resize(size);
    }

    void push_back(Element value) { append(1, value); }
    template <class... Argument>
    T& emplace_back(Argument&&... argument) {
        push_back(Element(std::forward<Argument>(argument)...));
        return this->back();
    }
    void pop_back() { set_size(own(), size() - 1); }

    void assign(std::size_t size, Element value) {
        clear();
        append(size, value);
    }
    void assign(std::initializer_list<Element> elements) { assign_range(elements); }
    template <std::input_iterator Iterator>
    void assign(Iterator first, Iterator last) {
        assign_range(std::ranges::subrange(first, last));
    }
    /// Replaces all elements, as in C++23. `range` must not refer to elements of this vector.
    template <std::ranges::input_range Range>
    void assign_range(Range&& range) {
        clear();
        append_range(std::forward<Range>(range));
    }
    template <std::ranges::input_range Range>
    void append_range(Range&& range) {
        if constexpr (std::ranges::sized_range<Range>) {
            T* const end = room_for(static_cast<std::size_t>(std::ranges::size(range))) + size();
            T* at = end;
            for (auto&& element : range) new (at++) T(static_cast<Element>(element));
            set_size(own(), size() + static_cast<std::size_t>(at - end));
        } else {
            for (auto&& element : range) push_back(static_cast<Element>(element));
        }
    }

    T* insert(const T* before, Element value) { return insert(before, 1, value); }
    T* insert(const T* before, std::size_t count, Element value) {
        T* const gap = open_gap(before, count);
        for (T* at = gap; at != gap + count; ++at) new (at) T(value);
        set_size(own(), size() + count);
        return gap;
    }
    T* insert(const T* before, std::initializer_list<Element> elements) {
        return insert(before, elements.begin(), elements.end());
    }
    template <std::input_iterator Iterator>
    T* insert(const T* before, Iterator first, Iterator last) {
        const std::vector<Element> elements(first, last); // before anything moves: reading them may throw
        T* const gap = open_gap(before, elements.size());
        for (std::size_t i = 0; i < elements.size(); ++i) new (gap + i) T(elements[i]);
        set_size(own(), size() + elements.size());
        return gap;
    }
    T* erase(const T* at) { return erase(at, at + 1); }
    T* erase(const T* first, const T* last) {
        Head& head = own();
        T* const to = this->begin() + (first - this->begin());
        const auto count = static_cast<std::size_t>(last - first);
        move(to, last, static_cast<std::size_t>(this->end() - last));
        set_size(head, size() - count);
        return to;
    }

private:
    friend Base;
    friend detail::Elements<shared_vector, T>;
    explicit shared_vector(detail::Received received) : Base(std::move(received)) {}

    T* first() const { return detail::elements_behind<Head, T>(this->body()); }

    static std::uint64_t gap_behind(Head& head) noexcept {
        return static_cast<std::uint64_t>(reinterpret_cast<std::byte*>(detail::elements_behind<Head, T>(head)) -
                                          reinterpret_cast<std::byte*>(&head + 1));
    }
    /// Moves the elements to where they belong: in a vector that was returned as a copy of its
    /// block they may begin at another offset.
    void realign() {
        if (this->object()->is_given()) return;
        Head& head = this->body();
        const std::uint64_t gap = gap_behind(head);
        if (gap == head.gap) return;
        std::memmove(static_cast<void*>(first()), reinterpret_cast<std::byte*>(&head + 1) + head.gap,
                     size() * sizeof(T));
        head.gap = gap;
    }

    /// Throws unless this process made the vector.
    Head& own() const {
        Head& head = this->body();
        if (!this->object()->is_given()) return head;
        throw std::logic_error("multiprocessing: this shared_vector was given to this process, which may read "
                               "and write its elements; "
                               "only the process that made it changes how many there are");
    }

    static void set_size(Head& head, std::size_t size) noexcept {
        head.size.store(size, std::memory_order_release); // a reader that sees the size sees the elements
    }
    /// Makes T() at `count` fresh places.
    static void fill(T* at, std::size_t count) noexcept {
        if constexpr (std::is_trivially_default_constructible_v<T>) {
            std::memset(static_cast<void*>(at), 0, count * sizeof(T));
        } else {
            std::uninitialized_value_construct_n(at, count);
        }
    }
    static void move(T* to, const T* from, std::size_t count) noexcept {
        if (count) std::memmove(static_cast<void*>(to), static_cast<const void*>(from), count * sizeof(T));
    }

    /// Moves to a block of another capacity. Elements are plain, so that all changes of place are a
    /// memmove. (Not Boost's vector, whose growth would free the old block under processes that use
    /// it; here it is an object of its own, which its leases keep.)
    void move_to(std::size_t capacity) {
        const std::size_t size = this->size();
        detail::leases().collect(); // what others no longer need makes room
        detail::TreeMember& member = detail::tree();
        detail::Block block{member.heap.allocate(sizeof(Head) + detail::bytes_behind<Head, T>(capacity))};
        Head& head = *new (&member.space.template at<std::byte>(block.position())) Head{};
        head.capacity = capacity;
        head.gap = gap_behind(head);
        move(detail::elements_behind<Head, T>(head), first(), size);
        set_size(head, size);
        this->refer_to(detail::SharedObject::make_in_block(kind, std::move(block)));
    }

    /// Makes room for `count` more elements at the end; returns the first of these places.
    T* room_for(std::size_t count) {
        const Head& head = own();
        const std::size_t size = this->size();
        if (count > max_size() - size) {
            throw std::length_error("multiprocessing: " + std::to_string(count) +
                                    " more elements are more than a shared_vector can have");
        }
        if (size + count > head.capacity) move_to((std::max)(size + count, 2 * capacity()));
        return first();
    }
    T* open_gap(const T* before, std::size_t count) {
        const auto index = static_cast<std::size_t>(before - this->begin());
        T* const gap = room_for(count) + index;
        move(gap + count, gap, size() - index);
        return gap;
    }
    void append(std::size_t count, Element value) {
        T* const end = room_for(count) + size();
        for (T* at = end; at != end + count; ++at) new (at) T(value);
        set_size(own(), size() + count);
    }
};

template <class T>
shared_vector(std::initializer_list<T>) -> shared_vector<T>;
template <std::input_iterator Iterator>
shared_vector(Iterator, Iterator) -> shared_vector<std::iter_value_t<Iterator>>;
template <std::ranges::input_range Range>
shared_vector(Range&&) -> shared_vector<std::ranges::range_value_t<Range>>;

static_assert(!std::is_copy_constructible_v<shared_vector<int>> &&
              std::is_nothrow_move_constructible_v<shared_vector<int>>);
static_assert(std::ranges::contiguous_range<shared_vector<int>> &&
              std::ranges::contiguous_range<const shared_vector<int>>);

} // namespace multiprocessing::inline v1
