// error: multiprocessing::shared_vector<int> cannot cross a process boundary \(shared handle: may only be passed to a child process or task as an argument\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/reduction.hpp>
#include <multiprocessing/shared_vector.hpp>

int main() {
    multiprocessing::shared_vector<int> numbers{1, 2, 3};
#ifdef TWIN
    multiprocessing::dumps(numbers.copy());
#else
    multiprocessing::dumps(numbers);
#endif
}
