#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file result_state.hpp  The value of a result: written once, then copied to all callers or moved
/// out to one.

#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/result/result_base.hpp>

#include <atomic>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>

namespace multiprocessing::inline v1::detail {

/// A result of type R. A derived class writes `value_` or `error_` once, before ready() is true.
template <class R>
class ResultState : public ResultBase {
public:
    using Value = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

    /// Returns a copy of the value, or throws. After fetch().
    Value copy() {
        require_success();
        if constexpr (!std::is_trivially_copyable_v<Value>) {
            copier_.store([](const Value& value) { return Value(value); }, std::memory_order_relaxed);
            const Use use{*this};
            return *value_;
        } else { // to be moved changes nothing of it
            if (moved_.load(std::memory_order_relaxed)) throw_moved();
            return *value_;
        }
    }

    /// Returns the value, given away for good, or throws. After fetch().
    Value move_out() {
        require_success();
        if (moved_.exchange(true, std::memory_order_seq_cst)) throw_moved();
        // Another thread copies it just now, or a callback looks at it. (Whether it can be copied
        // is known where it is: a vector of what cannot claims that it could.)
        while (uses_.load(std::memory_order_seq_cst) != 0) {
            if (const auto copy_of = copier_.load(std::memory_order_relaxed)) return copy_of(*value_);
            if (viewer_.load(std::memory_order_relaxed) == std::this_thread::get_id()) {
                moved_.store(false, std::memory_order_relaxed);
                throw std::logic_error("multiprocessing: a result was moved out by the callback that is called "
                                       "with it: copy what the callback was given");
            }
            std::this_thread::yield();
        }
        return std::move(*value_);
    }

    /// Returns what get() of a handle returns: a copy, of what can be copied. After fetch().
    R get() {
        if constexpr (std::is_void_v<R>) {
            this->require_success();
        } else if constexpr (std::is_copy_constructible_v<R>) {
            return copy();
        } else {
            return move_out();
        }
    }
    /// Returns what get() of a handle returns that is an rvalue.
    R get_moved() {
        if constexpr (std::is_void_v<R>) {
            this->require_success();
        } else {
            return move_out();
        }
    }

    /// Calls `look(const Value&)`, or throws. After fetch().
    template <class Look>
    void view(Look look) {
        require_success();
        if constexpr (std::is_copy_constructible_v<Value> && std::is_trivially_copyable_v<Value>) {
            const Value value = copy();
            look(value);
        } else {
            const Use use{*this};
            viewer_.store(std::this_thread::get_id(), std::memory_order_relaxed);
            const ScopeExit seen{[this] { viewer_.store({}, std::memory_order_relaxed); }};
            look(std::as_const(*value_));
        }
    }

protected:
    ResultState() = default;
    explicit ResultState(Value value) : value_(std::move(value)) {}

    std::optional<Value> value_;

private:
    /// While it lives the value is not moved out. Sequentially consistent, as in take(): either
    /// this sees that the value is moved, or take() that it is used.
    struct Use {
        explicit Use(ResultState& result) : state(result) {
            state.uses_.fetch_add(1, std::memory_order_seq_cst);
            if (!state.moved_.load(std::memory_order_seq_cst)) return;
            state.uses_.fetch_sub(1, std::memory_order_release);
            throw_moved();
        }
        Use(const Use&) = delete;
        Use& operator=(const Use&) = delete;
        ~Use() { state.uses_.fetch_sub(1, std::memory_order_release); }
        ResultState& state;
    };

    [[noreturn]] static void throw_moved() {
        throw std::logic_error(
            "multiprocessing: this result was moved out by an earlier get(): keep what that returned");
    }

    std::atomic<bool> moved_{false};
    std::atomic<std::size_t> uses_{0}; // threads that read the value
    std::atomic<Value (*)(const Value&)> copier_{nullptr};
    std::atomic<std::thread::id> viewer_{}; // the last thread that looks at it in a callback
};

} // namespace multiprocessing::inline v1::detail
