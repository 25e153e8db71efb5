#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file process_pool_executor.hpp  Executors of processes. Python:
/// `concurrent.futures.ProcessPoolExecutor`.

#include <multiprocessing/futures.hpp>
#include <multiprocessing/futures/executor_options.hpp>
#include <multiprocessing/futures/map_results.hpp>
#include <multiprocessing/futures/process_executor.hpp>
#include <multiprocessing/futures/reusable_executor.hpp>
#include <multiprocessing/pool/current_task.hpp>
