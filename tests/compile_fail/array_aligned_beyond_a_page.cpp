// error: .*a type in shared memory is aligned to at most 4096 bytes, a page
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/sharedctypes.hpp>

#ifdef TWIN
struct alignas(4096) Page {
#else
struct alignas(8192) Page {
#endif
    int number;
};

int main() { multiprocessing::Array<Page> pages(3); }
