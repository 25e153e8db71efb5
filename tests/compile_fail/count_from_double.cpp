// error: use of deleted function .multiprocessing::v1::Count::Count\(Other\) \[with Other = double\].*a count is an integer
// error of Clang: deleted function.*a count is an integer
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/pool.hpp>

int main() {
#ifdef TWIN
    multiprocessing::Pool pool(4);
#else
    multiprocessing::Pool pool(4.0);
#endif
}
