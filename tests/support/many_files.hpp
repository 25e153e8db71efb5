#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file many_files.hpp  While it lives, this process can open as many descriptors as it is allowed to.

#if !defined(_WIN32)
#include <sys/resource.h>

namespace support {

class ManyFiles {
public:
    ManyFiles() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit many = before_;
        many.rlim_cur = many.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &many);
    }
    ManyFiles(const ManyFiles&) = delete;
    ManyFiles& operator=(const ManyFiles&) = delete;
    ~ManyFiles() { ::setrlimit(RLIMIT_NOFILE, &before_); }

    bool allow(rlim_t count) const { return before_.rlim_max == RLIM_INFINITY || before_.rlim_max >= count; }

private:
    rlimit before_{};
};

} // namespace support
#endif
