#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file reader.hpp  Where the bytes of a value come from: never past the end, whatever they claim.

#include <multiprocessing/detail/archive/message_context.hpp>
#include <multiprocessing/detail/archive/nesting.hpp>
#include <multiprocessing/detail/archive/pointer_memo.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/type_name.hpp>
#include <multiprocessing/exceptions.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace multiprocessing::inline v1::detail {

/// A message that is being read. Of one thread; the bytes must outlive it.
///
/// They may be anything: truncated, forged, of another type. All functions throw SerializationError
/// then, before memory is taken for what is not there.
class Reader {
public:
    explicit Reader(std::span<const std::byte> bytes, ReadContext* context = nullptr) noexcept
        : at_(bytes.data()), left_(bytes.size()), context_(context) {}
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    std::size_t left() const noexcept { return left_; }

    std::span<const std::byte> bytes(std::uint64_t size) {
        if (size > left_) fail("the bytes end too early");
        const std::span<const std::byte> result{at_, static_cast<std::size_t>(size)};
        at_ += result.size();
        left_ -= result.size();
        return result;
    }

    template <class T>
    T raw() {
        T value;
        std::memcpy(&value, bytes(sizeof value).data(), sizeof value);
        return value;
    }

    /// Returns a number that says nothing yet about what is there.
    std::uint64_t unchecked_length() {
        const auto first = raw<std::uint8_t>();
        if (first != 0xff) return first;
        const auto count = raw<std::uint64_t>();
        if (count < 0xff) fail("a length is not written as short as it can be");
        return count;
    }

    /// Returns a number of elements that take at least `smallest` bytes each; there are enough
    /// bytes for them.
    std::size_t length(std::size_t smallest) {
        const std::uint64_t count = unchecked_length();
        if (count > left_ / smallest) fail("more elements are claimed than there are bytes for");
        return static_cast<std::size_t>(count);
    }

    std::string text() {
        const auto letters = bytes(length(1));
        return {reinterpret_cast<const char*>(letters.data()), letters.size()};
    }

    /// Returns what Writer::block() wrote: in the message, or where the context placed it.
    std::span<const std::byte> block(std::uint64_t size) {
        if (size < bulk_threshold) return bytes(size);
        if (!flag()) return bytes(size);
        const auto position = raw<std::uint64_t>();
        if (!context_) fail("they refer to shared memory, which only a process of the same tree can read");
        const auto found = context_->bytes_at(position, size);
        if (found.size() != size) fail("they refer to shared memory where something else is");
        return found;
    }

    bool flag() {
        const auto value = raw<std::uint8_t>();
        if (value > 1) fail("a bool is neither 0 nor 1");
        return value == 1;
    }

    /// Throws SerializationError if bytes are left over.
    void finish() {
        if (left_ != 0) fail(std::to_string(left_) + " bytes are left over");
    }

    /// Returns what yields shared handles; null if nothing does.
    HandleSource* handle_source() const { return context_ ? context_->handle_source() : nullptr; }

    bool may_hold_code() const { return !context_ || context_->may_hold_code(); }

    ReadObjects& shared_objects() noexcept { return shared_; }

    void enter() {
        if (depth_ == deepest_level) fail("they are nested deeper than 1000 levels");
        ++depth_;
    }
    void leave() noexcept { --depth_; }

    /// Names what is read, in the compiler's spelling, for texts of errors.
    void set_subject(std::string_view spelled) noexcept { spelled_ = spelled; }

    [[noreturn]] void fail(std::string_view reason) const {
        std::string text = "multiprocessing: cannot make a ";
        text += spelled_.empty() ? std::string("value") : readable(spelled_);
        text += " of these bytes: ";
        text += reason;
        throw SerializationError(text);
    }

private:
    const std::byte* at_;
    std::size_t left_;
    ReadContext* context_;
    std::string_view spelled_;
    unsigned depth_ = 0;
    ReadObjects shared_;
};

} // namespace multiprocessing::inline v1::detail
