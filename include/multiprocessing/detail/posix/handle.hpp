#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file handle.hpp  POSIX twin: file descriptors, and the list of ours that a forked child closes.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/posix/error.hpp>
#include <multiprocessing/detail/process_wide.hpp>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace multiprocessing::inline v1::detail::platform {

/// Which descriptors of this process are the library's. Close-on-exec keeps them from other
/// programs, but a fork copies them all: a stray write end of a lifeline in a sibling would keep
/// orphans alive.
class OwnedDescriptors : public ForkSafe {
public:
    static constexpr StateSlot slot = StateSlot::handles;

    std::uint32_t own(int descriptor) {
        std::lock_guard lock{mutex};
        const auto index = static_cast<std::size_t>(descriptor);
        if (index >= kinds_.size()) kinds_.resize(index + 64, foreign);
        kinds_[index] = ours;
        return generation_;
    }

    void keep(int descriptor) {
        std::lock_guard lock{mutex};
        kinds_[static_cast<std::size_t>(descriptor)] = kept;
    }

    bool disown(int descriptor, std::uint32_t generation) noexcept {
        std::lock_guard lock{mutex};
        const auto index = static_cast<std::size_t>(descriptor);
        // A number from before the fork may be another file's by now.
        if (index >= kinds_.size() || kinds_[index] == foreign) return false;
        if (generation != generation_ && kinds_[index] != kept) return false;
        kinds_[index] = foreign;
        return true;
    }

    void after_fork(bool in_child) {
        if (in_child) {
            ++generation_;
            const StartByFork* const start = StartByFork::current();
            for (std::size_t i = 0; i < kinds_.size(); ++i) {
                if (kinds_[i] != ours) continue;
                if (start && start->keeps(static_cast<int>(i))) {
                    kinds_[i] = kept;
                    continue;
                }
                ::close(static_cast<int>(i));
                kinds_[i] = foreign;
            }
        }
        ForkSafe::after_fork(in_child);
    }

private:
    static constexpr char foreign = ' ';
    static constexpr char ours = 'o';
    static constexpr char kept = 'k';
    std::string kinds_;            // a letter for each descriptor
    std::uint32_t generation_ = 0; // how many forks lie between the first process and this one
};

struct HandleTraits {
    using Native = int;

    static constexpr Native invalid() noexcept { return -1; }
    static std::uint32_t own(Native& descriptor) {
        // In a program that has closed a standard stream, its number is given to the next
        // descriptor: ours would be taken for standard output.
        if (descriptor <= STDERR_FILENO) {
            const int above = duplicate(descriptor);
            ::close(descriptor);
            descriptor = above;
        }
        return process_wide<OwnedDescriptors>().own(descriptor);
    }
    static void keep_in_forked_child(Native descriptor) { process_wide<OwnedDescriptors>().keep(descriptor); }
    static bool disown(Native descriptor, std::uint32_t stamp) noexcept {
        return process_wide<OwnedDescriptors>().disown(descriptor, stamp);
    }
    static void close(Native descriptor) noexcept {
        ::close(descriptor); // EINTR on Linux: it is closed all the same, a second close would hit another's
    }
    static Native duplicate(Native descriptor) {
        const int copy = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
        if (copy < 0) throw std::system_error(last_error(), "multiprocessing: duplicating a descriptor");
        return copy;
    }
};

} // namespace multiprocessing::inline v1::detail::platform
