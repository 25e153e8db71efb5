// error: std::string_view cannot cross a process boundary \(view of a string that stays behind: use std::string\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/pool.hpp>

#include <string>
#include <string_view>
#include <vector>

#ifdef TWIN
std::string first_word(const std::string& text) { return text.substr(0, text.find(' ')); }
#else
std::string_view first_word(const std::string& text) { return {text.data(), text.find(' ')}; }
#endif

int main() {
    multiprocessing::Pool pool;
    pool.map(first_word, std::vector<std::string>{"one word"});
}
