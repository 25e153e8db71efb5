#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file few_files.hpp  While it lives, only so many more descriptors can be opened by this process.

#include <multiprocessing/detail/platform/handle.hpp>

#if !defined(_WIN32)
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace support {

class FewFiles {
public:
    explicit FewFiles(int more) {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int lowest_free = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        ::close(lowest_free);
        rlimit few = before_;
        few.rlim_cur = static_cast<rlim_t>(lowest_free + more);
        ::setrlimit(RLIMIT_NOFILE, &few);
    }
    FewFiles(const FewFiles&) = delete;
    FewFiles& operator=(const FewFiles&) = delete;
    ~FewFiles() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

} // namespace support
#endif
