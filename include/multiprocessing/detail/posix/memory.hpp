#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file memory.hpp  POSIX twin: memfd, which neither has a name nor is bounded by the size of
/// /dev/shm.

#include <multiprocessing/detail/config.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <boost/interprocess/detail/os_file_functions.hpp> // for mapping_handle_from_file_handle
#include <boost/interprocess/interprocess_fwd.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

class MemoryObject {
public:
    explicit MemoryObject(std::uint64_t bytes)
        : handle_(::memfd_create("multiprocessing", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
        if (!handle_.valid()) throw_last_error("memfd_create");
        rlimit largest;
        if (::getrlimit(RLIMIT_FSIZE, &largest) == 0 && bytes > largest.rlim_cur) {
            // Asking all the same would end the program by SIGXFSZ.
            throw_error(std::make_error_code(std::errc::file_too_large),
                        "shared memory of " + std::to_string(bytes) + " bytes is beyond `ulimit -f`");
        }
        if (::ftruncate(handle_.native(), static_cast<off_t>(bytes)) != 0) {
            throw_last_error("reserving " + std::to_string(bytes) + " bytes of shared memory");
        }
        // No process that gets hold of the descriptor can end our processes by SIGBUS; and see
        // kinship.hpp.
        if (::fcntl(handle_.native(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
            throw_last_error("sealing the size of shared memory");
    }
    explicit MemoryObject(Handle handle) noexcept : handle_(std::move(handle)) {}

    const Handle& handle() const noexcept { return handle_; }

    // What mapped_region asks for.
    boost::interprocess::mode_t get_mode() const noexcept { return boost::interprocess::read_write; }
    boost::interprocess::mapping_handle_t get_mapping_handle() const noexcept {
        return boost::interprocess::ipcdetail::mapping_handle_from_file_handle(handle_.native());
    }

private:
    Handle handle_;
};

inline constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30;

inline bool is_under_valgrind() noexcept {
    const char* const preload = std::getenv("LD_PRELOAD");
    return preload && std::string_view(preload).find("vgpreload") != std::string_view::npos;
}

inline std::uint64_t reservation() {
    // Valgrind keeps a record for every page of a mapping: 16 GiB took it 22 s.
    std::uint64_t bytes = is_under_valgrind() ? gibibyte : 256 * gibibyte;
    rlimit largest;
    while (::getrlimit(RLIMIT_FSIZE, &largest) == 0 && bytes > largest.rlim_cur && bytes > 1) bytes /= 2;
    return bytes;
}

inline void* place_to_grow(std::uint64_t bytes) noexcept {
    if (is_under_valgrind()) return nullptr; // which places mappings as it likes
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const auto probe = [page](std::uint64_t address) noexcept {
        void* const wanted = reinterpret_cast<void*>(static_cast<std::uintptr_t>(address));
        void* const place = ::mmap(wanted, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (place == MAP_FAILED) return std::uint64_t{0};
        ::munmap(place, page);
        return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(place));
    };
    const auto from = [&](std::uint64_t address) -> void* {
        if (address == 0 || probe(address) != address || probe(address + bytes) != address + bytes)
            return nullptr;
        return reinterpret_cast<void*>(static_cast<std::uintptr_t>(address));
    };
    // The kernel places mappings from the top down. So far below that nothing but a larger mapping
    // gets there.
    const std::uint64_t top = probe(0);
#if !defined(__SANITIZE_THREAD__) // which leaves a program 1.5 TiB up there
    constexpr std::uint64_t distance = 4096 * gibibyte;
    // Other mappings of this kind in this process begin at other multiples.
    constexpr std::uint64_t step = 512 * gibibyte;
    for (std::uint64_t i = 0; i < 8 && top > distance + (i + 2) * step; ++i) {
        if (void* const place = from((top - distance) / step * step - i * step)) return place;
    }
#endif
    constexpr std::uint64_t lowest = 320 * gibibyte; // also where all addresses have 39 bits
    return top > lowest ? from((top - lowest) / gibibyte * gibibyte) : nullptr;
}

inline void commit(void*, std::uint64_t) {}

inline bool discard(const MemoryObject& object, std::uint64_t offset, std::uint64_t bytes) noexcept {
    int result;
    do {
        result = ::fallocate(object.handle().native(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                             static_cast<off_t>(offset), static_cast<off_t>(bytes));
    } while (result != 0 && errno == EINTR);
    return result == 0;
}

inline void exclude_from_dumps(void* address, std::uint64_t bytes) noexcept {
    ::madvise(address, static_cast<std::size_t>(bytes), MADV_DONTDUMP);
}

} // namespace multiprocessing::inline v1::detail::platform
