// SPDX-License-Identifier: BSL-1.0
// Python:
//     with ThreadPool(4) as pool:
//         print(pool.map(lambda word: words[word], ["one", "two"]))
//
//     with ThreadPoolExecutor(2) as executor:
//         futures = [executor.submit(download, page) for page in ("a.html", "b.html")]
//         for future in futures: print(future.result())

#include <multiprocessing/multiprocessing.hpp>

#include <atomic>
#include <functional>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace mp = multiprocessing;

int main() {
    mp::freeze_support();

    // The calls of Pool, on threads: lambdas may capture, and nothing is copied to another process.
    const std::map<std::string, int> numbers{{"one", 1}, {"two", 2}};
    mp::pool::ThreadPool pool(4);
    const std::vector<std::string> words{"one", "two", "three"};
    for (const auto& outcome : pool.try_map([&](const std::string& word) { return numbers.at(word); }, words))
        std::cout << outcome.value_or(-1) << ' ';
    std::cout << '\n';

    std::atomic<int> downloads{0};
    const std::function<std::string(std::string)> download = [&](const std::string& page) {
        ++downloads;
        return "the text of " + page;
    };
    mp::futures::ThreadPoolExecutor executor(2); // the same as ProcessPoolExecutor
    const auto a = executor.submit(download, "a.html");
    const auto b = executor.submit(download, "b.html");
    std::cout << a.result() << ", " << b.result() << '\n';
    std::cout << downloads << " downloads\n";
}

// Output:
// 1 2 -1
// the text of a.html, the text of b.html
// 2 downloads
