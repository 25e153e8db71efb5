// SPDX-License-Identifier: BSL-1.0
// Python:
//     with ProcessPoolExecutor(max_workers=3) as executor:
//         letters = {executor.submit(count_letters, text): title for title, text in texts.items()}
//         for future in as_completed(letters):
//             try: print(letters[future], future.result())
//             except ValueError as error: print(letters[future], error)

#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <cctype>
#include <iostream>
#include <map>
#include <ranges>
#include <stdexcept>
#include <string>
#include <unordered_map>

namespace mp = multiprocessing;

long count_letters(const std::string& text) {
    if (text.empty()) throw std::invalid_argument("has no text");
    return std::ranges::count_if(text, [](unsigned char c) { return std::isalpha(c) != 0; });
}

int main() {
    mp::freeze_support();

    const std::map<std::string, std::string> texts{
        {"one", "It was a dark night."}, {"two", ""}, {"three", "42!"}};

    mp::futures::ProcessPoolExecutor executor(3);
    std::unordered_map<mp::futures::Future<long>, std::string> titles; // a future is a key, as in Python
    for (const auto& [title, text] : texts) titles.emplace(executor.submit(count_letters, text), title);

    // Each future as soon as it has ended.
    for (const auto& future : mp::futures::as_completed(std::views::keys(titles))) {
        try {
            const long letters = future.result();
            std::cout << titles.at(future) << ": " << letters << '\n';
        } catch (const std::invalid_argument& error) {
            std::cout << titles.at(future) << ": " << error.what() << '\n';
        }
    }
} // the end of its scope waits for what runs, as `with` does

// Output, in any order:
// one: 15
// two: has no text
// three: 0
