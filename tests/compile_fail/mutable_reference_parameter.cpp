// error: the function takes a non-const reference: the child gets a copy; what it writes there is lost: use Value, Array, a Queue or the result
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/process.hpp>

#include <vector>

#ifdef TWIN
void fill(std::vector<int>) {}
#else
void fill(std::vector<int>& numbers) { numbers.push_back(1); }
#endif

int main() {
    std::vector<int> numbers;
    multiprocessing::Process p(fill, numbers);
}
