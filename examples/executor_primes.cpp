// SPDX-License-Identifier: BSL-1.0
// Python (the example in the documentation of concurrent.futures):
//     PRIMES = [112272535095293, 112582705942171, 112272535095293, 115280095190773, 115797848077099,
//               1099726899285419]
//
//     def main():
//         with concurrent.futures.ProcessPoolExecutor() as executor:
//             for number, prime in zip(PRIMES, executor.map(is_prime, PRIMES)):
//                 print('%d is prime: %s' % (number, prime))

#include <multiprocessing/multiprocessing.hpp>

#include <cstdint>
#include <iostream>
#include <vector>

namespace mp = multiprocessing;

bool is_prime(std::int64_t n) {
    if (n < 2) return false;
    if (n == 2) return true;
    if (n % 2 == 0) return false;
    for (std::int64_t divisor = 3; divisor * divisor <= n; divisor += 2) {
        if (n % divisor == 0) return false;
    }
    return true;
}

int main() {
    mp::freeze_support();

    const std::vector<std::int64_t> primes{112272535095293, 112582705942171, 112272535095293,
                                           115280095190773, 115797848077099, 1099726899285419};
    mp::futures::ProcessPoolExecutor executor;
    auto number = primes.begin();
    for (const bool prime : executor.map(is_prime, primes))
        std::cout << *number++ << " is prime: " << (prime ? "True" : "False") << '\n';
}

// Output:
// 112272535095293 is prime: True
// 112582705942171 is prime: True
// 112272535095293 is prime: True
// 115280095190773 is prime: True
// 115797848077099 is prime: True
// 1099726899285419 is prime: False
