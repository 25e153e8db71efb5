#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file mapping.hpp  How one process maps the Space: as far as it is in use, and more when it
/// comes upon that.

#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/memory.hpp>
#include <multiprocessing/detail/space/layout.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/mapped_region.hpp>

namespace multiprocessing::inline v1::detail {

/// Two mappings that grow, side by side as in the object: that of the tables and that of the
/// extents. What is not mapped yet is not reserved either, where the platform can do without:
/// address space may be limited at any time (RLIMIT_AS), or be filled when it is mapped (mlockall).
/// What is mapped stays where it is.
class SpaceMapping {
public:
    /// Maps the tables of an object of `bytes`; all of it, where a mapping cannot grow.
    void begin(const platform::MemoryObject& object, std::uint64_t bytes) {
        const SpaceLayout layout{bytes};
        regions_.clear();
        extents_ = layout.extents;
        base_ = static_cast<std::byte*>(platform::place_to_grow(bytes));
        if (base_) {
            tables_ = SpaceLayout::bytes_for(layout.first_extent);
            map(object, 0, tables_);
            mapped_.store(layout.first_extent, std::memory_order_release);
        } else {
            map(object, 0, bytes);
            mapped_.store(extents_, std::memory_order_release);
        }
    }

    /// Returns where the object begins in this process, whether or not that is mapped.
    std::byte* base() const noexcept { return base_; }
    /// Returns how many extents are mapped, with the tables that describe them.
    std::uint64_t end() const noexcept { return mapped_.load(std::memory_order_acquire); }

    /// Maps the first `needed` extents. Throws `std::system_error` if the process may not map that
    /// much.
    void reach(const platform::MemoryObject& object, std::uint64_t needed) {
        std::lock_guard lock{mutex_};
        const std::uint64_t mapped = mapped_.load(std::memory_order_relaxed);
        if (needed <= mapped) return; // another thread was quicker
        // Some more, as each piece costs a few microseconds; but where that may not be had, what is
        // needed.
        constexpr std::uint64_t least = (std::uint64_t{4} << 20) / SpaceLayout::extent_bytes;
        const std::uint64_t generous = (std::min)(needed + (std::max)(least, mapped / 8), extents_);
        for (const std::uint64_t end : {generous, needed}) {
            try {
                const std::uint64_t tables = SpaceLayout::bytes_for(end);
                if (tables > tables_) {
                    map(object, tables_, tables - tables_);
                    tables_ = tables;
                }
                map(object, mapped * SpaceLayout::extent_bytes, (end - mapped) * SpaceLayout::extent_bytes);
                mapped_.store(end, std::memory_order_release);
                return;
            } catch (const std::system_error&) {
                if (end == needed) throw;
            }
        }
    }

    // Around a fork, whose copy may have to map more.
    void before_fork() { mutex_.lock(); }
    void after_fork() { mutex_.unlock(); }

private:
    using Region = boost::interprocess::mapped_region;

    void map(const platform::MemoryObject& object, std::uint64_t offset, std::uint64_t bytes) {
        try {
            regions_.reserve(regions_.size() + 1);
            Region piece{object, boost::interprocess::read_write,
                         static_cast<boost::interprocess::offset_t>(offset), static_cast<std::size_t>(bytes),
                         base_ ? base_ + offset : nullptr};
            platform::exclude_from_dumps(piece.get_address(), bytes);
            if (!base_) base_ = static_cast<std::byte*>(piece.get_address());
            regions_.push_back(std::move(piece));
        } catch (const boost::interprocess::interprocess_exception& error) {
            const bool taken = error.get_error_code() == boost::interprocess::busy_error;
            throw std::system_error(
                std::make_error_code(std::errc::not_enough_memory),
                "multiprocessing: mapping " + std::to_string(bytes) + " bytes of shared memory: " +
                    (taken ? std::string("another mapping has the addresses") : std::string(error.what())) +
                    "; raise the limit of address space (RLIMIT_AS, `ulimit -v`) if one is set");
        }
    }

    std::byte* base_ = nullptr;
    std::atomic<std::uint64_t> mapped_{0};
    std::uint64_t extents_ = 0; // in all
    std::uint64_t tables_ = 0;  // bytes of them that are mapped
    std::vector<Region> regions_;
    Mutex mutex_; // guards the last two, and stores to `mapped_`
};

} // namespace multiprocessing::inline v1::detail
