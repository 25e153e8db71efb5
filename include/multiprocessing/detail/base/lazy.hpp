#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file lazy.hpp  A value that is made on first use, in a program whose other threads may fork
/// meanwhile.

#include <multiprocessing/detail/config.hpp>

#include <atomic>
#include <memory>

namespace multiprocessing::inline v1::detail {

/// Holds what the first `get` made; never destroyed, as exit handlers may still use it. For static
/// storage.
///
/// A local static would do but for this: its guard, held by one thread while another forks, stays
/// taken in the child forever. (A worker that the supervisor forked while its caller went to wait
/// hung at its own first wait.) Here two threads may make the value at once, and one of the two is
/// thrown away.
template <class T>
class Lazy {
public:
    constexpr Lazy() noexcept = default;
    Lazy(const Lazy&) = delete;
    Lazy& operator=(const Lazy&) = delete;

    template <class Make>
    const T& get(Make make) {
        if (const T* made = value_.load(std::memory_order_acquire)) return *made;
        auto mine = std::make_unique<const T>(make());
        const T* others = nullptr;
        if (value_.compare_exchange_strong(others, mine.get(), std::memory_order_acq_rel))
            return *mine.release();
        return *others;
    }

private:
    std::atomic<const T*> value_{nullptr};
};

} // namespace multiprocessing::inline v1::detail
