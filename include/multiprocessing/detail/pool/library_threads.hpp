#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file library_threads.hpp  How many threads numeric libraries may start in a worker.

#include <multiprocessing/count.hpp>
#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/environment.hpp>

namespace multiprocessing::inline v1::detail {

/// Sets the variables by which such libraries are told, but for those that the program sets itself.
MULTIPROCESSING_INLINE void limit_threads(Environment& env, Count threads);

/// In a worker, in the thread that runs its tasks: tells the libraries that are loaded what these
/// variables say. They have read others, as copies of a process have its libraries.
MULTIPROCESSING_INLINE void tell_loaded_libraries();

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/platform/executable.hpp>

#include <cstdlib>
#include <limits>
#include <string>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void limit_threads(Environment& env, Count threads) {
    if (threads.value() == 0) return;
    for (const char* const name :
         {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
          "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"})
        env.emplace(name, std::to_string(threads.value()));
}

/// Calls the function of that name, if it is there, with what the variable says, if that is a
/// number of threads.
template <class Number>
void tell_library(const char* function, const char* variable) {
    const char* const text = std::getenv(variable);
    const long threads = text ? std::strtol(text, nullptr, 10) : 0; // OMP_NUM_THREADS may be a list
    if (threads <= 0 || threads > (std::numeric_limits<int>::max)()) return;
    if (void* const found = platform::loaded_function(function))
        reinterpret_cast<void (*)(Number)>(found)(static_cast<Number>(threads));
}

MULTIPROCESSING_INLINE void tell_loaded_libraries() {
    tell_library<int>("openblas_set_num_threads", "OPENBLAS_NUM_THREADS");
    tell_library<int>("MKL_Set_Num_Threads", "MKL_NUM_THREADS"); // in lower case it is Fortran's
    tell_library<long>("bli_thread_set_num_threads", "BLIS_NUM_THREADS");
    // Last: an OpenBLAS that works by OpenMP calls it, too.
    tell_library<int>("omp_set_num_threads", "OMP_NUM_THREADS");
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
