#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file scope_exit.hpp  A guard that undoes, unless told that all went well.

#include <multiprocessing/detail/config.hpp>

#include <utility> // for exchange, move

namespace multiprocessing::inline v1::detail {

/// Calls `undo` when it goes out of scope, however that happens, unless release() was called.
template <class Undo>
class [[nodiscard("an unnamed guard undoes at once")]] ScopeExit {
public:
    explicit ScopeExit(Undo undo) : undo_(std::move(undo)) {}
    ScopeExit(ScopeExit&& other) noexcept
        : undo_(std::move(other.undo_)), armed_(std::exchange(other.armed_, false)) {}
    ScopeExit& operator=(ScopeExit&&) = delete;
    ~ScopeExit() {
        if (armed_) undo_();
    }

    /// Disarms the guard: all went well, and nothing is undone.
    void release() noexcept { armed_ = false; }

private:
    Undo undo_;
    bool armed_ = true;
};

} // namespace multiprocessing::inline v1::detail
