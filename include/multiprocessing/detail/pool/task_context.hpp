#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file task_context.hpp  What a worker is at, for the code of the program's that it runs there.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/pool/worker_line.hpp>
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
    struct State {
        bool is_entered = false;
        bool is_asked = false;
        int attempt = 1;
        const std::atomic<std::uint64_t>* note = nullptr;
        unsigned shift = 0;
        std::uint64_t other_bits = 0;
        std::uint64_t first_index = 0;
        std::chrono::nanoseconds time_limit{0};
        std::chrono::steady_clock::time_point begun{};
        std::uint64_t begun_note = 0; // of which item that was
        std::atomic<std::uint64_t>* part = nullptr;
    };

public:
    static constexpr StateSlot slot = StateSlot::task;
    using Clock = std::chrono::steady_clock;

    void before_fork() noexcept {}
    /// The copy is at no task of the pool's.
    void after_fork(bool in_child) noexcept {
        if (in_child) leave();
    }

    /// While it lives, something else may be entered; then what was before is so again.
    class [[nodiscard("an unnamed guard ends at once")]] Scope {
    public:
        explicit Scope(TaskContext& context) : context_(context), before_(context.state_) {}
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;
        ~Scope() { context_.state_ = before_; }

    private:
        TaskContext& context_;
        const State before_;
    };

    /// Of tasks that run in the caller: of this thread alone.
    static TaskContext& of_thread() noexcept;
    /// What the calling code is at.
    static TaskContext& here() noexcept;

    /// This process works for a pool from now on.
    void set_worker(int number) noexcept { worker_ = number; }
    /// A single task begins, for the `number`th time.
    void enter_task(int number, std::chrono::nanoseconds limit) noexcept;
    /// Items of a map begin. Which one it is stands in `note`, shifted by so many bits, beside
    /// `other_bits`. How much of it is done goes to `part`.
    void enter_items(const std::atomic<std::uint64_t>& note, unsigned shift, std::uint64_t other_bits,
                     std::uint64_t first_index, int number, std::chrono::nanoseconds limit,
                     std::atomic<std::uint64_t>& part) noexcept;
    void leave() noexcept { state_.is_entered = false; }

    bool is_entered() const noexcept { return state_.is_entered; }
    int worker() const noexcept { return worker_; }
    int attempt() const noexcept { return state_.attempt; }
    /// 0 for a single task.
    std::size_t index() noexcept;
    /// So much of it is done: 0 to 1.
    void note_part(double part) noexcept;
    /// When its time limit ends; nullopt without one. Of an item it is counted from the first look:
    /// no clock is read for each item.
    std::optional<Clock::time_point> deadline() noexcept;
    /// Somebody has asked for the index: from now on it is to be exact.
    bool is_asked() const noexcept { return state_.is_asked; }

private:
    /// Of a map's items, that which runs, counted in the map.
    std::uint64_t item() noexcept;

    int worker_ = 0;
    State state_;
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE TaskContext& TaskContext::of_thread() noexcept {
    static thread_local TaskContext context;
    return context;
}

MULTIPROCESSING_INLINE TaskContext& TaskContext::here() noexcept {
    TaskContext& inner = of_thread();
    return inner.is_entered() ? inner : process_wide<TaskContext>();
}

MULTIPROCESSING_INLINE void TaskContext::enter_task(int number, std::chrono::nanoseconds limit) noexcept {
    state_.note = nullptr;
    state_.part = nullptr;
    state_.attempt = number;
    state_.time_limit = limit;
    if (limit.count() != 0) state_.begun = Clock::now();
    state_.is_entered = true;
}

MULTIPROCESSING_INLINE void TaskContext::enter_items(const std::atomic<std::uint64_t>& note, unsigned shift,
                                                     std::uint64_t other_bits, std::uint64_t first_index,
                                                     int number, std::chrono::nanoseconds limit,
                                                     std::atomic<std::uint64_t>& part) noexcept {
    state_.note = &note;
    state_.part = &part;
    part.store(0, std::memory_order_relaxed); // what was said of an item of that number in another chunk
    state_.shift = shift;
    state_.other_bits = other_bits;
    state_.first_index = first_index;
    state_.attempt = number;
    state_.time_limit = limit;
    state_.begun_note = ~std::uint64_t{0};
    state_.is_asked = false;
    state_.is_entered = true;
}

MULTIPROCESSING_INLINE std::uint64_t TaskContext::item() noexcept {
    state_.is_asked = true;
    return (state_.note->load(std::memory_order_relaxed) & ~state_.other_bits) >> state_.shift;
}

MULTIPROCESSING_INLINE std::size_t TaskContext::index() noexcept {
    return state_.note ? static_cast<std::size_t>(state_.first_index + item()) : 0;
}

MULTIPROCESSING_INLINE void TaskContext::note_part(double part) noexcept {
    if (state_.part) state_.part->store(PartDone::packed(item(), part), std::memory_order_relaxed);
}

MULTIPROCESSING_INLINE std::optional<TaskContext::Clock::time_point> TaskContext::deadline() noexcept {
    if (state_.time_limit.count() == 0) return std::nullopt;
    if (state_.note) {
        const std::uint64_t note = state_.note->load(std::memory_order_relaxed);
        if (state_.begun_note != note) state_.begun = Clock::now();
        state_.begun_note = note;
    }
    return state_.begun + state_.time_limit;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
