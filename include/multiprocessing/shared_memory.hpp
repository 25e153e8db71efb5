#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file shared_memory.hpp  Memory that any process finds by a name: Python's
/// `multiprocessing.shared_memory`.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/memory.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>

#include <boost/interprocess/mapped_region.hpp>

namespace multiprocessing::inline v1::shared_memory {

/// The options of a SharedMemory.
struct SharedMemoryOptions {
    /// The name to be found, or made. Empty: one like `psm_4c6a7b21` is chosen; only with `create`.
    std::string name = {};
    bool create = {};      ///< Makes one, which **must** not exist yet; else finds one.
    std::size_t size = {}; ///< In bytes, at least 1; where one is found, its own size counts and this does not.
};

/// A piece of memory that has a name in the system, so that any process of this user can open it: a
/// child, an unrelated program, a Python program. It has no header: it holds what is written into
/// it and nothing else.
///
/// Copies refer to the same mapping, as in Python. As an argument, as a result or in a queue it
/// crosses by its name, and the receiver maps the same memory. The memory outlives every process
/// until one of them calls unlink(); on Windows it goes with the last process that has it open. If
/// the process that made it is killed, a small process, which the first SharedMemory has started,
/// unlinks the name when the last process of the maker's tree has gone and no other process has it
/// mapped. That holds in a program that calls freeze_support(), as far as the system shows what
/// other processes have mapped.
///
/// A SharedMemory has no lock: pass a Lock beside it if several processes write. Several threads
/// may call members of one object, and of its copies, at the same time; while an object is assigned
/// to, no other thread may use it.
///
/// Linux takes all of the memory from /dev/shm when it is made, so that no later access fails.
///
/// Python: `multiprocessing.shared_memory.SharedMemory`. Attaching never unlinks here, so there is
/// no `track`.
class SharedMemory {
public:
    using multiprocessing_reference = void;

    /// Refers to no memory, to be assigned to later: no name, size 0.
    SharedMemory() noexcept = default;

    /// Makes or finds the memory. New memory is zero, and is for this user alone (mode 0600).
    ///
    /// Throws `std::invalid_argument` if there is neither a name nor `create`, if with `create` the
    /// size is 0 or was negative, or if the name has a null character; `std::system_error` if the
    /// name exists already (`std::errc::file_exists`), does not exist
    /// (`no_such_file_or_directory`), if there is too little memory or room in /dev/shm
    /// (`not_enough_memory`), or if the system refuses the name (a slash inside, too long).
    explicit SharedMemory(const SharedMemoryOptions& options) : segment_(make(options)) {}

    /// Returns the name, without the slash that POSIX puts before it. Unchanged by close().
    std::string name() const;

    /// Returns the size in bytes. Unchanged by close(). Linux: what the maker asked for. Windows:
    /// in other processes rounded up to whole pages, unless the object itself was passed to them.
    std::size_t size() const noexcept { return segment_ ? segment_->size : 0; }

    /// Returns the memory; empty after close(). The span stays valid, also after close(), as long
    /// as a copy of this object exists; it does not keep the memory by itself.
    std::span<std::byte> buf() const noexcept;

    /// Returns the memory as an array of T, valid as long as buf() is. Throws
    /// `std::invalid_argument` if the size is no multiple of `sizeof(T)`, or T is aligned to more
    /// than a page. Python: `numpy.ndarray(shape, dtype, buffer=shm.buf)`.
    template <class T>
    std::span<T> as() const {
        static_assert(std::is_trivially_copyable_v<T>,
                      "only bytes are shared: T must be trivially copyable, and hold no pointers");
        const std::span<std::byte> bytes = buf();
        if (bytes.size() % sizeof(T) != 0) {
            throw std::invalid_argument(called() + " has " + std::to_string(bytes.size()) +
                                        " bytes, no multiple of the " + std::to_string(sizeof(T)) +
                                        " of an element: take a part of buf()");
        }
        if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(T) != 0) {
            throw std::invalid_argument(called() + " lies at a multiple of a page, but an element wants " +
                                        std::to_string(alignof(T)));
        }
        return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
    }

    /// Closes all copies: buf() is empty from now on. The memory is unmapped at once if buf() and
    /// as() were never called, otherwise with the last copy; in Python views that still exist make
    /// close() an error. A second close() does nothing.
    void close() const noexcept;

    /// Removes the name. Processes that have the memory keep it, and it goes with the last of them.
    /// One process calls this once; a second call throws `std::system_error`
    /// (`no_such_file_or_directory`). Windows: does nothing.
    void unlink() const;

    template <class Archive>
    void serialize(Archive& archive) {
        std::string name = this->name();
        std::uint64_t size = this->size();
        archive(name, size);
        if constexpr (Archive::is_loading::value) segment_ = name.empty() ? nullptr : find(name, size);
    }

private:
    using Region = boost::interprocess::mapped_region;

    struct Segment {
        std::string name;
        std::size_t size = 0;
        std::uint64_t identity = 0;
        Region region;
        std::atomic<bool> viewed{false};
        std::atomic<bool> closed{false};
        std::atomic<bool> unlinked{false};
    };

    static std::shared_ptr<Segment> make(const SharedMemoryOptions& options);

    static std::shared_ptr<Segment> make_one(const std::string& name, std::size_t size);

    /// `size` is the size that the memory had in the sending process, or 0.
    static std::shared_ptr<Segment> find(const std::string& name, std::uint64_t size);

    static void map(Segment& segment, const detail::platform::MemoryObject& object);

    static std::string made_up_name();

    std::string called() const;

    std::shared_ptr<Segment> segment_;
};

} // namespace multiprocessing::inline v1::shared_memory

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/janitor.hpp>
#include <multiprocessing/detail/platform/named_memory.hpp>
#include <multiprocessing/detail/space/note_names.hpp>

#include <limits>
#include <system_error>

namespace multiprocessing::inline v1::shared_memory {

MULTIPROCESSING_INLINE std::string SharedMemory::name() const {
    return segment_ ? segment_->name : std::string();
}

MULTIPROCESSING_INLINE std::span<std::byte> SharedMemory::buf() const noexcept {
    if (!segment_) return {};
    // In this order, and the other way round in close(): one of the two sees the other.
    segment_->viewed = true;
    if (segment_->closed) return {};
    return {static_cast<std::byte*>(segment_->region.get_address()), segment_->size};
}

MULTIPROCESSING_INLINE void SharedMemory::close() const noexcept {
    // Only the first of several threads that close copies at once goes on.
    if (!segment_ || segment_->closed.exchange(true)) return;
    if (!segment_->viewed) Region{}.swap(segment_->region);
}

MULTIPROCESSING_INLINE void SharedMemory::unlink() const {
    if (!segment_)
        throw std::invalid_argument("multiprocessing: this SharedMemory refers to none: it has no name");
    // Not by name only: by then it may be another's.
    if (segment_->unlinked.exchange(true)) detail::platform::throw_no_such_memory(segment_->name);
    try {
        detail::platform::unlink_named_memory(segment_->name);
    } catch (const std::system_error& error) {
        if (error.code() != std::errc::no_such_file_or_directory) segment_->unlinked = false; // it has its name
        throw;
    }
    detail::forget_name(segment_->identity);
}

MULTIPROCESSING_INLINE std::shared_ptr<SharedMemory::Segment>
SharedMemory::make(const SharedMemoryOptions& options) {
    if (options.name.find('\0') != std::string::npos)
        throw std::invalid_argument("multiprocessing: the name of a SharedMemory has a null character in it");
    if (!options.create) {
        if (!options.name.empty()) return find(options.name, 0);
        throw std::invalid_argument(
            "multiprocessing: a SharedMemory needs a .name, or .create = true and a .size");
    }
    if (options.size == 0)
        throw std::invalid_argument(
            "multiprocessing: a SharedMemory of .create = true needs a .size, in bytes");
    if (options.size > static_cast<std::size_t>((std::numeric_limits<std::ptrdiff_t>::max)())) {
        throw std::invalid_argument("multiprocessing: the size of a SharedMemory, " +
                                    std::to_string(options.size) + ", was negative or is too large");
    }
    for (;;) {
        try {
            return make_one(options.name.empty() ? made_up_name() : options.name, options.size);
        } catch (const std::system_error& error) {
            if (!options.name.empty() || error.code() != std::errc::file_exists) throw;
        }
    }
}

MULTIPROCESSING_INLINE std::shared_ptr<SharedMemory::Segment> SharedMemory::make_one(const std::string& name,
                                                                                     std::size_t size) {
    auto segment = std::make_shared<Segment>();
    segment->name = name;
    using Object = detail::platform::MemoryObject;
    std::uint64_t noted = 0;
    detail::ScopeExit forgotten{[&] { detail::forget_name(noted); }};
    const Object object = detail::platform::make_named_memory(name, size, [&](const Object& made) {
        noted = detail::platform::identity_of(made);
        detail::note_name(noted);
    });
    try {
        map(*segment, object);
    } catch (...) {
        detail::platform::unlink_named_memory(name);
        throw;
    }
    forgotten.release();
    segment->size = size;
    return segment;
}

MULTIPROCESSING_INLINE std::shared_ptr<SharedMemory::Segment> SharedMemory::find(const std::string& name,
                                                                                 std::uint64_t size) {
    auto segment = std::make_shared<Segment>();
    segment->name = name;
    map(*segment, detail::platform::open_named_memory(name));
    if (size > segment->size) {
        throw std::runtime_error("multiprocessing: " + detail::platform::quoted_memory(name) + " of " +
                                 std::to_string(size) +
                                 " bytes was passed here, but another one bears that name by now, of " +
                                 std::to_string(segment->size));
    }
    if (size != 0) segment->size = static_cast<std::size_t>(size);
    return segment;
}

MULTIPROCESSING_INLINE void SharedMemory::map(Segment& segment, const detail::platform::MemoryObject& object) {
    try {
        Region{object, boost::interprocess::read_write}.swap(segment.region);
    } catch (const boost::interprocess::interprocess_exception& error) {
        throw std::system_error({static_cast<int>(error.get_native_error()), std::system_category()},
                                "multiprocessing: mapping " + detail::platform::quoted_memory(segment.name));
    }
    segment.size = segment.region.get_size();
    segment.identity = detail::platform::identity_of(object);
    detail::platform::exclude_from_dumps(segment.region.get_address(), segment.size);
}

MULTIPROCESSING_INLINE std::string SharedMemory::made_up_name() {
    std::uint32_t number = 0;
    detail::platform::fill_random({reinterpret_cast<std::byte*>(&number), sizeof number});
    std::string name = detail::platform::named_memory_prefix;
    for (int digit = 28; digit >= 0; digit -= 4) name += "0123456789abcdef"[number >> digit & 15];
    return name;
}

MULTIPROCESSING_INLINE std::string SharedMemory::called() const {
    return "multiprocessing: " + detail::platform::quoted_memory(name());
}

} // namespace multiprocessing::inline v1::shared_memory

#endif // MULTIPROCESSING_BODIES
