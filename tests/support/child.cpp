// SPDX-License-Identifier: BSL-1.0
/// @file child.cpp  The child program of the contracts' suites: one mode per behaviour, no sleeps.
///
///   test_child MODE [ARGUMENT...]

#include <multiprocessing/detail/platform/crash.hpp>
#include <multiprocessing/detail/platform/doorbell.hpp>
#include <multiprocessing/detail/platform/executable.hpp>
#include <multiprocessing/detail/platform/handle.hpp>
#include <multiprocessing/detail/platform/kinship.hpp>
#include <multiprocessing/detail/platform/lifeline.hpp>
#include <multiprocessing/detail/platform/memory.hpp>
#include <multiprocessing/detail/platform/parking.hpp>
#include <multiprocessing/detail/platform/pipe.hpp>
#include <multiprocessing/detail/platform/process.hpp>
#include <multiprocessing/detail/platform/standard_streams.hpp>

#include <boost/interprocess/mapped_region.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <span>
#include <string>
#include <thread>
#include <vector>

#if defined(_WIN32)
#include <boost/winapi/handle_info.hpp>
#else
#include <fcntl.h>
#endif

namespace platform = multiprocessing::detail::platform;
using Arguments = std::vector<std::string>;

namespace {

void write_text(const platform::Handle& end, const std::string& text) {
    platform::write_all(end, std::as_bytes(std::span(text)));
}

int exit_with(const Arguments& arguments) { return std::atoi(arguments.at(0).c_str()); }

int exit_by_interception(const Arguments& arguments) {
    platform::exit_interception([](int code) { platform::exit_now(code + 1); });
    std::exit(std::atoi(arguments.at(0).c_str()));
}

int crash(const Arguments&) { std::abort(); }

/// Records its crashes in shared memory, and ends as it is told.
int record_crash(const Arguments& arguments) {
    const platform::MemoryObject object{platform::adopt_handle(arguments.at(0))};
    const std::size_t bytes = std::stoull(arguments.at(1));
    static boost::interprocess::mapped_region region{object, boost::interprocess::read_write, 0, bytes};
    const std::span<char> text{static_cast<char*>(region.get_address()), bytes};
    const std::string& how = arguments.at(2);
    platform::record_crashes(text.first(bytes / 2));
    if (how == "elsewhere") platform::record_crashes(text.subspan(bytes / 2));
    if (how == "return") return 0;
    int* volatile nowhere = nullptr;
    if (how == "null") *nowhere = 1;
    std::abort();
}

/// Says "up", then runs until it is ended.
int run_for_ever(const Arguments& arguments) {
    const platform::Handle out = platform::adopt_handle(arguments.at(0));
    write_text(out, "up");
    for (;;) std::this_thread::sleep_for(std::chrono::seconds{1});
}

/// Copies one pipe to another until the end.
int echo(const Arguments& arguments) {
    const platform::Handle in = platform::adopt_handle(arguments.at(0));
    const platform::Handle out = platform::adopt_handle(arguments.at(1));
    std::byte bytes[1000];
    while (const std::size_t got = platform::read_some(in, bytes))
        platform::write_all(out, std::span(bytes, got));
    return 0;
}

/// Sends its arguments as it sees them, each on a line.
int send_arguments(const Arguments& arguments) {
    const platform::Handle out = platform::adopt_handle(arguments.at(0));
    std::string text;
    for (const std::string& argument : platform::command_line()) text += argument + "\n";
    write_text(out, text);
    return 0;
}

/// Prints to a file in place of standard output, flushes, and ends without any handler.
int print_and_flush(const Arguments& arguments) {
    if (!std::freopen(arguments.at(0).c_str(), "w", stdout)) return 1;
    std::printf("printed ");
    std::cout << "streamed";
    platform::flush_standard_streams();
    platform::exit_now(0);
}

/// Sends which handles it has inherited, beside the one to send by and the standard streams.
int list_handles(const Arguments& arguments) {
    const platform::Handle out = platform::adopt_handle(arguments.at(0));
    std::string found;
#if defined(_WIN32)
    for (std::uintptr_t i = 4; i < 4000; i += 4) {
        boost::winapi::DWORD_ flags = 0;
        const auto handle = reinterpret_cast<platform::NativeHandle>(i);
        if (!boost::winapi::GetHandleInformation(handle, &flags)) continue;
        if (!(flags & boost::winapi::HANDLE_FLAG_INHERIT_)) continue;
        const bool is_standard = handle == platform::standard_handle(platform::standard_output) ||
                                 handle == platform::standard_handle(platform::standard_error) ||
                                 handle == platform::standard_handle(static_cast<boost::winapi::DWORD_>(-10));
        if (!is_standard) found += std::to_string(i) + " ";
    }
#else
    for (int i = 3; i < 1000; ++i) {
        if (i != out.native() && ::fcntl(i, F_GETFD) != -1) found += std::to_string(i) + " ";
    }
#endif
    write_text(out, found);
    return 0;
}

/// Sends why it does not trust the maker of the memory, its parent.
int ask_kinship(const Arguments& arguments) {
    const platform::Handle memory = platform::adopt_handle(arguments.at(0));
    const platform::Handle out = platform::adopt_handle(arguments.at(1));
    write_text(out, platform::stranger(memory, true));
    return 0;
}

int read_input(const Arguments&) { return std::getchar() == EOF ? 0 : 1; }

/// Puts the null device in the place of a file of which it has read one letter.
int replace_input(const Arguments& arguments) {
    if (!std::freopen(arguments.at(0).c_str(), "r", stdin) || std::getchar() != 'a') return 1;
    platform::take_null_input();
    return std::getchar() == EOF ? 0 : 2;
}

/// Adds 1 to the first 1000 words of shared memory, then rings.
int increment_memory(const Arguments& arguments) {
    const platform::MemoryObject object{platform::adopt_handle(arguments.at(0))};
    const std::size_t bytes = std::stoull(arguments.at(1));
    boost::interprocess::mapped_region region{object, boost::interprocess::read_write, 0, bytes};
    for (std::size_t i = 0; i < 1000; ++i) static_cast<std::uint32_t*>(region.get_address())[i] += 1;
    platform::Doorbell bell{platform::adopt_handle(arguments.at(2))};
    bell.ring();
    return 0;
}

/// Plays ping-pong on two words: waits for rounds on the first, answers on the second.
int park(const Arguments& arguments) {
    const platform::MemoryObject object{platform::adopt_handle(arguments.at(0))};
    boost::interprocess::mapped_region region{object, boost::interprocess::read_write, 0, 65536};
    auto* const words = static_cast<platform::Word*>(region.get_address());
    platform::Parking parking{region.get_address(),
                              {std::stoull(arguments.at(1)), std::stoull(arguments.at(2))}};
    const auto rounds = static_cast<std::uint32_t>(std::stoul(arguments.at(3)));
    for (std::uint32_t round = 0; round < rounds; ++round) {
        while (words[0].load() == round) parking.sleep(words[0], round, std::chrono::seconds{10});
        words[64].store(round + 1);
        parking.wake_one(words[64]);
    }
    return 0;
}

/// Holds a strand of its parent's lifeline, says so, and then computes: it does not look at any handle again.
int hold_lifeline(const Arguments& arguments) {
    platform::Handle strand;
    if (arguments.at(0) != "-") strand = platform::adopt_handle(arguments.at(0));
    platform::hold(strand);
    const platform::Handle out = platform::adopt_handle(arguments.at(1));
    write_text(out, "held");
    for (std::atomic<unsigned long> spin = 0;; ++spin) {}
}

/// A parent to be killed: starts hold_lifeline below itself, with the given pipe as its output.
int parent_of_holder(const Arguments& arguments) {
    const platform::Handle out = platform::adopt_handle(arguments.at(0));
    platform::Lifeline lifeline;
    const platform::Strand strand = lifeline.strand();
    platform::SpawnRequest request{platform::program_to_spawn()};
    request.argument("hold_lifeline");
    request.argument(strand.child.valid() ? request.pass(strand.child) : "-");
    request.argument(request.pass(out));
    const platform::Child child = platform::spawn(request);
    lifeline.tie(strand.child, child);
    for (;;) std::this_thread::sleep_for(std::chrono::seconds{1});
}

} // namespace

int main(int argc, char** argv) {
    const std::map<std::string, int (*)(const Arguments&)> modes{
        {"exit", exit_with},
        {"exit_by_interception", exit_by_interception},
        {"crash", crash},
        {"record_crash", record_crash},
        {"run_for_ever", run_for_ever},
        {"echo", echo},
        {"send_arguments", send_arguments},
        {"print_and_flush", print_and_flush},
        {"list_handles", list_handles},
        {"ask_kinship", ask_kinship},
        {"read_input", read_input},
        {"replace_input", replace_input},
        {"increment_memory", increment_memory},
        {"park", park},
        {"hold_lifeline", hold_lifeline},
        {"parent_of_holder", parent_of_holder},
    };
    const auto mode = modes.find(argc > 1 ? argv[1] : "");
    if (mode == modes.end()) {
        std::fprintf(stderr, "test_child: no such mode\n");
        return 2;
    }
    return mode->second(Arguments(argv + 2, argv + argc));
}
