// error: std::string_view cannot cross a process boundary \(view of a string that stays behind: use std::string\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/reduction.hpp>

#include <string>
#include <string_view>

#ifdef TWIN
using Text = std::string;
#else
using Text = std::string_view;
#endif

int main() { return static_cast<int>(multiprocessing::loads<Text>({}).size()); }
