#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file result_stream.hpp  Results that are taken one by one: what an iterator over the results of
/// a map asks, whether processes or threads make them.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/timeout.hpp>

#include <exception>
#include <optional>
#include <type_traits>
#include <variant>

namespace multiprocessing::inline v1::detail {

/// What came of one call: its result, `std::monostate` for void, or its exception.
template <class R>
struct TakenResult {
    using Value = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

    std::optional<Value> value;
    std::exception_ptr error;
};

/// Used by one thread at a time.
template <class R>
class ResultStream {
public:
    using Taken = TakenResult<R>;
    using Value = typename Taken::Value;

    virtual ~ResultStream() = default;

    /// Whether a result is left, which may not be there yet.
    virtual bool has_next() = 0;
    /// Waits for the next result, which stays at hand until pop(); false when the deadline passed.
    /// After has_next().
    virtual bool wait(const Deadline& deadline) = 0;
    /// Nothing that has not begun is to be run.
    virtual void abandon() noexcept = 0;
    /// All that was submitted is run, and nobody takes its results.
    virtual void leave_running() noexcept = 0;

    Taken& taken() { return *taken_; }
    void pop() { taken_.reset(); }

protected:
    std::optional<Taken> taken_;
};

} // namespace multiprocessing::inline v1::detail
