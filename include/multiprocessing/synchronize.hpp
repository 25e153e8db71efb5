#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file synchronize.hpp  Locks, semaphores, conditions, events and barriers between processes,
/// which survive a kill.

// All of these are handles: copies refer to the same object, and reach another process as an
// argument. All operations are const, and may be called by many threads and processes at once. Time
// is the steady clock's.
#include <multiprocessing/synchronize/barrier.hpp>
#include <multiprocessing/synchronize/condition.hpp>
#include <multiprocessing/synchronize/event.hpp>
#include <multiprocessing/synchronize/lock.hpp>
#include <multiprocessing/synchronize/semaphore.hpp>
