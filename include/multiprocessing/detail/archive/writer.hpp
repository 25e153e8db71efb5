#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file writer.hpp  Where the bytes of a value go: small ones into a stage, big ones straight into
/// the message.

#include <multiprocessing/detail/archive/message_context.hpp>
#include <multiprocessing/detail/archive/nesting.hpp>
#include <multiprocessing/detail/archive/pointer_memo.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/type_name.hpp>
#include <multiprocessing/exceptions.hpp>

#include <algorithm> // for max, min
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// A message in the making. Of one thread, for one message.
///
/// Nothing is ever filled with zeros first. A message of up to `stage_size` bytes costs no
/// allocation if it is looked at by view().
class Writer {
public:
    explicit Writer(WriteContext* context = nullptr) noexcept : context_(context) {}
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    void bytes(const void* data, std::size_t size) {
        if (size > stage_size - staged_) return spill(data, size);
        std::memcpy(stage_ + staged_, data, size);
        staged_ += size;
    }

    /// Writes the bytes of a value without padding.
    template <class T>
    void raw(const T& value) {
        if (sizeof value > stage_size - staged_) return spill(&value, sizeof value);
        std::memcpy(stage_ + staged_, &value, sizeof value); // of a size that is known: one move
        staged_ += sizeof value;
    }

    /// Writes a number of elements: as one byte, or nine where it does not fit.
    void length(std::uint64_t count) {
        if (count < 0xff) return raw(static_cast<std::uint8_t>(count));
        raw(std::uint8_t{0xff});
        raw(count);
    }

    void text(std::string_view letters) {
        length(letters.size());
        if (!letters.empty()) bytes(letters.data(), letters.size());
    }

    /// Writes bytes whose number the reader knows beforehand. Many of them may go to where the
    /// context places them.
    void block(const void* data, std::size_t size) {
        if (size == 0) return; // `data` may be null
        if (size < bulk_threshold) return bytes(data, size);
        const std::uint64_t position =
            context_ ? context_->place({static_cast<const std::byte*>(data), size}) : WriteContext::keep_inline;
        raw(static_cast<std::uint8_t>(position != WriteContext::keep_inline));
        if (position != WriteContext::keep_inline) return raw(position);
        if (keeps_last_) {
            last_ = {static_cast<const std::byte*>(data), size};
        } else {
            spill(data, size);
        }
    }

    /// Announces that a container is written whose elements are one block, and nothing behind it: a
    /// large block is not copied then, but returned by last(), valid as long as the container.
    void keep_last_block() noexcept { keeps_last_ = true; }
    std::span<const std::byte> last() const noexcept { return last_; }

    /// Makes room at once for the bytes that the message will probably have, where growing would
    /// move them time and again. A guess: no more than 64 MiB are taken on its word.
    void expect(std::size_t size) {
        if (size > stage_size) message_.reserve((std::min)(size, std::size_t{64} << 20));
    }

    /// Returns how many bytes were written.
    std::size_t size() const noexcept { return message_.size() + staged_; }

    /// Returns all that was written; valid until more is.
    std::span<const std::byte> view() {
        if (message_.empty()) return {stage_, staged_};
        flush();
        return message_;
    }

    /// Returns all that was written, and ends this writer.
    std::vector<std::byte> release() {
        flush();
        return std::move(message_);
    }

    /// Returns what takes shared handles; null if nothing does.
    HandleSink* handle_sink() const { return context_ ? context_->handle_sink() : nullptr; }

    /// Returns the objects of the message that have several owners. Most messages have none.
    WrittenObjects& shared_objects() noexcept { return shared_; }

    /// Enters one level of nesting; throws SerializationError where there are too many.
    void enter() {
        if (depth_ == deepest_level) fail("it is nested deeper than 1000 levels");
        ++depth_;
    }
    void leave() noexcept { --depth_; }

    /// Names what is written, in the compiler's spelling, for texts of errors.
    void set_subject(std::string_view spelled) noexcept { spelled_ = spelled; }

    [[noreturn]] void fail(std::string_view reason) const {
        std::string text = "multiprocessing: cannot make bytes of a ";
        text += spelled_.empty() ? std::string("value") : readable(spelled_);
        text += ": ";
        text += reason;
        throw SerializationError(text);
    }

private:
    static constexpr std::size_t stage_size = 1024;

    void flush() {
        message_.insert(message_.end(), stage_, stage_ + staged_);
        staged_ = 0;
    }

    void spill(const void* data, std::size_t size) {
        if (size >= stage_size) {
            if (message_.capacity() - message_.size() < staged_ + size) {
                // Room for what will be in the stage at the end, too: else that would move all of
                // it once more.
                message_.reserve((std::max)(message_.size() + size + 2 * stage_size, 2 * message_.size()));
            }
            flush();
            const auto* begin = static_cast<const std::byte*>(data);
            message_.insert(message_.end(), begin, begin + size);
        } else {
            flush();
            bytes(data, size);
        }
    }

    WriteContext* context_;
    std::string_view spelled_;
    unsigned depth_ = 0;
    bool keeps_last_ = false;
    std::span<const std::byte> last_;
    std::size_t staged_ = 0;
    std::vector<std::byte> message_; // what was flushed from the stage
    WrittenObjects shared_;
    std::byte stage_[stage_size];
};

} // namespace multiprocessing::inline v1::detail
