// SPDX-License-Identifier: BSL-1.0
// A program that lives in a framework: it calls freeze_support() nowhere.
#include <multiprocessing/pool.hpp>
#include <multiprocessing/process.hpp>

#include <cstdio>
#include <cstdlib>

namespace mp = multiprocessing;

int run_tests() {
    for (const auto method : mp::get_all_start_methods()) {
        mp::Process process({.start_method = method}, [] { std::exit(7); });
        process.start();
        process.join();
        if (process.exitcode() != 7) return 1;
    }
    mp::Pool pool({.processes = 2, .start_method = mp::StartMethod::spawn});
    if (pool.apply([](int number) { return number + 1; }, 1) != 2) return 2;
    std::puts("hosted: as it should be");
    return 0;
}
