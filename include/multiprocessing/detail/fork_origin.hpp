#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file fork_origin.hpp  Which process made an object: in the copies that a fork makes of it the
/// object is another's.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/process_wide.hpp>

#include <cstdint>

namespace multiprocessing::inline v1::detail {

/// The process that made an object, told from every copy that any kind of fork makes of it. A
/// member of what belongs to one process; it is copied and moved with the object.
class ForkOrigin {
public:
    /// Returns whether the calling process is the one.
    bool is_here() const noexcept { return copies_ == count_copies(); }

    /// Throws `std::logic_error` in any other process. `object`: "this Pool"; `remedy`: what to do
    /// there.
    void require_here(const char* object, const char* remedy) const;

private:
    [[noreturn]] static void throw_elsewhere(const char* object, const char* remedy);

    std::uint32_t copies_ = count_copies();
};

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <stdexcept>
#include <string>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void ForkOrigin::require_here(const char* object, const char* remedy) const {
    if (!is_here()) throw_elsewhere(object, remedy);
}

MULTIPROCESSING_INLINE void ForkOrigin::throw_elsewhere(const char* object, const char* remedy) {
    throw std::logic_error(std::string("multiprocessing: ") + object +
                           " belongs to the process that made it, which is another one: " + remedy);
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
