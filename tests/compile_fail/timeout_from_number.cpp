// error: use of deleted function .multiprocessing::v1::Timeout::Timeout\(Number\) \[with Number = int\].*say the unit: 2s, 500ms
// error of Clang: invokes a deleted function.*say the unit: 2s, 500ms
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/process.hpp>

#include <chrono>

int main() {
    multiprocessing::Process p([] {});
#ifdef TWIN
    p.join(std::chrono::seconds{2});
#else
    p.join(2);
#endif
}
