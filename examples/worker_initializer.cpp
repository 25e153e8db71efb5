// SPDX-License-Identifier: BSL-1.0
// Python:
//     model = None
//
//     def load(language):                # once in each worker, before its first task
//         global model
//         model = {"one": 1, "two": 2} if language == "en" else {"eins": 1, "zwei": 2}
//
//     def translate(word): return model.get(word, 0)
//
//     with Pool(2, initializer=load, initargs=("de",)) as pool:
//         print(pool.map(translate, ["zwei", "eins", "two"]))

#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <map>
#include <string>

namespace mp = multiprocessing;

std::map<std::string, int>
    model; // each worker has its own: what is costly to make is made once, not once per task

void load(const std::string& language) {
    if (language == "en") {
        model = {{"one", 1}, {"two", 2}};
    } else {
        model = {{"eins", 1}, {"zwei", 2}};
    }
}

int translate(const std::string& word) {
    const auto found = model.find(word);
    return found == model.end() ? 0 : found->second;
}

int main() {
    mp::freeze_support();

    mp::Pool pool(2, load, "de");
    for (const int number : pool.map(translate, {"zwei", "eins", "two"})) std::cout << number << '\n';
}

// Output:
// 2
// 1
// 0
