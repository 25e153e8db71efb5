#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file lifeline.hpp  Contract: children end when their parent does, however it ends, without a
/// thread that watches.
///
/// A parent has one `Lifeline`; each child gets a strand of it.
/// * `Lifeline::strand()`: for one child. `Strand::child` is passed to it (Windows: empty, nothing
///   is passed); the parent closes its copy after tie(). `Strand::parent` stays open here as long
///   as the child lives; it is empty, where the Lifeline itself holds what the child depends on.
/// * `Lifeline::tie(strand, child)`: the system ends `child` when this process ends. Called by the
///   parent right after the start, while the strand is still open here.
/// * `hold(strand)`: called by the child first of all: ties itself, too, and ends at once if the
///   parent is gone already. Between them the two calls leave no instant at which the parent's end
///   goes unnoticed: killed before `tie`, the child notices in `hold`; killed after it, the system
///   acts. (Windows: spawn() does it all: while there is a Lifeline, children are born into its
///   job. Needs Windows 10.)
/// * `is_gone(strand)`: whether the parent has ended (of use only to a process that outlives it for
///   a moment).
///
/// Escapes it: a process that closes descriptors which it did not open (the strand among them).

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/error.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/platform/process.hpp>

#include <concepts>

namespace multiprocessing::inline v1::detail::platform {

/// The two ends of what ties a child to its parent.
struct Strand {
    Handle child;
    Handle parent;
};

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_PLATFORM_WIN32
#include <multiprocessing/detail/win32/lifeline.hpp>
#else
#include <multiprocessing/detail/posix/lifeline.hpp>
#endif

namespace multiprocessing::inline v1::detail::platform {

static_assert(requires(Lifeline& lifeline, const Handle& strand, const Child& child) {
    { lifeline.strand() } -> std::same_as<Strand>;
    { lifeline.tie(strand, child) } -> std::same_as<void>;
    { hold(strand) } -> std::same_as<void>;
    { is_gone(strand) } -> std::same_as<bool>;
});

} // namespace multiprocessing::inline v1::detail::platform
