#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file shareable_list.hpp  A list of numbers, texts and the like in memory with a name, in
/// Python's layout.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/shareable_list/list_bytes.hpp>
#include <multiprocessing/shareable_value.hpp>
#include <multiprocessing/shared_memory.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace multiprocessing::inline v1::shared_memory {

/// The options of a ShareableList: which memory it is in.
struct ShareableListOptions {
    std::string name = {}; ///< As that of SharedMemory.
};

/// A list of fixed length in a SharedMemory. A value is an integer of 64 bits, a floating-point
/// number, a `bool`, a text (UTF-8), bytes, or None (`nullptr`). Each value can be replaced, also
/// by one of another type. A text or bytes must fit into the room that was made for the first one
/// there: its bytes, rounded up to a multiple of 8, and at least one byte more.
///
/// A Python program uses the same list by its name. Copies refer to the same list; as an argument,
/// as a result or in a queue it crosses by its name. It has no lock: a process that reads a value
/// while another one replaces it gets a mixture of the two, or an error. A text or bytes that end
/// in a zero byte are refused, as Python's layout cannot tell them from shorter ones.
///
/// The memory may be another program's, so all of it is checked before it is used: memory that is
/// no list, or was overwritten, is a `std::runtime_error` that says what is wrong.
///
/// Python: `multiprocessing.shared_memory.ShareableList`, where the room of a text is counted in
/// characters, so that some texts are cut.
class ShareableList {
public:
    using multiprocessing_reference = void;
    using value_type = ShareableValue;
    class Iterator;

    /// Refers to no list, to be assigned to later: size 0.
    ShareableList() noexcept = default;

    /// Makes a list: `ShareableList sl{1, 2.5, "text", true, nullptr}`. Throws as SharedMemory
    /// does; `std::invalid_argument` for a text of 10 MB or more, or one that ends in a zero byte;
    /// `std::out_of_range` for an integer beyond signed 64 bits.
    ShareableList(std::initializer_list<ShareableValue> values)
        : ShareableList(ShareableListOptions{}, values) {}

    /// Makes a list of the values of a range: numbers, texts, variants of them.
    template <std::ranges::input_range Range>
        requires(Shareable<std::remove_cvref_t<std::ranges::range_reference_t<Range>>> &&
                 !std::same_as<std::remove_cvref_t<Range>, ShareableList>)
    explicit ShareableList(Range&& values)
        : ShareableList(ShareableListOptions{}, std::forward<Range>(values)) {}

    /// Finds the list of that name. Throws as SharedMemory does, and `std::runtime_error` if the
    /// memory holds something else.
    explicit ShareableList(const ShareableListOptions& options)
        : shm_({.name = options.name}), layout_(shm_.buf()) {}

    /// Makes a list of that name.
    ShareableList(const ShareableListOptions& options, std::initializer_list<ShareableValue> values)
        : ShareableList(options, std::vector<ShareableValue>(values)) {}
    template <std::ranges::input_range Range>
        requires Shareable<std::remove_cvref_t<std::ranges::range_reference_t<Range>>>
    ShareableList(const ShareableListOptions& options, Range&& values) {
        std::vector<ShareableValue> kept;
        if constexpr (std::ranges::sized_range<Range>) kept.reserve(std::ranges::size(values));
        for (auto&& value : values) kept.emplace_back(value);
        shm_ = SharedMemory(
            {.name = options.name, .create = true, .size = detail::ShareableLayout::bytes_for(kept)});
        layout_ = detail::ShareableLayout::create(shm_.buf(), kept);
    }

    /// Returns the number of values, which never changes.
    std::size_t size() const noexcept { return layout_.count(); }

    /// Returns value `i`; -1 is the last one. T is an integer type that can hold the value; a
    /// floating-point type; `bool`; `std::string`; `std::vector<std::byte>`; `std::nullptr_t`;
    /// `std::optional` of one of these; or ShareableValue, which holds any of them.
    ///
    /// Throws `std::out_of_range` if there is no value `i`, or the integer is too large for T;
    /// `std::invalid_argument` if the value is of another type (an integer is not read as floating
    /// point, nor the other way round). Python: `sl[i]`.
    template <class T>
    T get(std::ptrdiff_t i) const {
        return as<T>(value(i), i);
    }

    /// Replaces value `i`; -1 is the last one. Throws `std::out_of_range` if there is no value `i`,
    /// or for an integer beyond signed 64 bits; `std::invalid_argument` if a text or bytes do not
    /// fit, or end in a zero byte. The list is unchanged then. Python: `sl[i] = x`.
    template <class T>
        requires Shareable<std::remove_cvref_t<T>>
    void set(std::ptrdiff_t i, const T& x) const {
        const ShareableValue value(x);
        open().write(place_of(i), value);
    }

    /// Returns the index of the first value that equals `x`. Throws `std::invalid_argument` if
    /// there is none.
    std::size_t index(const ShareableValue& x) const;

    /// Returns the number of values that equal `x`.
    std::size_t count(const ShareableValue& x) const;

    /// Returns the formats of all values in the notation of Python's `struct`, without separators:
    /// `8sdqxxxxxx?x`.
    std::string format() const;
    /// Returns the format of value `i`.
    std::string format(std::ptrdiff_t i) const;

    /// Returns the memory, which closes and unlinks the list: `sl.shm().unlink()`.
    const SharedMemory& shm() const noexcept { return shm_; }

    Iterator begin() const;
    Iterator end() const;

    template <class Archive>
    void serialize(Archive& archive) {
        archive(shm_);
        if constexpr (Archive::is_loading::value)
            layout_ = shm_.size() == 0 ? detail::ShareableLayout() : detail::ShareableLayout(shm_.buf());
    }

private:
    std::string called() const;

    const detail::ShareableLayout& open() const;

    std::size_t place_of(std::ptrdiff_t i) const;

    ShareableValue value(std::ptrdiff_t i) const;

    template <class T>
    T as(ShareableValue value, std::ptrdiff_t i) const {
        if constexpr (std::same_as<T, ShareableValue> || std::same_as<T, ShareableValue::Variant>) {
            return value;
        } else if constexpr (requires { requires std::same_as<T, std::optional<typename T::value_type>>; }) {
            if (std::holds_alternative<std::nullptr_t>(value)) return std::nullopt;
            return as<typename T::value_type>(std::move(value), i);
        } else {
            constexpr bool integer = std::is_integral_v<T> && !std::same_as<T, bool> && !detail::is_letter<T>;
            using Stored = std::conditional_t<integer, std::int64_t,
                                              std::conditional_t<std::is_floating_point_v<T>, double, T>>;
            static_assert(
                integer || std::is_floating_point_v<T> || std::same_as<T, bool> ||
                    std::same_as<T, std::string> || std::same_as<T, std::vector<std::byte>> ||
                    std::is_null_pointer_v<T>,
                "get<T>: T is an integer type, floating point, bool, std::string, std::vector<std::byte>, "
                "std::nullptr_t, an optional of one of these, or ShareableValue");
            Stored* const stored = std::get_if<Stored>(&value);
            if (!stored) throw std::invalid_argument(wrong_type(value, i));
            if constexpr (integer) {
                if (!std::in_range<T>(*stored)) {
                    throw std::out_of_range("multiprocessing: value " + std::to_string(i) + " of " + called() +
                                            " is " + std::to_string(*stored) +
                                            ", beyond the integer type that it is wanted as");
                }
            }
            if constexpr (std::is_arithmetic_v<T>) {
                return static_cast<T>(*stored);
            } else {
                return std::move(*stored);
            }
        }
    }

    std::string wrong_type(const ShareableValue& value, std::ptrdiff_t i) const;

    SharedMemory shm_;
    detail::ShareableLayout layout_;
};

/// An iterator over the values of a list, which it does not keep. A value is read when it is
/// dereferenced.
class ShareableList::Iterator {
public:
    using iterator_concept = std::forward_iterator_tag;
    using iterator_category = std::input_iterator_tag;
    using value_type = ShareableValue;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = ShareableValue;

    Iterator() noexcept = default;

    ShareableValue operator*() const;
    Iterator& operator++() noexcept;
    Iterator operator++(int) noexcept;
    friend bool operator==(const Iterator&, const Iterator&) noexcept = default;

private:
    friend ShareableList;
    Iterator(const ShareableList* list, std::size_t place) noexcept : list_(list), place_(place) {}

    const ShareableList* list_ = nullptr;
    std::size_t place_ = 0;
};

static_assert(std::ranges::forward_range<ShareableList>);

} // namespace multiprocessing::inline v1::shared_memory

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::shared_memory {

MULTIPROCESSING_INLINE std::size_t ShareableList::index(const ShareableValue& x) const {
    for (std::size_t i = 0; i < size(); ++i) {
        if (open().read(i) == x) return i;
    }
    throw std::invalid_argument("multiprocessing: " + called() + " has no such value");
}

MULTIPROCESSING_INLINE std::size_t ShareableList::count(const ShareableValue& x) const {
    std::size_t equal = 0;
    for (std::size_t i = 0; i < size(); ++i) equal += open().read(i) == x;
    return equal;
}

MULTIPROCESSING_INLINE std::string ShareableList::format() const {
    std::string all;
    for (std::size_t i = 0; i < size(); ++i) all += open().format(i);
    return all;
}

MULTIPROCESSING_INLINE std::string ShareableList::format(std::ptrdiff_t i) const {
    return open().format(place_of(i));
}

MULTIPROCESSING_INLINE std::string ShareableList::called() const {
    return "the ShareableList in " + detail::platform::quoted_memory(shm_.name());
}

MULTIPROCESSING_INLINE const detail::ShareableLayout& ShareableList::open() const {
    if (!shm_.buf().empty() || shm_.size() == 0) return layout_;
    throw std::invalid_argument("multiprocessing: " + called() + " has been closed");
}

MULTIPROCESSING_INLINE std::size_t ShareableList::place_of(std::ptrdiff_t i) const {
    const auto count = static_cast<std::ptrdiff_t>(size());
    if (i >= -count && i < count) return static_cast<std::size_t>(i < 0 ? i + count : i);
    throw std::out_of_range("multiprocessing: " + called() + " has " + std::to_string(count) +
                            " values, and no " + std::to_string(i));
}

MULTIPROCESSING_INLINE ShareableValue ShareableList::value(std::ptrdiff_t i) const {
    return open().read(place_of(i));
}

MULTIPROCESSING_INLINE std::string ShareableList::wrong_type(const ShareableValue& value,
                                                             std::ptrdiff_t i) const {
    static constexpr const char* remedies[] = {"None: get<std::optional<T>> takes it for nullopt",
                                               "a truth value: get<bool>",
                                               "an integer: get<std::int64_t>",
                                               "a floating point number: get<double>",
                                               "a text: get<std::string>",
                                               "bytes: get<std::vector<std::byte>>"};
    return "multiprocessing: value " + std::to_string(i) + " of " + called() + " is " + remedies[value.index()];
}

MULTIPROCESSING_INLINE ShareableValue ShareableList::Iterator::operator*() const {
    return list_->open().read(place_);
}

MULTIPROCESSING_INLINE ShareableList::Iterator& ShareableList::Iterator::operator++() noexcept {
    ++place_;
    return *this;
}

MULTIPROCESSING_INLINE ShareableList::Iterator ShareableList::Iterator::operator++(int) noexcept {
    Iterator before = *this;
    ++place_;
    return before;
}

MULTIPROCESSING_INLINE ShareableList::Iterator ShareableList::begin() const { return {this, 0}; }

MULTIPROCESSING_INLINE ShareableList::Iterator ShareableList::end() const { return {this, size()}; }

} // namespace multiprocessing::inline v1::shared_memory

#endif // MULTIPROCESSING_BODIES
