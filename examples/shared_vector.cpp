// SPDX-License-Identifier: BSL-1.0
// Python:
//     def halve(name, n, begin, end):
//         shm = SharedMemory(name)
//         np.ndarray(n, "d", shm.buf)[begin:end] /= 2
//
//     def root(name, n, out, i):
//         np.ndarray(n, "d", SharedMemory(out).buf)[i] = np.sqrt(np.ndarray(n, "d", SharedMemory(name).buf)[i])
//
//     shm, out = SharedMemory(create=True, size=8 * n), SharedMemory(create=True, size=8 * n)
//     np.ndarray(n, "d", shm.buf)[:] = np.arange(n) ** 2 * 2
//     with Pool() as pool:
//         pool.starmap(halve, [(shm.name, n, 0, n // 2), (shm.name, n, n // 2, n)])
//         pool.map(partial(root, shm.name, n, out.name), range(n))
//     shm.unlink(); out.unlink()

#include <multiprocessing/multiprocessing.hpp>

#include <cmath>
#include <cstddef>
#include <iostream>
#include <numeric>

namespace mp = multiprocessing;

// The elements are the caller's own: nothing is copied, there or back.
void halve(mp::shared_vector<double>& numbers, std::size_t begin, std::size_t end) {
    for (double& x : numbers.span().subspan(begin, end - begin)) x /= 2;
}

double root(double x) { return std::sqrt(x); }

int main() {
    mp::freeze_support();

    mp::shared_vector<double> numbers; // grows as a std::vector does, in the process that owns it
    for (int i = 0; i < 1000; ++i) numbers.push_back(2.0 * i * i);
    const std::size_t half = numbers.size() / 2;

    mp::Pool pool;
    auto first = pool.apply_async(halve, numbers, std::size_t{0}, half);
    auto second = pool.apply_async(halve, numbers, half, numbers.size());
    first.get();
    second.get();
    std::cout << numbers[3] << ' ' << numbers[999] << '\n';

    // The workers read the elements where they are, and write the results to where they shall be.
    mp::shared_vector<double> roots;
    pool.map_into(root, numbers, roots);
    std::cout << roots[3] << ' ' << roots[999] << ' ' << std::accumulate(roots.begin(), roots.end(), 0.0)
              << '\n';
}

// Output:
// 9 998001
// 3 999 499500
