// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>
#include <support/program.hpp>

#include <multiprocessing/pool.hpp>

#include <iostream>
#include <sstream>
#include <string>

#if !defined(_WIN32)
#include <csignal>
#include <fcntl.h>
#include <unistd.h>
#endif

using namespace process;

namespace {

int count_lines(const std::string& text, const std::string& beginning) {
    std::istringstream lines(text);
    int count = 0;
    for (std::string line; std::getline(lines, line);) count += line.rfind(beginning, 0) == 0;
    return count;
}

} // namespace

TEST_CASE("what finished tasks printed is there, however their workers end", "[pool_printing]") {
    for (const char* const way :
         {"destructor", "terminate", "busy", "crash", "maxtasksperchild", "own buffer", "end of program"}) {
        INFO(way);
        const auto printed = support::output_of("print_in_pool", {way});
        CHECK(count_lines(printed.out, "line ") == 200);
    }
}

TEST_CASE("what the program prints while workers are replaced is there once", "[pool_printing]") {
    const auto printed = support::output_of("print_beside_starts");
    CHECK(count_lines(printed.out, "line ") == 3000);
}

TEST_CASE("a forked child has what the program has captured of its output", "[pool_printing]") {
    if (mp::get_start_method() != mp::StartMethod::fork) return;
    std::ostringstream captured;
    std::streambuf* const before = std::cout.rdbuf(captured.rdbuf());
    std::cout << "captured";
    mp::Process p([] {
        const auto* const text = dynamic_cast<std::stringbuf*>(std::cout.rdbuf());
        mp::detail::platform::exit_now(text && text->str() == "captured" ? 0 : 1);
    });
    p.start();
    p.join();
    std::cout.rdbuf(before);
    CHECK(p.exitcode() == 0);
}

TEST_CASE("a pool that is asked at the end of the program says so", "[pool_printing]") {
    const auto printed = support::output_of("submits_at_the_end");
    CHECK(printed.exitcode == 0);
    CHECK(count_lines(printed.out, "refused: multiprocessing: the program is ending") == 1);
}

TEST_CASE("idle workers of a pool that is terminated leave in order", "[pool_printing]") {
    const auto printed = support::output_of("print_in_pool", {"idle"});
    CHECK(count_lines(printed.out, "line ") == 200);
    CHECK(count_lines(printed.out, "a worker leaves") == 2);
}

#if !defined(_WIN32)
TEST_CASE("a task that prints into a closed pipe does not fail", "[pool_printing]") {
    mp::Pool pool(1);
    const auto print = [](int number) {
        int ends[2];
        if (::pipe(ends) != 0) return -1;
        const int before = ::dup(STDOUT_FILENO);
        ::dup2(ends[1], STDOUT_FILENO);
        ::close(ends[0]);
        ::close(ends[1]);
        std::printf("nobody reads this\n");
        return before >= 0 ? number + 1 : -2;
    };
    CHECK(pool.apply(print, 1) == 2);
    CHECK(pool.apply([](int x) { return x; }, 3) == 3);
}
#endif
