// SPDX-License-Identifier: BSL-1.0
/// @file compiled.cpp  The one source of multiprocessing::compiled: all bodies that are no templates.

#define MULTIPROCESSING_SOURCE
#include <multiprocessing/multiprocessing.hpp>
