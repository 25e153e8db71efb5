#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file item.hpp  A value as a record of a ring, by as few copies as its type allows.

#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/ring/ring.hpp>
#include <multiprocessing/reduction.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <type_traits>

namespace multiprocessing::inline v1::detail {

/// Bytes of the heap that are not filled with zeros first.
class ByteBuffer {
public:
    static constexpr std::uint64_t grain = 1;
    void begin(std::size_t bytes);
    void add(std::span<const std::byte> bytes);
    std::span<const std::byte> view() const noexcept;

private:
    std::unique_ptr<std::byte[]> bytes_;
    std::size_t size_ = 0;
};

/// Writes the value over the T, or T in an optional, that is one of its bytes.
template <class T, class Place>
class WholeSink {
public:
    explicit WholeSink(Place& place) : place_(place) {}

    static constexpr std::uint64_t grain = 1;
    void begin(std::size_t) {
        if constexpr (std::is_same_v<Place, T>) {
            to_ = reinterpret_cast<std::byte*>(&place_);
        } else {
            to_ = reinterpret_cast<std::byte*>(&place_.emplace());
        }
    }
    void add(std::span<const std::byte> bytes) {
        if (bytes.size() == sizeof(T)) { // the common case, of a few instructions if T is small
            std::memmove(to_, bytes.data(), sizeof(T));
        } else {
            std::memmove(to_, bytes.data(), bytes.size());
            to_ += bytes.size();
        }
    }

private:
    Place& place_;
    std::byte* to_ = nullptr;
};

/// Fills a container of elements that are their bytes.
template <class T, class Place>
class BulkSink {
public:
    explicit BulkSink(Place& place) : place_(place) {}

    static constexpr std::uint64_t grain = sizeof(typename T::value_type);
    void begin(std::size_t bytes) {
        if constexpr (std::is_same_v<Place, T>) {
            to_ = &place_;
            to_->clear();
        } else {
            to_ = &place_.emplace();
        }
        if constexpr (requires { to_->reserve(bytes); }) to_->reserve(bytes / grain);
    }
    void add(std::span<const std::byte> bytes) { detail::append_block(*to_, bytes); }

private:
    Place& place_;
    T* to_ = nullptr;
};

/// Its bytes are the T, and there can be one to copy them over.
template <class T>
inline constexpr bool is_copied_whole = is_bitwise<T> && std::is_default_constructible_v<T>;

/// Puts the value. Where one memcpy carries it, that goes straight into the ring; else it is made
/// bytes of first, as code of the user's may not run under the lock.
template <class T>
RingResult put_item(Ring& ring, Space& space, const T& value, const Deadline& deadline) {
    const auto put = [&](const void* data, std::size_t size) {
        return ring.put(
            space, size,
            [&](std::byte* to, std::uint64_t from, std::size_t count) {
                // Of a memcpy of a known size g++ makes `rep movs`, which takes twice the time of a
                // call for 1 KiB.
                if (count) std::memmove(to, static_cast<const std::byte*>(data) + from, count);
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

/// Takes one into `place`, a T that is written over or an empty optional, which is set if the
/// result is `done`. What the bytes become is made without the lock, unless that is one memcpy.
template <class T, class Place>
RingResult pop_item(Ring& ring, Space& space, Place& place, const Deadline& deadline) {
    constexpr bool fresh = !std::is_same_v<Place, T>;
    if constexpr (is_copied_whole<T> || BulkContainer<T>) {
        using Sink = std::conditional_t<is_copied_whole<T>, WholeSink<T, Place>, BulkSink<T, Place>>;
        RingResult result = RingResult::timed_out;
        const ScopeExit no_part{[&] {
            if constexpr (fresh) {
                if (result != RingResult::done)
                    place.reset(); // of a record that never came there may be a part
            }
        }};
        result = ring.pop(space, Sink{place}, deadline);
        return result;
    } else {
        ByteBuffer copy;
        const RingResult result = ring.pop(space, copy, deadline);
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

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void ByteBuffer::begin(std::size_t bytes) {
    bytes_ = std::make_unique_for_overwrite<std::byte[]>(bytes);
    size_ = 0;
}

MULTIPROCESSING_INLINE void ByteBuffer::add(std::span<const std::byte> bytes) {
    if (!bytes.empty()) std::memcpy(bytes_.get() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
}

MULTIPROCESSING_INLINE std::span<const std::byte> ByteBuffer::view() const noexcept {
    return {bytes_.get(), size_};
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
