// SPDX-License-Identifier: BSL-1.0
/// @file program.cpp  By way of a shell and two files, so that neither pipe nor reader can be in the way.

#include <support/program.hpp>

#include <multiprocessing/detail/platform/executable.hpp>
#include <multiprocessing/start_method.hpp>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#if defined(_WIN32)
#include <windows.h>
#else
#include <csignal>
#endif

namespace fs = std::filesystem;

namespace {

std::string content_of(const fs::path& path) {
    std::ifstream file{path, std::ios::binary};
    std::string text{std::istreambuf_iterator<char>(file), {}};
    std::erase(text, '\r');
    return text;
}

/// As one argument of either system's shell.
std::string quoted(const std::string& argument) {
    const bool is_one = argument.find(' ') == argument.npos && !argument.empty();
    return is_one ? argument : '"' + argument + '"';
}

} // namespace

support::Output support::output_of(const std::string& scenario, const std::vector<std::string>& arguments,
                                   const std::string& before) {
    const auto self = multiprocessing::detail::platform::program_path();
    const auto base = fs::temp_directory_path() / ("mp_test_" + std::to_string(std::random_device{}()));
    const std::string out = base.string() + ".out";
    const std::string err = base.string() + ".err";
    std::string command = before;
#if !defined(_WIN32)
    command += "timeout -k 1 150 ";
#endif
    command += (self.parent_path() / ("test_scenarios" + self.extension().string())).string() + " " +
               std::string(to_string(multiprocessing::get_start_method())) + " " + scenario;
    for (const auto& argument : arguments) command += " " + quoted(argument);
    command += " >" + out + " 2>" + err;
    Output output;
    const int status = std::system(command.c_str());
#if defined(_WIN32)
    output.exitcode = status;
#else
    output.exitcode = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
#endif
    output.out = content_of(out);
    output.err = content_of(err);
    fs::remove(out);
    fs::remove(err);
    return output;
}

void support::kill_process(int pid) {
#if defined(_WIN32)
    HANDLE process = OpenProcess(PROCESS_TERMINATE, FALSE, static_cast<DWORD>(pid));
    if (!process) return; // it has ended already
    TerminateProcess(process, 9);
    CloseHandle(process);
#else
    ::kill(pid, SIGKILL);
#endif
}
