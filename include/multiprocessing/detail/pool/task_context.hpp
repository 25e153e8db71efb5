#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file task_context.hpp  What a worker is at, for the code of the program's that it runs there.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/process_wide.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace multiprocessing::inline v1::detail {

/// The task, or the item of a map, that this process works on. Written by the worker's thread
/// before the program's code runs; read by that code, in that thread or in one that waits for it.
class TaskContext {
public:
    static constexpr StateSlot slot = StateSlot::task;
    using Clock = std::chrono::steady_clock;

    void before_fork() noexcept {}
    /// The copy is at no task of the pool's.
    void after_fork(bool in_child) noexcept {
        if (in_child) leave();
    }

    /// This process works for a pool from now on.
    void set_worker(int number) noexcept { worker_ = number; }
    /// A single task begins, for the `number`th time.
    void enter_task(int number, std::chrono::nanoseconds limit) noexcept;
    /// Items of a map begin. Which one it is stands in `note`, shifted by so many bits, beside
    /// `other_bits`.
    void enter_items(const std::atomic<std::uint64_t>& note, unsigned shift, std::uint64_t other_bits,
                     std::uint64_t first_index, int number, std::chrono::nanoseconds limit) noexcept;
    void leave() noexcept { is_entered_ = false; }

    bool is_entered() const noexcept { return is_entered_; }
    int worker() const noexcept { return worker_; }
    int attempt() const noexcept { return attempt_; }
    /// 0 for a single task.
    std::size_t index() noexcept;
    /// When its time limit ends; nullopt without one. Of an item it is counted from the first look:
    /// no clock is read for each item.
    std::optional<Clock::time_point> deadline() noexcept;
    /// Somebody has asked for the index: from now on it is to be exact.
    bool is_asked() const noexcept { return is_asked_; }

private:
    bool is_entered_ = false;
    bool is_asked_ = false;
    int worker_ = 0;
    int attempt_ = 1;
    const std::atomic<std::uint64_t>* note_ = nullptr;
    unsigned shift_ = 0;
    std::uint64_t other_bits_ = 0;
    std::uint64_t first_index_ = 0;
    std::chrono::nanoseconds time_limit_{0};
    Clock::time_point begun_{};
    std::uint64_t begun_note_ = 0; // of which item that was
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void TaskContext::enter_task(int number, std::chrono::nanoseconds limit) noexcept {
    note_ = nullptr;
    attempt_ = number;
    time_limit_ = limit;
    if (limit.count() != 0) begun_ = Clock::now();
    is_entered_ = true;
}

MULTIPROCESSING_INLINE void TaskContext::enter_items(const std::atomic<std::uint64_t>& note, unsigned shift,
                                                     std::uint64_t other_bits, std::uint64_t first_index,
                                                     int number, std::chrono::nanoseconds limit) noexcept {
    note_ = &note;
    shift_ = shift;
    other_bits_ = other_bits;
    first_index_ = first_index;
    attempt_ = number;
    time_limit_ = limit;
    begun_note_ = ~std::uint64_t{0};
    is_asked_ = false;
    is_entered_ = true;
}

MULTIPROCESSING_INLINE std::size_t TaskContext::index() noexcept {
    if (!note_) return 0;
    is_asked_ = true;
    const std::uint64_t note = note_->load(std::memory_order_relaxed) & ~other_bits_;
    return static_cast<std::size_t>(first_index_ + (note >> shift_));
}

MULTIPROCESSING_INLINE std::optional<TaskContext::Clock::time_point> TaskContext::deadline() noexcept {
    if (time_limit_.count() == 0) return std::nullopt;
    if (note_) {
        const std::uint64_t note = note_->load(std::memory_order_relaxed);
        if (begun_note_ != note) begun_ = Clock::now();
        begun_note_ = note;
    }
    return begun_ + time_limit_;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
