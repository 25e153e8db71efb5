#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file shareable_list.hpp  A list of numbers, texts and the like in memory with a name, the same
/// as Python's.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/shareable_list/list_bytes.hpp>
#include <multiprocessing/shareable_value.hpp>
#include <multiprocessing/shared_memory.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace multiprocessing::inline v1::shared_memory {

/// Which memory a ShareableList is in.
struct ShareableListOptions {
    std::string name = {}; ///< As that of SharedMemory.
};

/// A list of fixed length in a SharedMemory: integers of 64 bits, floating point, `bool`, text
/// (UTF-8), bytes, None (`nullptr`). Every value can be replaced, by one of another type too; a
/// text or bytes by one that fits into what the first one there was given: its bytes, rounded up to
/// a multiple of 8, always at least one more.
///
/// A Python program uses the same list by its name. Copies refer to the same list; as an argument,
/// a result or in a queue it crosses by name. There is no lock in it: who reads a value that
/// another process is replacing gets any mixture of the two, or an error. A text or bytes that end
/// in a zero byte are refused: Python's layout cannot tell them from shorter ones.
///
/// Its memory may be a stranger's, so everything in it is checked before it is used: what is no
/// list, or has been overwritten, is a `std::runtime_error` that says what is wrong.
///
/// Python: `multiprocessing.shared_memory.ShareableList`; but text is given room by its bytes and
/// not by its characters, so it is never cut.
class ShareableList {
public:
    using multiprocessing_reference = void;
    using value_type = ShareableValue;
    class Iterator;

    /// Refers to none, as a member that is to be assigned: size 0.
    ShareableList() noexcept = default;

    /// Makes one: `ShareableList sl{1, 2.5, "text", true, nullptr}`. Throws as SharedMemory does,
    /// `std::invalid_argument` for a text of 10 MB or more or one that ends in a zero byte,
    /// `std::out_of_range` for an integer beyond 64 bits and a sign.
    ShareableList(std::initializer_list<ShareableValue> values)
        : ShareableList(ShareableListOptions{}, values) {}

    /// Makes one of what is in a range: numbers, texts, variants of them.
    template <std::ranges::input_range Range>
        requires(Shareable<std::remove_cvref_t<std::ranges::range_reference_t<Range>>> &&
                 !std::same_as<std::remove_cvref_t<Range>, ShareableList>)
    explicit ShareableList(Range&& values)
        : ShareableList(ShareableListOptions{}, std::forward<Range>(values)) {}

    /// Finds the one of that name. Throws as SharedMemory does, and `std::runtime_error` if it
    /// holds something else.
    explicit ShareableList(const ShareableListOptions& options)
        : shm_({.name = options.name}), layout_(shm_.buf()) {}

    /// Makes one of that name.
    ShareableList(const ShareableListOptions& options, std::initializer_list<ShareableValue> values)
        : ShareableList(options, std::vector<ShareableValue>(values)) {}
    template <std::ranges::input_range Range>
        requires Shareable<std::remove_cvref_t<std::ranges::range_reference_t<Range>>>
    ShareableList(const ShareableListOptions& options, Range&& values) {
        std::vector<ShareableValue> kept;
        for (auto&& value : values) kept.emplace_back(value);
        shm_ = SharedMemory(
            {.name = options.name, .create = true, .size = detail::ShareableLayout::bytes_for(kept)});
        layout_ = detail::ShareableLayout::create(shm_.buf(), kept);
    }

    /// How many values there are; never changes.
    std::size_t size() const noexcept { return layout_.count(); }

    /// Value `i`; -1 is the last one. T is an integer type, which must be able to hold it; floating
    /// point; `bool`; `std::string`; `std::vector<std::byte>`; `std::nullptr_t`; `std::optional` of
    /// one of these; or ShareableValue, which can be any.
    ///
    /// Throws `std::out_of_range` if there is no value `i`, or the integer is beyond T;
    /// `std::invalid_argument` if the value is of another type (an integer is not read as floating
    /// point, nor the other way round). Python: `sl[i]`.
    template <class T>
    T get(std::ptrdiff_t i) const {
        return as<T>(value(i), i);
    }

    /// Replaces value `i`; -1 is the last one. Throws `std::out_of_range` if there is none, or for
    /// an integer beyond 64 bits and a sign; `std::invalid_argument` if a text or bytes do not fit,
    /// or end in a zero byte: then nothing changes. Python: `sl[i] = x`.
    template <class T>
        requires Shareable<std::remove_cvref_t<T>>
    void set(std::ptrdiff_t i, const T& x) const {
        const ShareableValue value(x);
        open().write(place_of(i), value);
    }

    /// The first place of a value that equals `x`. Throws `std::invalid_argument` if there is none.
    std::size_t index(const ShareableValue& x) const {
        for (std::size_t i = 0; i < size(); ++i) {
            if (open().read(i) == x) return i;
        }
        throw std::invalid_argument("multiprocessing: " + called() + " has no such value");
    }

    /// How many values equal `x`.
    std::size_t count(const ShareableValue& x) const {
        std::size_t equal = 0;
        for (std::size_t i = 0; i < size(); ++i) equal += open().read(i) == x;
        return equal;
    }

    /// What Python's `struct` calls the types of all values, one behind the other: `8sdqxxxxxx?x`.
    std::string format() const {
        std::string all;
        for (std::size_t i = 0; i < size(); ++i) all += open().format(i);
        return all;
    }
    /// That of value `i`.
    std::string format(std::ptrdiff_t i) const { return open().format(place_of(i)); }

    /// The memory, by which it is closed and unlinked: `sl.shm().unlink()`.
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
    std::string called() const {
        return "the ShareableList in " + detail::platform::quoted_memory(shm_.name());
    }

    const detail::ShareableLayout& open() const {
        if (!shm_.buf().empty() || shm_.size() == 0) return layout_;
        throw std::invalid_argument("multiprocessing: " + called() + " has been closed");
    }

    std::size_t place_of(std::ptrdiff_t i) const {
        const auto count = static_cast<std::ptrdiff_t>(size());
        if (i >= -count && i < count) return static_cast<std::size_t>(i < 0 ? i + count : i);
        throw std::out_of_range("multiprocessing: " + called() + " has " + std::to_string(count) +
                                " values, and no " + std::to_string(i));
    }

    ShareableValue value(std::ptrdiff_t i) const { return open().read(place_of(i)); }

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

    std::string wrong_type(const ShareableValue& value, std::ptrdiff_t i) const {
        static constexpr const char* remedies[] = {"None: get<std::optional<T>> takes it for nullopt",
                                                   "a truth value: get<bool>",
                                                   "an integer: get<std::int64_t>",
                                                   "a floating point number: get<double>",
                                                   "a text: get<std::string>",
                                                   "bytes: get<std::vector<std::byte>>"};
        return "multiprocessing: value " + std::to_string(i) + " of " + called() + " is " +
               remedies[value.index()];
    }

    SharedMemory shm_;
    detail::ShareableLayout layout_;
};

/// Goes through the values of a list, which it does not keep. A value is read when it is asked for.
class ShareableList::Iterator {
public:
    using iterator_concept = std::forward_iterator_tag;
    using iterator_category = std::input_iterator_tag;
    using value_type = ShareableValue;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = ShareableValue;

    Iterator() noexcept = default;

    ShareableValue operator*() const { return list_->open().read(place_); }
    Iterator& operator++() noexcept {
        ++place_;
        return *this;
    }
    Iterator operator++(int) noexcept {
        Iterator before = *this;
        ++place_;
        return before;
    }
    friend bool operator==(const Iterator&, const Iterator&) noexcept = default;

private:
    friend ShareableList;
    Iterator(const ShareableList* list, std::size_t place) noexcept : list_(list), place_(place) {}

    const ShareableList* list_ = nullptr;
    std::size_t place_ = 0;
};

inline ShareableList::Iterator ShareableList::begin() const { return {this, 0}; }
inline ShareableList::Iterator ShareableList::end() const { return {this, size()}; }

static_assert(std::ranges::forward_range<ShareableList>);

} // namespace multiprocessing::inline v1::shared_memory
