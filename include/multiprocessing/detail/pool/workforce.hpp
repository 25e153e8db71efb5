#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file workforce.hpp  The workers of a pool as their supervisor keeps them: which there are,
/// which are to be started, and which wait for the place of another.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/launch/child_process.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// What has one of the lines of a pool.
struct WorkerSeat {
    std::shared_ptr<ChildProcess> process; // none: to be started at `start_at`, if at all
    std::chrono::steady_clock::time_point start_at{};
    unsigned early_deaths = 0;             // in a row, before it served
    std::uint32_t number = 0;              // as the program knows it
    std::optional<std::uint32_t> replaces; // the line of the worker for whose place this one waits
    bool may_have_ended = true;
    bool busy = false;             // when the pool ends
    bool claims_are_known = false; // of the dead one: see Supervisor::bury()
};

/// All of them, by line. Of the supervisor's thread.
class Workforce {
public:
    explicit Workforce(std::size_t lines) : seats_(lines) {}

    std::size_t size() const noexcept { return seats_.size(); }
    WorkerSeat& operator[](std::size_t line) noexcept { return seats_[line]; }
    auto begin() noexcept { return seats_.begin(); }
    auto end() noexcept { return seats_.end(); }

    /// How many work, or are about to.
    std::uint32_t running() const noexcept;
    /// The first number that no worker has.
    std::uint32_t free_number() const noexcept;
    /// The line of the one that waits for the place of `line`.
    std::optional<std::uint32_t> successor_of(std::uint32_t line) const noexcept;
    bool has_successor() const noexcept;
    /// A line that nobody has.
    std::optional<std::uint32_t> spare() const noexcept;

private:
    template <class Is>
    std::optional<std::uint32_t> first(Is is) const noexcept;

    std::vector<WorkerSeat> seats_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <algorithm>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE std::uint32_t Workforce::running() const noexcept {
    return static_cast<std::uint32_t>(std::count_if(
        seats_.begin(), seats_.end(), [](const WorkerSeat& seat) { return seat.process && !seat.replaces; }));
}

template <class Is>
std::optional<std::uint32_t> Workforce::first(Is is) const noexcept {
    const auto found = std::find_if(seats_.begin(), seats_.end(), is);
    if (found == seats_.end()) return std::nullopt;
    return static_cast<std::uint32_t>(found - seats_.begin());
}

MULTIPROCESSING_INLINE std::uint32_t Workforce::free_number() const noexcept {
    std::uint32_t number = 0;
    while (first([number](const WorkerSeat& seat) { return seat.process && seat.number == number; })) ++number;
    return number;
}

MULTIPROCESSING_INLINE std::optional<std::uint32_t> Workforce::successor_of(std::uint32_t line) const noexcept {
    return first([line](const WorkerSeat& seat) { return seat.replaces == line; });
}

MULTIPROCESSING_INLINE bool Workforce::has_successor() const noexcept {
    return first([](const WorkerSeat& seat) { return seat.replaces.has_value(); }).has_value();
}

MULTIPROCESSING_INLINE std::optional<std::uint32_t> Workforce::spare() const noexcept {
    return first([](const WorkerSeat& seat) { return !seat.process; });
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
