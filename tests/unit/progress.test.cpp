// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>
#include <unit/screen.hpp>
#include <unit/standard_error.hpp>

#include <multiprocessing/detail/progress/bar_board.hpp>
#include <multiprocessing/detail/progress/progress_display.hpp>
#include <multiprocessing/detail/progress/progress_line.hpp>
#include <multiprocessing/detail/progress/stream_progress.hpp>
#include <multiprocessing/progress.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <optional>
#include <regex>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace mp = multiprocessing;
namespace detail = mp::detail;
using detail::ProgressDisplay;
using mp::Progress;
using mp::ProgressReport;
using namespace std::chrono_literals;

namespace {

/// A line with a bar of ASCII characters in 80 columns.
std::string line_of(const ProgressReport& report, std::size_t columns = 79, bool at_end = false) {
    return detail::progress_line("files", report, at_end, columns, false);
}

#if !defined(_WIN32)
/// While it lives, a variable of the environment has another value.
class Variable {
public:
    Variable(const char* name, const char* value) : name_(name) {
        if (const char* const before = std::getenv(name)) before_ = before;
        ::setenv(name, value, 1);
    }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;
    ~Variable() { before_ ? ::setenv(name_, before_->c_str(), 1) : ::unsetenv(name_); }

private:
    const char* const name_;
    std::optional<std::string> before_;
};
#endif

} // namespace

TEST_CASE("a report knows its rate and what time is left", "[progress]") {
    const ProgressReport half{500, 1000, 5s};
    CHECK(half.per_second() == Approx(100));
    CHECK(half.seconds_left() == Approx(5));
    CHECK(ProgressReport{0, 1000, 5s}.seconds_left() == 0);
    CHECK(ProgressReport{500, 1000, 0s}.per_second() == 0);
    CHECK(ProgressReport{500, 1000, 0s}.seconds_left() == 0);
    CHECK(ProgressReport{0, 0, 0s}.seconds_left() == 0);
    CHECK(ProgressReport{7, 0, 5s}.seconds_left() == 0); // of an unknown total
    const ProgressReport lately{500, 1000, 5s, 0, 10, 49};
    CHECK(lately.per_second() == 49);
    CHECK(lately.seconds_left() == Approx(10)); // what is under way is not left
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

TEST_CASE("the rate follows what came lately", "[progress]") {
    detail::SmoothedRate rate;
    CHECK(rate.per_second() == 0);
    rate.note(0, 1s); // nothing has ended yet
    CHECK(rate.per_second() == 0);
    rate.note(100, 2s);
    CHECK(rate.per_second() == Approx(50)); // right from the first on
    for (int i = 1; i <= 30; ++i) rate.note(100 + static_cast<std::size_t>(i) * 10, 2s + i * 1s);
    CHECK(rate.per_second() == Approx(10).epsilon(0.01)); // the mean since the begin is 12.5
    rate.note(400, 60s);                                  // no news
    CHECK(rate.per_second() == Approx(10).epsilon(0.01));
    rate.note(410, 132s); // one interval, however long it was
    CHECK(rate.per_second() < 1);
}

TEST_CASE("a line has the words of tqdm", "[progress]") {
    CHECK(line_of({450, 1000, 12s, 0, 0, 36.4}) ==
          "files:  45%|###############7                   | 450/1000 [0:12<0:15, 36.4it/s]");
    CHECK(line_of({0, 1000, 0s}) ==
          "files:   0%|                                        | 0/1000 [0:00<?, ?it/s]");
    CHECK(line_of({1, 4, 10s, 1, 0, 0.4}) ==
          "files:  25%|#######5                      | 1/4 [0:10<0:08, 2.50s/it, 1 failed]");
    // At the end the rate is that of all.
    CHECK(line_of({1000, 1000, 20s, 0, 0, 3}, 79, true) ==
          "files: 100%|##################################| 1000/1000 [0:20<0:00, 50.0it/s]");
    CHECK(line_of({450, 0, 12s, 0, 0, 36.4}) == "files: 450it [0:12, 36.4it/s]");
    CHECK(line_of({2'500'000, 36'400'000, 3725s, 1'200'000, 0, 12'345}, 0) ==
          "files:   6% 2.50M/36.4M [1:02:05<45:46, 12.3kit/s, 1.20M failed]");
    CHECK(detail::progress_line("", {1, 2, 1s, 0, 0, 1}, false, 0, false) == " 50% 1/2 [0:01<0:01, 1.00it/s]");
}

TEST_CASE("what items have done that run is in the bar", "[progress]") {
    CHECK(line_of({1, 4, 10s, 0, 1.0, 0.1}, 0).substr(0, 14) == "files:  50% 1/");
    CHECK(line_of({1, 4, 10s, 0, 9.0, 0.1}, 0).substr(0, 11) == "files: 100%"); // no more than all
}

TEST_CASE("numbers have three digits and a letter, times hours when they need them", "[progress]") {
    CHECK(detail::scaled_text(0) == "0");
    CHECK(detail::scaled_text(999) == "999");
    CHECK(detail::scaled_text(999.9) == "1.00k");
    CHECK(detail::scaled_text(12'345) == "12.3k");
    CHECK(detail::scaled_text(999'600) == "1.00M");
    CHECK(detail::scaled_text(2.5e9) == "2.50G");
    CHECK(detail::scaled_text(1e30).back() == 'E');
    CHECK(detail::rate_text(0) == "?it/s");
    CHECK(detail::rate_text(0.5) == "2.00s/it");
    CHECK(detail::rate_text(1e-30) == "999999s/it");
    CHECK(detail::rate_text(1.5) == "1.50it/s");
    CHECK(detail::rate_text(36.44) == "36.4it/s");
    CHECK(detail::rate_text(1.5e6) == "1.50Mit/s");
    CHECK(detail::time_text(7.4) == "0:07");
    CHECK(detail::time_text(3723) == "1:02:03");
    CHECK(detail::time_text(1e30) == "99:59:59");
}

TEST_CASE("a bar is of blocks where the terminal shows them, and counts columns, not bytes", "[progress]") {
    const std::string line = detail::progress_line("Größe", {3, 8, 1s, 0, 0, 1}, false, 60, true);
    CHECK(detail::columns_of(line) == 60);
    CHECK(line.find("█") != std::string::npos);
    CHECK(detail::columns_of("Größe") == 5);
    CHECK(detail::columns_of("日本") == 4); // wide
    CHECK(detail::first_columns("日本語", 5) == "日本");
    CHECK(detail::first_columns("Größe", 3) == "Grö");
    CHECK(detail::first_columns("abc", 5) == "abc");
    CHECK(detail::columns_of("\xff\xc3") == 2); // no UTF-8
    CHECK(detail::without_controls("a\x1b[2J\nb\x7f") == "a?[2J?b?");
}

TEST_CASE("no line is wider than the terminal, however narrow that is", "[progress]") {
    for (std::size_t columns = 0; columns < 130; ++columns) {
        for (const std::size_t done : {std::size_t{0}, std::size_t{999'999}, std::size_t{1'000'000}}) {
            const ProgressReport report{done, 1'000'000, 3s, done / 2, 0, 1234};
            const std::string words = line_of(report, 0);
            CHECK(detail::columns_of(line_of(report, columns)) <= std::max(columns, words.size()));
        }
    }
}

TEST_CASE("a function gets each report, and nothing is printed", "[progress]") {
    std::vector<ProgressReport> reports;
    ProgressDisplay display(Progress([&](const ProgressReport& report) { reports.push_back(report); }));
    display.show({1, 3, 1, 0.5});
    std::this_thread::sleep_for(1ms);
    display.show_end({3, 3, 2, 0});
    display.show_end({3, 3, 2, 0}); // once
    REQUIRE(reports.size() == 2);
    CHECK(reports[0].done == 1);
    CHECK(reports[0].total == 3);
    CHECK(reports[0].failed == 1);
    CHECK(reports[0].under_way == 0.5);
    CHECK(reports[1].done == 3);
    CHECK(reports[1].failed == 2);
    CHECK(reports[1].elapsed >= reports[0].elapsed);
    CHECK(reports[1].rate > 0);
}

TEST_CASE("an end that comes while another thread shows is shown by that one", "[progress]") {
    std::atomic<bool> is_in{false};
    std::atomic<bool> may_go{false};
    std::vector<std::size_t> seen;
    ProgressDisplay display(Progress([&](const ProgressReport& report) {
        seen.push_back(report.done);
        is_in = true;
        while (!may_go) std::this_thread::sleep_for(1ms);
    }));
    std::thread other([&] { display.show({1, 3}); });
    while (!is_in) std::this_thread::sleep_for(1ms);
    display.show_end({3, 3, 1});
    CHECK(seen == std::vector<std::size_t>{1});
    may_go = true;
    other.join();
    CHECK(seen == std::vector<std::size_t>{1, 3});
}

TEST_CASE("an iteration over results reports what was taken, and its end once", "[progress]") {
    std::vector<ProgressReport> reports;
    detail::StreamProgress progress(Progress([&](const ProgressReport& report) { reports.push_back(report); }),
                                    2);
    std::this_thread::sleep_for(110ms);
    CHECK(progress.wait(
        detail::Deadline{}, [](const detail::Deadline&) { return true; }, [] { return 0.25; }));
    progress.note();
    progress.note(true);
    progress.note();
    progress.end();
    progress.end();
    REQUIRE(reports.size() == 2);
    CHECK(reports[0].done == 0);
    CHECK(reports[0].total == 2);
    CHECK(reports[0].under_way == 0.25);
    CHECK(reports[1].done == 3);
    CHECK(reports[1].total == 3); // the range has grown
    CHECK(reports[1].failed == 1);
}

#if !defined(_WIN32) // no terminals of one's own
TEST_CASE("a terminal shows a bar that is written over, and ends with its line", "[progress]") {
    const Variable terminal("TERM", "xterm");
    const Variable locale("LC_ALL", "C");
    unit::StandardError error(80);
    unit::Screen screen(80);
    ProgressDisplay display(Progress("files"));
    std::this_thread::sleep_for(1ms);
    display.show({0, 1000});
    screen.write(error.taken());
    CHECK(std::regex_match(screen.line(0), std::regex(R"(files:   0%\| +\| 0/1000 \[0:00<\?, \?it/s\])")));
    display.show({500, 1000});
    screen.write(error.taken());
    CHECK(std::regex_match(screen.line(0),
                           std::regex(R"(files:  50%\|#+\d? +\| 500/1000 \[0:00<0:00, .*it/s\])")));
    CHECK(screen.used() == 1);
    display.show_end({1000, 1000, 7});
    screen.write(error.taken());
    CHECK(std::regex_match(screen.line(0),
                           std::regex(R"(files: 100%\|#+\| 1000/1000 \[0:00<0:00, .*it/s, 7 failed\])")));
    CHECK(screen.row() == 1); // what is printed next has a line of its own
}

TEST_CASE("maps that go on at once have a bar each, and what has ended stands above", "[progress]") {
    const Variable terminal("TERM", "xterm");
    unit::StandardError error(60);
    unit::Screen screen(60);
    const auto shown = [&] {
        screen.write(error.taken());
        std::vector<std::string> lines;
        for (std::size_t i = 0; i < screen.used(); ++i) lines.push_back(screen.line(i));
        return lines;
    };
    using Lines = std::vector<std::string>;
    detail::BarBoard::Bar outer;
    outer.show("outer 1");
    CHECK(shown() == Lines{"outer 1"});
    {
        detail::BarBoard::Bar inner;
        inner.show("inner 1, which is long");
        CHECK(shown() == Lines{"outer 1", "inner 1, which is long"});
        inner.show("inner 2");
        outer.show("outer 2");
        CHECK(shown() == Lines{"outer 2", "inner 2"});
        detail::bar_board().print("a line of a worker\nand another");
        CHECK(shown() == Lines{"a line of a worker", "and another", "outer 2", "inner 2"});
        inner.end("inner is over");
        CHECK(shown() == Lines{"a line of a worker", "and another", "inner is over", "outer 2"});
        detail::BarBoard::Bar dropped;
        dropped.show("given up at 3");
    }
    CHECK(shown() == Lines{"a line of a worker", "and another", "inner is over", "given up at 3", "outer 2"});
    outer.end("outer is over");
    CHECK(shown().back() == "outer is over");
    CHECK(screen.row() == 5);
    CHECK(screen.column() == 0);
}

TEST_CASE("bars are cut where the terminal has become narrower, and wait where it is too low", "[progress]") {
    const Variable terminal("TERM", "xterm");
    unit::StandardError error(40);
    detail::BarBoard::Bar bar;
    bar.show(std::string(39, 'x'));
    CHECK(error.taken().find(std::string(39, 'x')) != std::string::npos);
    error.set_width(20);
    bar.show(std::string(39, 'y'));
    const std::string narrow = error.taken();
    CHECK(narrow.find(std::string(19, 'y')) != std::string::npos);
    CHECK(narrow.find(std::string(20, 'y')) == std::string::npos);
    std::vector<detail::BarBoard::Bar> many(40); // of 24 rows
    for (auto& one : many) one.show("one of many");
    unit::Screen screen(20);
    screen.write(error.taken());
    CHECK(screen.used() <= 24);
}

TEST_CASE("threads that show bars at once leave the terminal whole", "[progress]") {
    const Variable terminal("TERM", "xterm");
    unit::StandardError error(60);
    unit::Screen screen(60);
    std::atomic<bool> over{false};
    std::string written;
    std::thread reader([&] {
        while (!over) written += error.taken();
        written += error.taken();
    });
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([i] {
            detail::BarBoard::Bar bar;
            for (int k = 0; k < 200; ++k) bar.show("bar " + std::to_string(i) + " at " + std::to_string(k));
            bar.end("bar " + std::to_string(i) + " is over");
        });
    }
    for (auto& thread : threads) thread.join();
    over = true;
    reader.join();
    screen.write(written);
    REQUIRE(screen.used() == 4);
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < 4; ++i) lines.push_back(screen.line(i));
    std::sort(lines.begin(), lines.end());
    for (std::size_t i = 0; i < 4; ++i) CHECK(lines[i] == "bar " + std::to_string(i) + " is over");
}

TEST_CASE("a terminal that cannot move its cursor gets plain lines", "[progress]") {
    const Variable terminal("TERM", "dumb");
    unit::StandardError error(80);
    ProgressDisplay display(Progress("files"));
    display.show({1, 3});
    display.show_end({3, 3});
    CHECK(error.taken().empty()); // it was short
}

TEST_CASE("no items are no trouble", "[progress]") {
    const Variable terminal("TERM", "xterm");
    unit::StandardError error(80);
    unit::Screen screen(80);
    ProgressDisplay display(Progress(true));
    display.show_end({});
    screen.write(error.taken());
    CHECK(screen.line(0) == "items: 0it [0:00, ?it/s]");
}
#endif

TEST_CASE("where standard error is no terminal, a short map says nothing", "[progress]") {
    unit::StandardError error;
    ProgressDisplay display(Progress(true));
    display.show({1, 3});
    display.show_end({3, 3});
    CHECK(error.taken().empty());
}

TEST_CASE("where standard error is no terminal, a long map says a plain line every few seconds", "[progress]") {
    unit::StandardError error;
    ProgressDisplay display(Progress("files"));
    std::string line;
    while (line.empty()) { // the watchdog ends a wait that is too long
        std::this_thread::sleep_for(50ms);
        display.show({1, 3});
        line = error.taken();
    }
    CHECK(std::regex_match(line, std::regex(R"(files:  33% 1/3 \[0:\d\d<.*\]\n)")));
    display.show({2, 3});
    CHECK(error.taken().empty()); // not yet again
    display.show_end({3, 3});
    CHECK(std::regex_match(error.taken(), std::regex(R"(files: 100% 3/3 \[0:\d\d<0:00, .*\]\n)")));
}
