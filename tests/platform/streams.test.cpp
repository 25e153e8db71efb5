// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/standard_streams.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

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
