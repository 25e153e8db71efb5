#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file futures.hpp  Future, Promise, wait and as_completed: results of any executor. Python:
/// `concurrent.futures`.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/futures/future.hpp>
#include <multiprocessing/futures/promise.hpp>
#include <multiprocessing/futures/wait.hpp> // for wait and as_completed

#include <concepts>

namespace multiprocessing::inline v1::futures {

/// What carries out calls: `submit(f, arguments...)` gives a Future of what f returns, `shutdown()`
/// waits for all of them. Python: `concurrent.futures.Executor`.
template <class E>
concept Executor = requires(E& executor, int (*function)(int)) {
    { executor.submit(function, 1) } -> std::same_as<Future<int>>;
    executor.shutdown();
};

} // namespace multiprocessing::inline v1::futures
