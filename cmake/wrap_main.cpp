// SPDX-License-Identifier: BSL-1.0
/// @file wrap_main.cpp  Part of every program that links multiprocessing::main: with `-Wl,--wrap=main` the C library
/// calls this in place of main(), wherever that comes from.

#include <multiprocessing/spawn.hpp>

// NOLINTBEGIN(bugprone-reserved-identifier): these names are the linker's
extern "C" int __real_main(int argc, char** argv, char** environment);
extern "C" int __wrap_main(int argc, char** argv, char** environment);

int __wrap_main(int argc, char** argv, char** environment) {
    multiprocessing::freeze_support();
    return __real_main(argc, argv, environment);
}
// NOLINTEND(bugprone-reserved-identifier)
