// SPDX-License-Identifier: BSL-1.0
// Executors at the end of the program: live ones are finished first.
#include <support/inputs.hpp>

#include <support/program.hpp>

#include <multiprocessing/process_pool_executor.hpp>

#include <sstream>
#include <string>

using namespace process;
using mp::futures::ProcessPoolExecutor;

namespace {

int lines_with(const std::string& text, const std::string& part) {
    std::istringstream stream(text);
    int count = 0;
    for (std::string line; std::getline(stream, line);) count += line.find(part) != std::string::npos;
    return count;
}

} // namespace

TEST_CASE("an executor that lives at the end of main is finished", "[executor]") {
    for (const char* const how : {"static", "leaked", "exit", "local"}) {
        INFO(how);
        const auto output = support::output_of("leaves_executor", {how});
        INFO(output.err);
        CHECK(output.exitcode == 0);
        CHECK(lines_with(output.out, "call ") == 20);
        CHECK(lines_with(output.out, "back from") == 1);
    }
}

TEST_CASE("an executor refuses calls once the program is ending", "[executor]") {
    const auto output = support::output_of("submits_to_executor_at_the_end");
    INFO(output.err);
    CHECK(output.exitcode == 0);
    CHECK_THAT(output.out, ContainsSubstring("refused: "));
}

TEST_CASE("a child that leaves an executor behind finishes its calls", "[executor]") {
    Tally tally;
    mp::Process child(
        [](Tally t) {
            static auto* const executor = new ProcessPoolExecutor(2);
            for (int i = 0; i < 20; ++i) executor->submit([](Tally x) { x.add(0, 1); }, t);
        },
        tally);
    child.start();
    child.join();
    CHECK(child.exitcode() == 0);
    CHECK(tally.get(0) == 20);
}
