#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file bar_board.hpp  The bars at the bottom of the terminal: one line for each map that shows
/// its progress, below each other.

#include <multiprocessing/detail/config.hpp>
#include <multiprocessing/detail/of_this_copy.hpp>
#include <multiprocessing/detail/process_wide.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace multiprocessing::inline v1::detail {

/// Shows bars, and lines of text above them. Any thread may change a bar; one of them writes to the
/// terminal, for all, and outside of the mutex: who finds another one writing leaves the change to
/// it, so a terminal that takes nothing (Ctrl-S) holds up one thread only. Between two writes the
/// cursor stands at the end of the lowest bar.
///
/// Bars are of the process, not of its copies: a fork leaves them with the original.
class BarBoard : public ForkSafe {
public:
    static constexpr StateSlot slot = StateSlot::bars;

    /// A line of the board while there is something to be shown.
    class Bar {
    public:
        Bar() = default;
        Bar(const Bar&) = delete;
        Bar& operator=(const Bar&) = delete;
        /// What it showed last stays above the others.
        ~Bar();

        void show(std::string line);
        /// Its last line, which stays.
        void end(std::string line);

    private:
        bool is_shown_ = false; // by the thread that uses the bar
    };

    /// Writes lines of text, without the last one's newline, above the bars.
    void print(std::string text);

    void after_fork(bool in_child) { ForkSafe::after_fork(in_child); }

private:
    struct Line {
        const Bar* bar;
        std::string text;
    };
    struct State {
        std::vector<Line> lines;
        std::string above;     // lines to be written above them, each with its newline
        std::size_t drawn = 0; // bars on the terminal
        bool is_changed = false;
        bool is_writing = false; // a thread is
    };

    /// Makes a change under the mutex, and sees to it that it is written.
    template <class Change>
    void change(Change change);
    static std::string drawing_of(State& state);
    static void leave(State& state, const Bar& bar, std::string last);

    OfThisCopy<State> state_;
};

inline BarBoard& bar_board() { return process_wide<BarBoard>(); }

} // namespace multiprocessing::inline v1::detail

#if MULTIPROCESSING_BODIES
#include <multiprocessing/detail/base/mutex.hpp>
#include <multiprocessing/detail/base/scope_exit.hpp>
#include <multiprocessing/detail/platform/standard_streams.hpp>
#include <multiprocessing/detail/progress/progress_line.hpp>

#include <algorithm>
#include <exception>
#include <mutex>
#include <utility>

namespace multiprocessing::inline v1::detail {

template <class Change>
void BarBoard::change(Change change) {
    require_no_mutex();
    {
        std::lock_guard lock{mutex};
        State& state = state_.get();
        change(state);
        state.is_changed = true;
        if (std::exchange(state.is_writing, true)) return;
    }
    for (;;) {
        std::string text;
        {
            std::lock_guard lock{mutex};
            State& state = state_.get();
            ScopeExit done{[&] { state.is_writing = false; }}; // also without memory
            if (!std::exchange(state.is_changed, false)) return;
            text = drawing_of(state);
            done.release();
        }
        platform::write_error(text);
    }
}

MULTIPROCESSING_INLINE std::string BarBoard::drawing_of(State& state) {
    const auto columns = static_cast<std::size_t>((std::max)(1, platform::terminal_width() - 1));
    // The cursor cannot be moved above the first row: bars that have no room there wait.
    const auto rows = static_cast<std::size_t>((std::max)(1, platform::terminal_height() - 1));
    std::string text = "\r";
    if (state.drawn > 1) text += "\x1b[" + std::to_string(state.drawn - 1) + "A";
    // What ends a line is wiped out first, as a terminal may break a line that is as long as it.
    if (state.drawn > 0) text += "\x1b[J";
    text += std::exchange(state.above, {});
    state.drawn = (std::min)(state.lines.size(), rows);
    for (std::size_t i = 0; i < state.drawn; ++i) {
        if (i != 0) text += "\n";
        text += first_columns(state.lines[i].text, columns);
    }
    return text;
}

MULTIPROCESSING_INLINE void BarBoard::leave(State& state, const Bar& bar, std::string last) {
    const auto at = std::find_if(state.lines.begin(), state.lines.end(),
                                 [&](const Line& line) { return line.bar == &bar; });
    if (at == state.lines.end()) return; // the original's, of which this is a copy
    state.above += (last.empty() ? at->text : last) + "\n";
    state.lines.erase(at);
}

MULTIPROCESSING_INLINE void BarBoard::print(std::string text) {
    change([&](State& state) { state.above += std::move(text) + "\n"; });
}

MULTIPROCESSING_INLINE BarBoard::Bar::~Bar() {
    if (!is_shown_) return;
    try {
        bar_board().change([this](State& state) { leave(state, *this, {}); });
    } catch (const std::exception&) {} // no memory
}

MULTIPROCESSING_INLINE void BarBoard::Bar::show(std::string line) {
    bar_board().change([&](State& state) {
        const auto at = std::find_if(state.lines.begin(), state.lines.end(),
                                     [this](const Line& shown) { return shown.bar == this; });
        if (at != state.lines.end()) {
            at->text = std::move(line);
        } else if (!is_shown_) {
            state.lines.push_back({this, std::move(line)});
        }
    });
    is_shown_ = true;
}

MULTIPROCESSING_INLINE void BarBoard::Bar::end(std::string line) {
    if (!is_shown_) return bar_board().print(std::move(line));
    bar_board().change([&](State& state) { leave(state, *this, std::move(line)); });
    is_shown_ = false;
}

} // namespace multiprocessing::inline v1::detail

#endif // MULTIPROCESSING_BODIES
