// SPDX-License-Identifier: BSL-1.0
/// @file precompiled.hpp  What all cases may include, compiled once for them.
#ifndef MULTIPROCESSING_TESTS_PRECOMPILED
#define MULTIPROCESSING_TESTS_PRECOMPILED // as the main file of a compilation it must not say #pragma once
#include <multiprocessing/multiprocessing.hpp>

#include <any>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <functional>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <ranges>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>
#endif
