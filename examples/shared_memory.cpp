// SPDX-License-Identifier: BSL-1.0
// Python:
//     def scale(shm, begin, end):
//         array = np.ndarray(shape=(1_000_000,), dtype=np.float64, buffer=shm.buf)
//         array[begin:end] *= 2
//
//     shm = SharedMemory(create=True, size=1_000_000 * 8)
//     array = np.ndarray(shape=(1_000_000,), dtype=np.float64, buffer=shm.buf)
//     array[:] = np.arange(1_000_000)
//     with Pool(2) as pool:
//         pool.starmap(scale, [(shm, 0, 500_000), (shm, 500_000, 1_000_000)])
//     shm.close(); shm.unlink()

#include <multiprocessing/multiprocessing.hpp>

#include <cstddef>
#include <iostream>
#include <numeric>
#include <span>
#include <system_error>

namespace mp = multiprocessing;
using mp::shared_memory::SharedMemory;

// What crosses is the name of the memory; the numbers stay where they are.
void scale(const SharedMemory& shm, std::size_t begin, std::size_t end) {
    for (double& x : shm.as<double>().subspan(begin, end - begin)) x *= 2;
}

int main() {
    mp::freeze_support();

    constexpr std::size_t count = 1'000'000;
    SharedMemory shm({.create = true, .size = count * sizeof(double)});
    const std::span<double> array = shm.as<double>();
    std::iota(array.begin(), array.end(), 0);

    mp::Pool pool(2);
    pool.starmap(scale, {{shm, 0, count / 2}, {shm, count / 2, count}});
    std::cout << array[1] << ' ' << array[count - 1] << '\n';

    // Any process of this user can find it by its name, a Python program too: SharedMemory(name="...").
    const SharedMemory found({.name = shm.name()});
    std::cout << found.as<double>()[1] << '\n';

    shm.unlink(); // it would outlive this program
}

// Output:
// 2 2e+06
// 2
