// SPDX-License-Identifier: BSL-1.0
/// @file main.cpp  Somebody else's main(), in a library: it has never heard of freeze_support().

#include <cstdio>
#include <string>

int run();

int main(int argc, char** argv, char** environment) {
    if (argc != 3 || argv[1] != std::string("one") || argv[2] != std::string("two words") || !environment) {
        std::printf("main() did not get its arguments\n");
        return 2;
    }
    return run();
}
