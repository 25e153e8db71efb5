#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file child_record.hpp  What a child leaves in shared memory about itself, so that its parent
/// knows even if it did not see.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/parking/parking.hpp>

#include <atomic>
#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// How far a child has come.
enum class ChildStage : std::uint32_t {
    started, ///< The system runs it; nothing of ours has.
    entered, ///< It is in freeze_support(), or where its fork returned.
    refused, ///< It cannot be what it was started for: another build, a library that is not loaded.
    running, ///< The target has been called.
    ended,   ///< It ended by itself; `exitcode` is its last word.
};

/// Whether a copy of the fork server has the rights that it should have, and may run.
enum class Approval : std::uint32_t { asked, given, refused };

/// One per child, in a block of the parent's heap. All zero is a valid one.
struct ChildRecord {
    std::atomic<ChildStage> stage;
    std::atomic<std::int32_t> exitcode; ///< Of a child that ended by itself: valid once `stage` is `ended`.
    std::atomic<std::uint32_t> touched; ///< It has taken memory of the Space, which its death will leave.
    std::atomic<Approval> approved;
    ParkingPlace approval;
    int pid;           ///< Of a copy that the fork server made: written by the kernel, before its first step.
    char refusal[240]; ///< Why it refused, null-terminated; valid once `stage` is `refused`.
};
static_assert(std::atomic<ChildStage>::is_always_lock_free);

} // namespace multiprocessing::inline v1::detail
