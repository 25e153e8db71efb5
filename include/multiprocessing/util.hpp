#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file util.hpp  The library's own log, and the text forms of its objects.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/platform/standard_streams.hpp>
#include <multiprocessing/detail/process_wide.hpp>

#include <concepts>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace multiprocessing::inline v1 {

/// The severity of a log line.
enum class LogLevel { debug, info, warning, error };

namespace detail {

/// Delays the log lines of its thread until the last such object of the thread is destroyed. Stands
/// before the guard of a mutex under which something may be logged: a line is written when the
/// mutex was released.
class DeferredLog {
public:
    DeferredLog() noexcept : outer_(std::exchange(current(), this)) {}
    DeferredLog(const DeferredLog&) = delete;
    DeferredLog& operator=(const DeferredLog&) = delete;
    ~DeferredLog();

    void add(LogLevel level, std::string_view line);

    /// Returns the object of this thread; null if lines are written at once. A forked child writes
    /// at once, as the frames of its parent are never left there.
    MULTIPROCESSING_VISIBLE static DeferredLog*& current() noexcept {
        static constinit thread_local DeferredLog* innermost = nullptr;
        return innermost;
    }

private:
    struct Line {
        LogLevel level;
        std::string text;
    };

    DeferredLog* const outer_;
    std::vector<Line> lines_;
};

} // namespace detail

/// The log of this library in this process. Until a sink is added, warnings and errors go to
/// standard error, like those of an unconfigured Python logger. Each thread that logs calls the
/// sinks itself: two threads may be in a sink at the same time, and a sink may log, or start a
/// process. Exceptions of sinks are ignored. The thread may be one of the library, such as that of
/// a Pool, which replaces no worker meanwhile. No lock of the library is held.
///
/// Python: the object that `multiprocessing.get_logger()` returns.
class Logger : public detail::ForkSafe {
public:
    static constexpr detail::StateSlot slot = detail::StateSlot::logger;
    using Sink = std::function<void(LogLevel, std::string_view)>;

    Logger() = default;
    Logger(const Logger&) = delete;
    Logger& operator=(const Logger&) = delete;
    /// Ends a log that is used no more; that of the process is never destroyed.
    ~Logger();

    /// Drops lines below `level` from now on.
    void set_level(LogLevel level);
    LogLevel level() const;

    /// Adds a sink: `sink(level, line)` is called with every line that is not dropped. `line` has
    /// no line feed.
    void add_sink(Sink sink);

    /// Logs one line.
    void log(LogLevel level, std::string_view line) noexcept;

    /// Writes "[WARNING/1234] line", the form of Python's `log_to_stderr()`.
    static void to_stderr(LogLevel level, std::string_view line);

    void after_fork(bool in_child);

private:
    /// A sink; it exists as long as the log.
    struct Node {
        Sink sink;
        Node* next;
    };

    LogLevel level_ = LogLevel::warning;
    Node* first_ = nullptr;
    Node* last_ = nullptr;
};

/// Returns the log of this process. A forked child inherits its level and sinks, other children its
/// level. Python: `multiprocessing.get_logger()`.
inline Logger& get_logger() { return detail::process_wide<Logger>(); }

/// Writes lines from `level` on to standard error. Python: `multiprocessing.log_to_stderr(level)`.
MULTIPROCESSING_INLINE Logger& log_to_stderr(LogLevel level = LogLevel::debug);

namespace detail {
template <class T>
concept Representable = requires(const T& object) {
    { object.repr() } -> std::same_as<std::string>;
};
} // namespace detail

/// Returns the text form of a Process, lock, queue, result and the like:
/// `<RLock(owner=MainProcess, count=1)>`. A part that is not known in this process is `unknown`.
/// For people: other versions may have other texts. Python: `repr(object)`.
template <detail::Representable T>
std::string to_string(const T& object) {
    return object.repr();
}
template <class Traits, detail::Representable T>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const T& object) {
    return out << object.repr();
}

} // namespace multiprocessing::inline v1

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/platform/identity.hpp>

#include <mutex>

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE void DeferredLog::add(LogLevel level, std::string_view line) {
    lines_.push_back({level, std::string(line)});
}

} // namespace multiprocessing::inline v1::detail

namespace multiprocessing::inline v1 {

MULTIPROCESSING_INLINE Logger::~Logger() {
    while (first_) delete std::exchange(first_, first_->next);
}

MULTIPROCESSING_INLINE void Logger::set_level(LogLevel level) {
    std::lock_guard lock{mutex};
    level_ = level;
}

MULTIPROCESSING_INLINE LogLevel Logger::level() const {
    std::lock_guard lock{const_cast<detail::Mutex&>(mutex)};
    return level_;
}

MULTIPROCESSING_INLINE void Logger::add_sink(Sink sink) {
    auto* const node = new Node{std::move(sink), nullptr};
    std::lock_guard lock{mutex};
    (last_ ? last_->next : first_) = node;
    last_ = node;
}

MULTIPROCESSING_INLINE void Logger::log(LogLevel level, std::string_view line) noexcept {
    try {
        if (detail::DeferredLog* const deferred = detail::DeferredLog::current()) {
            deferred->add(level, line);
            return;
        }
        detail::require_no_mutex();
        const Node* first = nullptr;
        const Node* last = nullptr;
        {
            std::lock_guard lock{mutex};
            if (level < level_) return;
            first = first_;
            last = last_;
        }
        if (!first) to_stderr(level, line);
        // Not under the mutex: a sink may log, or start a process.
        for (const Node* node = first; node; node = node == last ? nullptr : node->next) {
            try {
                node->sink(level, line);
            } catch (...) { // a log must not end what it reports on
            }
        }
    } catch (...) { // out of memory: the line is lost
    }
}

MULTIPROCESSING_INLINE void Logger::to_stderr(LogLevel level, std::string_view line) {
    static constexpr const char* names[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
    std::string text = "[" + std::string(names[static_cast<int>(level)]) + "/" +
                       std::to_string(detail::platform::current_pid()) + "] ";
    text.append(line).append("\n");
    detail::platform::write_error(text);
}

MULTIPROCESSING_INLINE void Logger::after_fork(bool in_child) {
    if (in_child) detail::DeferredLog::current() = nullptr;
    ForkSafe::after_fork(in_child);
}

} // namespace multiprocessing::inline v1

namespace multiprocessing::inline v1::detail {

MULTIPROCESSING_INLINE detail::DeferredLog::~DeferredLog() {
    current() = outer_;
    for (const Line& line : lines_) get_logger().log(line.level, line.text);
}

} // namespace multiprocessing::inline v1::detail

namespace multiprocessing::inline v1 {

MULTIPROCESSING_INLINE Logger& log_to_stderr(LogLevel level) {
    Logger& logger = get_logger();
    logger.set_level(level);
    logger.add_sink(Logger::to_stderr);
    return logger;
}

} // namespace multiprocessing::inline v1

#endif // MULTIPROCESSING_BODIES
