// SPDX-License-Identifier: BSL-1.0
#include <platform/forked.hpp>
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/standard_streams.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <thread>

using namespace contracts;
namespace fs = std::filesystem;

namespace {

/// A file that is gone at the end of its scope.
struct Scratch {
    fs::path path = fs::temp_directory_path() / ("mp_streams_" + std::to_string(platform::current_pid()));

    Scratch() { std::ofstream{path} << "ab"; }
    ~Scratch() { fs::remove(path); }

    std::string content() const {
        std::ifstream file{path};
        return {std::istreambuf_iterator<char>{file}, {}};
    }
};

} // namespace

TEST_CASE("what was written is flushed at an end without handlers", "[streams]") {
    const Scratch file;
    auto child = platform::spawn(child_program({"print_and_flush", file.path.string()}));
    CHECK(end_of(child).exitcode == 0);
    CHECK(file.content() == "printed streamed");
}

TEST_CASE("the null device takes the place of standard input and of what was read ahead", "[streams]") {
    const Scratch file;
    auto child = platform::spawn(child_program({"replace_input", file.path.string()}));
    CHECK(end_of(child).exitcode == 0);
}

TEST_CASE("standard error has a width", "[streams]") {
    CHECK(platform::terminal_width() > 0);
    platform::is_terminal_error();
    platform::write_error("");
}

#if !defined(_WIN32)

#include <unistd.h>

TEST_CASE("flushing skips a stream that another thread holds", "[streams]") {
    CHECK(exit_code_of_fork([] {
              std::thread holder([] { ::flockfile(stdout); });
              holder.join(); // it ended holding the lock
              platform::flush_standard_streams();
              return 0;
          }) == 0);
}

TEST_CASE("a flush brings out what was written, once", "[streams]") {
    auto out = platform::make_pipe();
    platform::HandleTraits::keep_in_forked_child(out.writer.native());
    CHECK(exit_code_of_fork([&] {
              ::dup2(out.writer.native(), STDOUT_FILENO);
              std::printf("printed ");
              platform::flush_standard_streams();
              platform::flush_standard_streams();
              return 0;
          }) == 0);
    out.writer.close();
    CHECK(read_to_end(out.reader) == "printed ");
}

TEST_CASE("the null device replaces standard input and what was read ahead", "[streams]") {
    auto in = platform::make_pipe();
    platform::HandleTraits::keep_in_forked_child(in.reader.native());
    platform::write_all(in.writer, std::as_bytes(std::span("ab", 2)));
    CHECK(exit_code_of_fork([&] {
              ::dup2(in.reader.native(), STDIN_FILENO);
              if (std::getchar() != 'a') return 1;
              platform::take_null_input();
              return std::getchar() == EOF ? 0 : 2;
          }) == 0);
    CHECK(exit_code_of_fork([] {
              ::close(STDIN_FILENO);
              platform::take_null_input();
              char byte;
              return ::read(STDIN_FILENO, &byte, 1) == 0 ? 0 : 1;
          }) == 0);
}

#endif
