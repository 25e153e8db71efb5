#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file face.hpp  The body of a Face, in each image anew. Every function is local to its image, as a plugin's are.

#include <consumer/plugin/plugin.hpp>

#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <exception>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace mp = multiprocessing;

std::string error_text;
std::optional<mp::Process> process;

mp::StartMethod method_of(const char* text) {
    for (const auto method : mp::get_all_start_methods()) {
        if (to_string(method) == std::string(text)) return method;
    }
    throw std::invalid_argument("no such start method");
}

void stay() { std::this_thread::sleep_for(std::chrono::hours{1}); }
int square(int number) { return number * number; }

constexpr Face face{
    [](const char* method) -> int {
        try {
            process.emplace(mp::ProcessOptions{.start_method = method_of(method)}, stay);
            process->start();
            return process->pid().value();
        } catch (const std::exception& error) {
            error_text = error.what();
            return 0;
        }
    },
    []() -> int {
        process->terminate();
        process->join();
        const int code = process->exitcode().value();
        process.reset();
        return code;
    },
    []() -> int {
        process->join();
        return process->exitcode().value();
    },
    []() -> std::size_t { return mp::active_children().size(); },
    [](int pid) -> bool {
        for (const auto& child : mp::active_children()) {
            if (child.pid() == pid) return true;
        }
        return false;
    },
    [](const char* method) -> int {
        try {
            mp::Pool pool({.processes = 2, .start_method = method_of(method)});
            // A function by pointer and one without a name: the one is code, the other data of this image.
            const std::vector<int> squares = pool.map(square, {1, 2, 3});
            return pool.apply([](std::vector<int> all) { return std::accumulate(all.begin(), all.end(), 0); },
                              squares);
        } catch (const std::exception& error) {
            error_text = error.what();
            return 0;
        }
    },
    []() -> void { throw mp::WorkerLostError("from afar", 1, 2, 3); },
    []() -> const void* { return &mp::get_logger(); },
    []() -> const char* { return error_text.c_str(); },
};

} // namespace
