#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file list_bytes.hpp  The bytes of a ShareableList, as CPython lays them out; read with
/// suspicion.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/shareable_value.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Where the parts of a list of N values lie, all numbers in the machine's own order:
///
///     0               N, 8 bytes
///     8               N + 1 offsets of 8 bytes, the first 0; value i lies between offset i and
///                     i + 1 of the data
///     8(N+2)          the data, as many bytes as the last offset says
///     8(N+2) + data   N formats of 8 bytes: what Python's `struct` calls the value's type
///     ... + 8N        N codes of 1 byte: what becomes of what `struct` reads
///
/// Every process that has the memory can write anything there at any time. So the number of values
/// and the size of the data are kept here once they were checked, and everything else is checked
/// each time that it is read.
class ShareableLayout {
public:
    using Value = shared_memory::ShareableValue;

    ShareableLayout() noexcept = default;

    /// Reads a list that is there. Throws `std::runtime_error` if it is none.
    explicit ShareableLayout(std::span<std::byte> memory);

    /// Returns how many bytes a list of these values takes. Throws `std::invalid_argument` if a
    /// text or bytes are too large, or end in a zero byte.
    static std::size_t bytes_for(const std::vector<Value>& values);

    /// Writes a new list to `memory`, which is all zero and has its size or more.
    static ShareableLayout create(std::span<std::byte> memory, const std::vector<Value>& values);

    std::size_t count() const noexcept { return count_; }

    /// Returns the format of value `i`, which exists, as it stands there.
    std::string format(std::size_t i) const;

    /// Returns value `i`, which exists. Throws `std::runtime_error` if no list has what is there.
    Value read(std::size_t i) const;

    /// Replaces value `i`, which exists. Throws `std::invalid_argument` if it has more bytes than
    /// there are for it, or ends in a zero byte.
    void write(std::size_t i, const Value& value) const;

private:
    static constexpr std::size_t word = 8;
    static constexpr std::size_t most_in_format = 9'999'999; // and an s: 8 letters

    static constexpr std::string_view format_integer = "q";
    static constexpr std::string_view format_real = "d";
    static constexpr std::string_view format_truth = "xxxxxxx?";
    static constexpr std::string_view format_none = "xxxxxx?x";

    static constexpr int code_plain = 0;
    static constexpr int code_text = 1;
    static constexpr int code_bytes = 2;
    static constexpr int code_none = 3;

    [[noreturn]] static void damaged(const std::string& why);

    /// Returns the size of a text or of bytes that come back as they are: the layout knows no
    /// length, and all zeros at the end are taken for what fills the slot up.
    static std::size_t checked(std::span<const std::byte> bytes);

    /// Returns at least one byte more than is needed, as CPython has it; but for text CPython
    /// counts characters, and cuts it where they have several bytes.
    static std::size_t slot_bytes_for(const Value& value);

    std::size_t format_at(std::size_t i) const noexcept { return word * (2 + count_ + i) + data_bytes_; }
    std::size_t code_at(std::size_t i) const noexcept { return format_at(count_) + i; }

    std::int64_t number_at(std::size_t place) const noexcept;
    void set_number_at(std::size_t place, std::int64_t number) const noexcept;

    std::span<std::byte> slot(std::size_t i) const;

    /// Returns the number in "24s".
    static std::optional<std::size_t> length_in(std::string_view format) noexcept;

    void set_type(std::size_t i, std::string_view format, int code) const noexcept;

    template <class T>
    static T value_in(std::span<const std::byte> slot) noexcept {
        T value;
        std::memcpy(&value, slot.data(), sizeof value);
        return value;
    }

    template <class T>
    void write_word(std::size_t i, std::span<std::byte> slot, std::string_view format, int code,
                    const T& value) const {
        static_assert(sizeof value == word);
        if (slot.size() < word) no_room(i, word, slot.size());
        set_type(i, format, code);
        std::memcpy(slot.data(), &value, word);
    }

    void write_bytes(std::size_t i, std::span<std::byte> slot, int code,
                     std::span<const std::byte> bytes) const;

    [[noreturn]] static void no_room(std::size_t i, std::size_t wanted, std::size_t room);

    std::span<std::byte> memory_;
    std::size_t count_ = 0;
    std::size_t data_bytes_ = 0;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>
#include <variant>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE ShareableLayout::ShareableLayout(std::span<std::byte> memory) : memory_(memory) {
    if (memory.size() < 2 * word) damaged("it is too short, " + std::to_string(memory.size()) + " bytes");
    const std::int64_t count = number_at(0);
    const std::size_t most = (memory.size() - 2 * word) / (2 * word + 1);
    if (count < 0 || std::cmp_greater(count, most)) {
        damaged("it has " + std::to_string(memory.size()) + " bytes, too few for the " + std::to_string(count) +
                " values that it begins with");
    }
    count_ = static_cast<std::size_t>(count);
    const std::size_t room = memory.size() - 2 * word - count_ * (2 * word + 1);
    std::int64_t before = 0;
    for (std::size_t i = 0; i <= count_; ++i) {
        const std::int64_t offset = number_at(word * (1 + i));
        if (offset < before || std::cmp_greater(offset, room) || (i == 0 && offset != 0))
            damaged("offset " + std::to_string(i) + " is " + std::to_string(offset));
        before = offset;
    }
    data_bytes_ = static_cast<std::size_t>(before);
}

MULTIPROCESSING_INLINE std::size_t ShareableLayout::bytes_for(const std::vector<Value>& values) {
    std::size_t bytes = 2 * word;
    for (const Value& value : values) bytes += slot_bytes_for(value) + 2 * word + 1;
    return bytes;
}

MULTIPROCESSING_INLINE ShareableLayout ShareableLayout::create(std::span<std::byte> memory,
                                                               const std::vector<Value>& values) {
    ShareableLayout layout;
    layout.memory_ = memory;
    layout.count_ = values.size();
    layout.set_number_at(0, static_cast<std::int64_t>(values.size()));
    for (std::size_t i = 0; i < values.size(); ++i) {
        layout.data_bytes_ += slot_bytes_for(values[i]);
        layout.set_number_at(word * (2 + i), static_cast<std::int64_t>(layout.data_bytes_));
    }
    for (std::size_t i = 0; i < values.size(); ++i) layout.write(i, values[i]);
    return layout;
}

MULTIPROCESSING_INLINE std::string ShareableLayout::format(std::size_t i) const {
    char text[word];
    std::memcpy(text, memory_.data() + format_at(i), word);
    std::size_t size = word;
    while (size > 0 && text[size - 1] == '\0') --size;
    return {text, size};
}

MULTIPROCESSING_INLINE ShareableLayout::Value ShareableLayout::read(std::size_t i) const {
    const std::span<std::byte> slot = this->slot(i);
    const std::string format = this->format(i);
    const auto code = static_cast<int>(memory_[code_at(i)]);
    if (const auto length = length_in(format); length && (code == code_text || code == code_bytes)) {
        if (*length > slot.size()) {
            damaged("value " + std::to_string(i) + " is of format " + format + ", but has " +
                    std::to_string(slot.size()) + " bytes");
        }
        // Into our own memory before it is looked at.
        std::vector<std::byte> bytes(slot.begin(), slot.begin() + static_cast<std::ptrdiff_t>(*length));
        while (!bytes.empty() && bytes.back() == std::byte{0}) bytes.pop_back();
        if (code == code_bytes) return bytes;
        return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    if (slot.size() >= word) {
        if (format == format_none && code == code_none) return nullptr;
        if (format == format_integer && code == code_plain) return value_in<std::int64_t>(slot);
        if (format == format_real && code == code_plain) return value_in<double>(slot);
        if (format == format_truth && code == code_plain) return slot[word - 1] != std::byte{0};
    }
    damaged("value " + std::to_string(i) + " of " + std::to_string(slot.size()) + " bytes is of format '" +
            format + "' and code " + std::to_string(code));
}

MULTIPROCESSING_INLINE void ShareableLayout::write(std::size_t i, const Value& value) const {
    const std::span<std::byte> slot = this->slot(i);
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
        write_word(i, slot, format_integer, code_plain, *integer);
    } else if (const auto* real = std::get_if<double>(&value)) {
        write_word(i, slot, format_real, code_plain, *real);
    } else if (const auto* truth = std::get_if<bool>(&value)) {
        std::array<bool, word> bytes{};
        bytes.back() = *truth;
        write_word(i, slot, format_truth, code_plain, bytes);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
        write_bytes(i, slot, code_text, std::as_bytes(std::span(*text)));
    } else if (const auto* bytes = std::get_if<std::vector<std::byte>>(&value)) {
        write_bytes(i, slot, code_bytes, *bytes);
    } else {
        write_word(i, slot, format_none, code_none, std::int64_t{0});
    }
}

MULTIPROCESSING_INLINE void ShareableLayout::damaged(const std::string& why) {
    throw std::runtime_error("multiprocessing: this shared memory holds no ShareableList, or a damaged one: " +
                             why);
}

MULTIPROCESSING_INLINE std::size_t ShareableLayout::checked(std::span<const std::byte> bytes) {
    if (bytes.empty() || bytes.back() != std::byte{0}) return bytes.size();
    throw std::invalid_argument(
        "multiprocessing: a text or bytes of " + std::to_string(bytes.size()) +
        " bytes that end in a zero byte would come back shorter from a ShareableList, as "
        "CPython fills its values up with zeros: append another byte, or use a SharedMemory");
}

MULTIPROCESSING_INLINE std::size_t ShareableLayout::slot_bytes_for(const Value& value) {
    std::size_t size = 0;
    if (const auto* text = std::get_if<std::string>(&value)) size = checked(std::as_bytes(std::span(*text)));
    if (const auto* bytes = std::get_if<std::vector<std::byte>>(&value)) size = checked(*bytes);
    const std::size_t slot = word * (size / word + 1);
    if (slot > most_in_format) {
        throw std::invalid_argument("multiprocessing: a text or bytes of " + std::to_string(size) +
                                    " bytes are too large for a ShareableList, which takes less than 10 MB: "
                                    "use a SharedMemory");
    }
    return slot;
}

MULTIPROCESSING_INLINE std::int64_t ShareableLayout::number_at(std::size_t place) const noexcept {
    std::int64_t number;
    std::memcpy(&number, memory_.data() + place, word);
    return number;
}

MULTIPROCESSING_INLINE void ShareableLayout::set_number_at(std::size_t place,
                                                           std::int64_t number) const noexcept {
    std::memcpy(memory_.data() + place, &number, word);
}

MULTIPROCESSING_INLINE std::span<std::byte> ShareableLayout::slot(std::size_t i) const {
    const std::int64_t begin = number_at(word * (1 + i));
    const std::int64_t end = number_at(word * (2 + i));
    if (begin < 0 || end < begin || std::cmp_greater(end, data_bytes_)) {
        damaged("value " + std::to_string(i) + " lies from " + std::to_string(begin) + " to " +
                std::to_string(end) + " of " + std::to_string(data_bytes_) + " bytes");
    }
    return memory_.subspan(word * (2 + count_) + static_cast<std::size_t>(begin),
                           static_cast<std::size_t>(end - begin));
}

MULTIPROCESSING_INLINE std::optional<std::size_t> ShareableLayout::length_in(std::string_view format) noexcept {
    if (format.size() < 2 || format.back() != 's') return std::nullopt;
    std::size_t length = 0;
    for (const char digit : format.substr(0, format.size() - 1)) {
        if (digit < '0' || digit > '9') return std::nullopt;
        length = length * 10 + static_cast<std::size_t>(digit - '0');
    }
    return length;
}

MULTIPROCESSING_INLINE void ShareableLayout::set_type(std::size_t i, std::string_view format,
                                                      int code) const noexcept {
    std::array<char, word> text{};
    std::copy(format.begin(), format.end(), text.begin());
    std::memcpy(memory_.data() + format_at(i), text.data(), word);
    memory_[code_at(i)] = static_cast<std::byte>(code);
}

MULTIPROCESSING_INLINE void ShareableLayout::write_bytes(std::size_t i, std::span<std::byte> slot, int code,
                                                         std::span<const std::byte> bytes) const {
    const std::size_t most = (std::min)(slot.size(), most_in_format);
    if (checked(bytes) > most) no_room(i, bytes.size(), most);
    // What takes a text already keeps its format, as CPython has it, if the new one fits that.
    std::string format = this->format(i);
    const auto length = length_in(format);
    if (!length || *length < bytes.size() || *length > most) format = std::to_string(most) + "s";
    set_type(i, format, code);
    const auto rest = std::copy(bytes.begin(), bytes.end(), slot.begin());
    std::fill(rest, slot.end(), std::byte{0});
}

MULTIPROCESSING_INLINE void ShareableLayout::no_room(std::size_t i, std::size_t wanted, std::size_t room) {
    throw std::invalid_argument("multiprocessing: value " + std::to_string(i) + " of this ShareableList has " +
                                std::to_string(room) + " bytes, and " + std::to_string(wanted) +
                                " are wanted: make the list with as long a text there");
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
