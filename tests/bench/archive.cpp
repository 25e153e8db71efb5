// SPDX-License-Identifier: BSL-1.0
// What it costs to turn values into bytes and back.

#include "bench.hpp"

#include <multiprocessing/reduction.hpp>

#include <cstddef>
#include <cstring>
#include <vector>

namespace mp = multiprocessing;

int main() {
    const std::vector<double> numbers(1'000'000, 1.5);
    const std::vector<std::byte> bytes = mp::dumps(numbers);
    std::vector<double> copy(numbers.size());
    const auto copied = [&] {
        std::memcpy(copy.data(), numbers.data(), numbers.size() * sizeof(double));
        bench::keep(copy);
    };
    bench::compare(
        "dumps of 1,000,000 doubles / memcpy", 1.6, [&] { bench::keep(mp::dumps(numbers)); }, copied, 100);
    bench::compare(
        "loads of the same / memcpy", 1.6, [&] { bench::keep(mp::loads<std::vector<double>>(bytes)); }, copied,
        100);
}
