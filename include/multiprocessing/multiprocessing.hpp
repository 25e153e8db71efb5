#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file multiprocessing.hpp  Everything that needs no library beyond Boost's headers. Python:
/// `import multiprocessing`.

#include <multiprocessing/connection.hpp>
#include <multiprocessing/context.hpp>
#include <multiprocessing/count.hpp>
#include <multiprocessing/dummy.hpp>
#include <multiprocessing/environment.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/futures.hpp>
#include <multiprocessing/managers.hpp>
#include <multiprocessing/partial.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/process_pool_executor.hpp>
#include <multiprocessing/progress.hpp>
#include <multiprocessing/queues.hpp>
#include <multiprocessing/reduction.hpp>
#include <multiprocessing/remote_exceptions.hpp>
#include <multiprocessing/sentinel.hpp>
#include <multiprocessing/shareable_list.hpp>
#include <multiprocessing/shareable_value.hpp>
#include <multiprocessing/shared_memory.hpp>
#include <multiprocessing/shared_vector.hpp>
#include <multiprocessing/sharedctypes.hpp>
#include <multiprocessing/spawn.hpp>
#include <multiprocessing/start_method.hpp>
#include <multiprocessing/synchronize.hpp>
#include <multiprocessing/thread_pool.hpp>
#include <multiprocessing/timeout.hpp>
#include <multiprocessing/util.hpp>
#include <multiprocessing/version.hpp>
