// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>
#include <unit/standard_error.hpp>

#include <multiprocessing/util.hpp>

#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace mp = multiprocessing;
using mp::LogLevel;

TEST_CASE("a logger drops what is below its level", "[log]") {
    mp::Logger logger;
    CHECK(logger.level() == LogLevel::warning);
    std::vector<std::string> lines;
    logger.add_sink([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
    logger.log(LogLevel::info, "not this");
    logger.log(LogLevel::warning, "this");
    logger.log(LogLevel::error, "and this");
    logger.set_level(LogLevel::debug);
    logger.log(LogLevel::debug, "now everything");
    logger.set_level(LogLevel::error);
    logger.log(LogLevel::warning, "not this any more");
    CHECK(lines == std::vector<std::string>{"this", "and this", "now everything"});
}

TEST_CASE("each sink gets each line with its level, whatever another one throws", "[log]") {
    mp::Logger logger;
    int calls = 0;
    logger.add_sink([&](LogLevel, std::string_view) { throw std::runtime_error("a bad sink"); });
    logger.add_sink([&](LogLevel level, std::string_view line) {
        ++calls;
        CHECK(level == LogLevel::error);
        CHECK(line == "text");
    });
    logger.log(LogLevel::error, "text");
    CHECK(calls == 1);
}

TEST_CASE("a sink may log, and add sinks", "[log]") {
    mp::Logger logger;
    std::vector<std::string> lines;
    logger.add_sink([&](LogLevel, std::string_view line) {
        lines.emplace_back(line);
        if (line == "outer") {
            logger.log(LogLevel::error, "inner");
            logger.add_sink([](LogLevel, std::string_view) {});
        }
    });
    logger.log(LogLevel::error, "outer");
    CHECK(lines == std::vector<std::string>{"outer", "inner"});
}

TEST_CASE("threads that log lose no line", "[log]") {
    mp::Logger logger;
    std::mutex mutex;
    std::multiset<std::string> lines;
    logger.add_sink([&](LogLevel, std::string_view line) {
        std::lock_guard lock{mutex};
        lines.emplace(line);
    });
    constexpr int threads = 4;
    constexpr int each = 500;
    std::vector<std::thread> all;
    for (int t = 0; t < threads; ++t) {
        all.emplace_back([&logger, t] {
            for (int i = 0; i < each; ++i) {
                logger.log(LogLevel::warning, std::to_string(t));
                logger.set_level(i % 2 ? LogLevel::warning : LogLevel::info); // no line is below either
            }
        });
    }
    for (auto& thread : all) thread.join();
    CHECK(lines.size() == threads * each);
    for (int t = 0; t < threads; ++t) CHECK(lines.count(std::to_string(t)) == each);
}

namespace {
std::string prefix(const std::string& level) {
    return "[" + level + "/" + std::to_string(mp::detail::platform::current_pid()) + "] ";
}
} // namespace

TEST_CASE("without a sink, warnings go to standard error in Python's form", "[log]") {
    unit::StandardError error;
    mp::Logger logger;
    logger.log(LogLevel::info, "not this");
    logger.log(LogLevel::warning, "this");
    logger.log(LogLevel::error, "and this");
    CHECK(error.taken() == prefix("WARNING") + "this\n" + prefix("ERROR") + "and this\n");
}

TEST_CASE("log_to_stderr sets the level of the one logger, and sends its lines", "[log]") {
    unit::StandardError error;
    mp::Logger& logger = mp::log_to_stderr(LogLevel::info);
    CHECK(&logger == &mp::get_logger());
    CHECK(logger.level() == LogLevel::info);
    logger.log(LogLevel::debug, "not this");
    logger.log(LogLevel::info, "this");
    CHECK(error.taken() == prefix("INFO") + "this\n");
    logger.set_level(LogLevel::warning);
}
