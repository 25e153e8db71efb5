#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file python.hpp  CPython's multiprocessing, measured by a Python process that is asked for one round at a time.

#include <cstdlib>
#include <stdexcept>
#include <string>

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

/// Runs peer.py; a round is asked for by its name, and answered by its seconds.
class Python {
public:
    Python() {
        int questions[2];
        int answers[2];
        if (::pipe(questions) != 0 || ::pipe(answers) != 0) throw std::runtime_error("no pipes");
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(questions[0], 0);
            ::dup2(answers[1], 1);
            for (const int end : {questions[0], questions[1], answers[0], answers[1]}) ::close(end);
            ::execlp("python3", "python3", MP_BENCH_FOLDER "/peer.py", nullptr);
            ::_exit(127);
        }
        ::close(questions[0]);
        ::close(answers[1]);
        questions_ = ::fdopen(questions[1], "w");
        answers_ = ::fdopen(answers[0], "r");
        available_ = round("nothing") >= 0;
    }
    Python(const Python&) = delete;
    Python& operator=(const Python&) = delete;
    ~Python() {
        ::fclose(questions_); // it ends at the end of its input
        ::fclose(answers_);
        ::waitpid(pid_, nullptr, 0);
    }

    bool available() const { return available_; }

    /// Seconds that a round took; negative if there is no Python.
    double round(const char* name) {
        char line[64];
        std::fprintf(questions_, "%s\n", name);
        if (std::fflush(questions_) != 0 || !std::fgets(line, sizeof line, answers_)) return -1;
        return std::strtod(line, nullptr);
    }

private:
    pid_t pid_;
    FILE* questions_;
    FILE* answers_;
    bool available_;
};

} // namespace bench
