#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file result_stream.hpp  Results that are taken one by one: what an iterator over the results of
/// a map asks, whether processes or threads make them.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/types/plain.hpp>
#include <multiprocessing/timeout.hpp>

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace multiprocessing::inline v1::detail {

/// What came of one call: its result, `std::monostate` for void, or its exception.
template <class R>
struct TakenResult {
    using Value = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

    std::optional<Value> value;
    std::exception_ptr error;

    /// Takes a result, or an error: `read()` returns the result, or throws why there is none.
    template <class Read>
    void take(Read read) noexcept {
        try {
            value.emplace(read());
        } catch (...) {
            value.reset();
            error = std::current_exception();
        }
    }
};

/// Used by one thread at a time.
template <class R>
class ResultStream {
public:
    using Taken = TakenResult<R>;
    using Value = typename Taken::Value;
    static constexpr bool is_plain = is_plain_in_blocks<R>;

    ResultStream() = default;
    ResultStream(const ResultStream&) = delete;
    ResultStream& operator=(const ResultStream&) = delete;
    virtual ~ResultStream() = default;

    /// Returns whether a result is left, which may not be there yet.
    bool has_next() { return is_taken_ || run_ != run_end_ || has_more(); }
    /// Waits for the next result, which stays at hand until pop(); false when the deadline passed.
    /// After has_next().
    bool wait(const Deadline& deadline) { return is_at_hand() || wait_for_next(deadline); }
    /// Returns whether wait() would not wait, as far as that is known without asking anybody.
    bool is_at_hand() { return is_taken_ || take_from_run(); }

    /// Returns the result at hand; throws the error of its task.
    Value& value() {
        if (taken_.error) std::rethrow_exception(taken_.error);
        return *taken_.value;
    }
    void pop() noexcept {
        is_taken_ = false;
        if constexpr (!is_plain) taken_.value.reset();
        if (taken_.error) taken_.error = nullptr;
    }

    /// Returns what the calls that run have done by now, as they say themselves.
    virtual double under_way() const { return 0; }
    /// Returns whether the result at hand is an error.
    bool is_failure() const noexcept { return taken_.error != nullptr; }

    /// Cancels what has not begun, and reads no more.
    virtual void abandon() noexcept = 0;
    /// Leaves all that was submitted running; its results are not taken.
    virtual void leave_running() noexcept = 0;

protected:
    virtual bool has_more() = 0;
    /// Waits, and calls take() or set_run().
    virtual bool wait_for_next(const Deadline& deadline) = 0;

    /// Takes the next result, or an error: `read()` returns the result, or throws why there is
    /// none.
    template <class Read>
    void take(Read read) {
        taken_.take(std::move(read));
        is_taken_ = true;
    }

    /// Sets plain results that lie side by side: they are copied one by one.
    void set_run(const Value* begin, const Value* end) {
        run_ = begin;
        run_end_ = end;
    }
    bool take_from_run() {
        if constexpr (is_plain) {
            if (run_ == run_end_) return false;
            taken_.value.emplace(*run_++);
            is_taken_ = true;
            return true;
        } else {
            return false;
        }
    }

private:
    Taken taken_;
    bool is_taken_ = false; // and not popped
    const Value* run_ = nullptr;
    const Value* run_end_ = nullptr;
};

} // namespace multiprocessing::inline v1::detail
