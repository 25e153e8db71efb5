// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>
#include <unit/standard_error.hpp>

#include <multiprocessing/detail/pool/progress_display.hpp>
#include <multiprocessing/progress.hpp>

#include <chrono>
#include <regex>
#include <string>
#include <thread>
#include <vector>

namespace mp = multiprocessing;
using mp::Progress;
using mp::ProgressReport;
using mp::detail::ProgressDisplay;
using namespace std::chrono_literals;

TEST_CASE("a report knows its rate and what time is left", "[progress]") {
    const ProgressReport half{500, 1000, 5s};
    CHECK(half.per_second() == Approx(100));
    CHECK(half.seconds_left() == Approx(5));
    CHECK(ProgressReport{0, 1000, 5s}.seconds_left() == 0);
    CHECK(ProgressReport{500, 1000, 0s}.per_second() == 0);
    CHECK(ProgressReport{500, 1000, 0s}.seconds_left() == 0);
    CHECK(ProgressReport{0, 0, 0s}.seconds_left() == 0);
}

TEST_CASE("what may be asked for: nothing, a bar, a bar with a label, a function", "[progress]") {
    CHECK_FALSE(Progress().wanted());
    CHECK_FALSE(Progress(false).wanted());
    CHECK(Progress(true).wanted());
    CHECK(Progress(true).label() == "items");
    CHECK(Progress("files").label() == "files");
    CHECK(Progress([](const ProgressReport&) {}).wanted());
    STATIC_REQUIRE_FALSE(std::is_convertible_v<int*, Progress>); // would be a bool
    STATIC_REQUIRE_FALSE(std::is_convertible_v<int, Progress>);
}

TEST_CASE("a function gets each report, and nothing is printed", "[progress]") {
    std::vector<ProgressReport> reports;
    ProgressDisplay display(Progress([&](const ProgressReport& report) { reports.push_back(report); }));
    display.show(1, 3);
    display.show_end(3);
    REQUIRE(reports.size() == 2);
    CHECK(reports[0].done == 1);
    CHECK(reports[0].total == 3);
    CHECK(reports[1].done == 3);
    CHECK(reports[1].elapsed >= reports[0].elapsed);
}

#if !defined(_WIN32) // no terminals of one's own
TEST_CASE("a terminal shows a bar that is written over, and ends with its line", "[progress]") {
    unit::StandardError error(80);
    ProgressDisplay display(Progress("files"));
    std::this_thread::sleep_for(1ms);
    display.show(0, 1000);
    CHECK(std::regex_match(error.taken(), std::regex(R"(\r\[\.+\] 0/1000 files, 0\.0/s, 0:00 left *)")));
    display.show(500, 1000);
    const std::string half = error.taken();
    CHECK(std::regex_match(half, std::regex(R"(\r\[#+\.+\] 500/1000 files, \d+/s, \d+:\d\d left *)")));
    CHECK(std::count(half.begin(), half.end(), '#') == std::count(half.begin(), half.end(), '.'));
    display.show_end(1000);
    CHECK(std::regex_match(error.taken(), std::regex(R"(\r\[#+\] 1000/1000 files, \d+/s, took \d+:\d\d *\n)")));
}

TEST_CASE("no line is wider than the terminal, however narrow that is or becomes", "[progress]") {
    for (const int columns : {1, 2, 10, 25, 40, 45, 50, 80, 500}) {
        unit::StandardError error(columns);
        ProgressDisplay display(Progress(true));
        for (const std::size_t done : {0u, 999'999u, 1'000'000u}) {
            display.show(done, 1'000'000);
            const std::string line = error.taken();
            REQUIRE(!line.empty());
            CHECK(line[0] == '\r');
            CHECK(line.size() <= static_cast<std::size_t>(columns == 1 ? 2 : columns)); // with the \r one less
        }
    }
    unit::StandardError error(120);
    ProgressDisplay display(Progress(true));
    display.show(1, 1000);
    error.taken();
    error.set_width(30);
    display.show(2, 1000);
    CHECK(error.taken().size() <= 30);
}

TEST_CASE("a shorter line wipes out the longer one before it", "[progress]") {
    unit::StandardError error(200);
    ProgressDisplay display(Progress(true));
    display.show(1, 1'000'000'000); // years are left
    const std::size_t longer = error.taken().size();
    display.show(1, 1);
    CHECK(error.taken().size() == longer);
}

TEST_CASE("no items are no trouble", "[progress]") {
    unit::StandardError error(80);
    ProgressDisplay display(Progress(true));
    display.show_end(0);
    CHECK(std::regex_match(error.taken(), std::regex(R"(\r\[\.+\] 0/0 items, 0\.0/s, took 0:00\n)")));
}
#endif

TEST_CASE("where standard error is no terminal, a short map says nothing", "[progress]") {
    unit::StandardError error;
    ProgressDisplay display(Progress(true));
    display.show(1, 3);
    display.show_end(3);
    CHECK(error.taken().empty());
}

TEST_CASE("where standard error is no terminal, a long map says a plain line every few seconds", "[progress]") {
    unit::StandardError error;
    ProgressDisplay display(Progress("files"));
    std::string line;
    while (line.empty()) { // the watchdog ends a wait that is too long
        std::this_thread::sleep_for(50ms);
        display.show(1, 3);
        line = error.taken();
    }
    CHECK(std::regex_match(line, std::regex(R"(1/3 files, 0\.\d/s, 0:\d\d left\n)")));
    display.show(2, 3);
    CHECK(error.taken().empty()); // not yet again
    display.show_end(3);
    CHECK(std::regex_match(error.taken(), std::regex(R"(3/3 files, \d\.\d/s, took 0:\d\d\n)")));
}
