#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file ring_item.hpp  A value as a record of a ring, by as few copies as its type allows.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/ring.hpp>
#include <multiprocessing/reduction.hpp>

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <type_traits>

namespace multiprocessing::inline v1::detail {

/// Bytes of the heap that are not filled with zeros first.
class ByteBuffer {
public:
    void assign(std::span<const std::byte> bytes) {
        bytes_ = std::make_unique_for_overwrite<std::byte[]>(bytes.size());
        size_ = bytes.size();
        if (size_) std::memcpy(bytes_.get(), bytes.data(), size_);
    }
    std::span<const std::byte> view() const noexcept { return {bytes_.get(), size_}; }

private:
    std::unique_ptr<std::byte[]> bytes_;
    std::size_t size_ = 0;
};

/// Its bytes are the T, and there can be one to copy them over.
template <class T>
inline constexpr bool is_copied_whole = is_bitwise<T> && std::is_default_constructible_v<T>;

/// Puts the value. Where one memcpy carries it, that goes straight into the ring; else it is made bytes of first, as code of
/// the user's may not run under the lock.
template <class T>
RingResult put_item(Ring& ring, Space& space, const T& value, const Deadline& deadline) {
    const auto put = [&](const void* data, std::size_t size) {
        return ring.put(
            space, size,
            [&](std::byte* to) {
                if (size) std::memcpy(to, data, size);
            },
            deadline);
    };
    if constexpr (is_copied_whole<T>) {
        return put(&value, sizeof value);
    } else if constexpr (BulkContainer<T>) {
        return put(value.data(), value.size() * sizeof(typename T::value_type));
    } else {
        Writer writer;
        writer.set_subject(spelled_name<T>());
        detail::encode(writer, value);
        const std::span<const std::byte> bytes = writer.view();
        return put(bytes.data(), bytes.size());
    }
}

/// Takes one into `place`, a T that is written over or an empty optional, which is set if the result is `done`. What the bytes
/// become is made without the lock, unless that is one memcpy.
template <class T, class Place>
RingResult take_item(Ring& ring, Space& space, Place& place, const Deadline& deadline) {
    constexpr bool fresh = !std::is_same_v<Place, T>;
    const auto value = [&]() -> T& {
        if constexpr (fresh) {
            return place.emplace();
        } else {
            return place;
        }
    };
    if constexpr (is_copied_whole<T>) {
        return ring.take(
            space, [&](std::span<const std::byte> bytes) { std::memcpy(&value(), bytes.data(), sizeof(T)); },
            deadline);
    } else if constexpr (BulkContainer<T>) {
        return ring.take(
            space,
            [&](std::span<const std::byte> bytes) {
                T& container = value();
                container.clear();
                detail::append_block(container, bytes);
            },
            deadline);
    } else {
        ByteBuffer copy;
        const RingResult result = ring.take(
            space, [&](std::span<const std::byte> bytes) { copy.assign(bytes); }, deadline);
        if (result != RingResult::done) return result;
        Reader reader{copy.view()};
        reader.set_subject(spelled_name<T>());
        if constexpr (fresh) {
            place.emplace(detail::decode<T>(reader));
        } else {
            detail::decode_into(reader, place);
        }
        reader.finish();
        return result;
    }
}

} // namespace multiprocessing::inline v1::detail
