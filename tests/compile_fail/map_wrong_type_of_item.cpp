// error: the function Length cannot be called with 1 argument \(int\), which reach it as values
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/pool.hpp>

#include <string>
#include <vector>

struct Length {
    auto operator()(const auto& text) const -> decltype(text.size()) { return text.size(); }
};

int main() {
    multiprocessing::Pool pool;
#ifdef TWIN
    const std::vector<std::string> items;
#else
    const std::vector<int> items;
#endif
    pool.map(Length{}, items);
}
