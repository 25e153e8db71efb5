// SPDX-License-Identifier: BSL-1.0
// Python:
//     def initializer(queue):                                    # a number for each worker, by hand
//         os.environ["CUDA_VISIBLE_DEVICES"] = str(queue.get())
//         os.environ["OMP_NUM_THREADS"] = "1"                    # too late, if numpy is loaded already
//     with Pool(2, initializer, (queue,)) as pool: ...

#include <multiprocessing/multiprocessing.hpp>

#include <cstdlib>
#include <iostream>
#include <string>

namespace mp = multiprocessing;

std::string variable(const std::string& name) {
    const char* const value = std::getenv(name.c_str());
    return value ? value : "not set";
}

// Which device this worker has, beside what the library says.
bool has_its_device(int) {
    return variable("CUDA_VISIBLE_DEVICES") == std::to_string(mp::current_task().worker());
}

int main() {
    mp::freeze_support();

    mp::Pool pool({.processes = 2,
                   .threads_per_worker = 1, // of OpenMP, OpenBLAS, MKL and the like: 2 workers, 2 threads
                   .env = {{"MODE", "batch"}},
                   .worker_env = [](int worker) {
                       return mp::Environment{{"CUDA_VISIBLE_DEVICES", std::to_string(worker)}};
                   }});
    std::cout << pool.apply(variable, "MODE") << ", " << pool.apply(variable, "OMP_NUM_THREADS") << " thread\n";
    std::cout << std::boolalpha;
    for (const bool right : pool.map(has_its_device, {1, 2, 3, 4}, {.chunksize = 1})) std::cout << right << ' ';
    std::cout << '\n';
}

// Output:
// batch, 1 thread
// true true true true
