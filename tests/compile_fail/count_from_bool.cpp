// error: use of deleted function .multiprocessing::v1::Count::Count\(Other\) \[with Other = bool\].*a count is an integer
// error of Clang: deleted function.*a count is an integer
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/count.hpp>

int main() {
#ifdef TWIN
    const multiprocessing::Count count = 4;
#else
    const multiprocessing::Count count = true;
#endif
    return static_cast<int>(count.value());
}
