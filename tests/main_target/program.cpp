// SPDX-License-Identifier: BSL-1.0
/// @file program.cpp  What a program without a main() of its own does with processes.

#include <multiprocessing/pool.hpp>
#include <multiprocessing/process.hpp>

#include <cstdio>
#include <exception>
#include <string>

namespace mp = multiprocessing;

int run();

namespace {

struct Greeting {
    const char* text = "a static object of the child";
};
const Greeting greeting; // made before freeze_support() runs the child

void say_hello(const std::string& name) { std::printf("hello %s from %s\n", name.c_str(), greeting.text); }
int square(int x) { return x * x; }

} // namespace

int run() try {
    for (const auto method : mp::get_all_start_methods()) {
        mp::Process p({.start_method = method}, say_hello, std::string(to_string(method)));
        p.start();
        p.join();
        if (p.exitcode() != 0) return 3;
        mp::Pool pool({.processes = 2, .start_method = method});
        for (const int result : pool.map(square, {1, 2, 3})) std::printf("%d ", result);
        std::printf("\n");
    }
    return 0;
} catch (const std::exception& error) {
    std::printf("%s\n", error.what());
    return 1;
}
