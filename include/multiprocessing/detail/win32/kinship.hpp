#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file kinship.hpp  Win32 twin: a program has the rights of the process that starts it.

#include <multiprocessing/detail/config.hpp>

#include <string>

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE std::string stranger(const Handle&, bool);

} // namespace multiprocessing::inline v1::detail::platform

#if MULTIPROCESSING_BODIES

namespace multiprocessing::inline v1::detail::platform {

MULTIPROCESSING_INLINE std::string stranger(const Handle&, bool) { return {}; }

} // namespace multiprocessing::inline v1::detail::platform

#endif // MULTIPROCESSING_BODIES
