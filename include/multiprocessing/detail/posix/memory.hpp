#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file memory.hpp  POSIX twin: memfd, which neither has a name nor is bounded by the size of /dev/shm.

#include <multiprocessing/detail/config.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>
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
    explicit MemoryObject(std::uint64_t bytes) : handle_(::memfd_create("multiprocessing", MFD_CLOEXEC)) {
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

inline std::uint64_t reservation() {
    constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30;
    // Valgrind keeps a record for every page of a mapping: 16 GiB took it 22 s.
    if (const char* preload = std::getenv("LD_PRELOAD")) {
        if (std::string_view(preload).find("vgpreload") != std::string_view::npos) return gibibyte;
    }
    std::uint64_t bytes = 256 * gibibyte;
    rlimit largest;
    while (::getrlimit(RLIMIT_FSIZE, &largest) == 0 && bytes > largest.rlim_cur && bytes > 1) bytes /= 2;
    return bytes;
}

inline void commit(void*, std::uint64_t) {}

inline bool discard(const MemoryObject& object, std::uint64_t offset, std::uint64_t bytes) noexcept {
    return ::fallocate(object.handle().native(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                       static_cast<off_t>(offset), static_cast<off_t>(bytes)) == 0;
}

inline void exclude_from_dumps(void* address, std::uint64_t bytes) noexcept {
    ::madvise(address, static_cast<std::size_t>(bytes), MADV_DONTDUMP);
}

} // namespace multiprocessing::inline v1::detail::platform
