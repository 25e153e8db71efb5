// error: field 1 'name' of .*Local: char\* cannot cross a process boundary \(C string pointer: use std::string\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/reduction.hpp>

#include <string>

namespace {
#ifdef TWIN
using Name = std::string;
#else
using Name = char*;
#endif
} // namespace

int main() {
    struct Local { // neither it nor what is made for it has linkage
        int id;
        Name name;
    };
    multiprocessing::dumps(Local{});
}
