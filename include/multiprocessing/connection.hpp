#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file connection.hpp  Messages between two processes: Connection, Pipe(), waiting for any of
/// several, and handles on their way. Python: `multiprocessing.connection`.

#include <multiprocessing/connection/connection.hpp>
#include <multiprocessing/connection/handles.hpp>
#include <multiprocessing/connection/pipe.hpp>
#include <multiprocessing/connection/wait.hpp>
