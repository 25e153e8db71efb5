#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file standard_error.hpp  Standard error as a pipe or, but for Windows, a terminal, for a while.

#include <support/catch.hpp>

#include <string>

#if defined(_WIN32)

#include <windows.h>

namespace unit {

/// While it lives, what is written to the handle of standard error arrives here.
class StandardError {
public:
    StandardError() {
        REQUIRE(CreatePipe(&reader_, &writer_, nullptr, 65'536));
        REQUIRE(SetStdHandle(STD_ERROR_HANDLE, writer_));
    }
    StandardError(const StandardError&) = delete;
    StandardError& operator=(const StandardError&) = delete;
    ~StandardError() {
        SetStdHandle(STD_ERROR_HANDLE, before_);
        CloseHandle(writer_);
        CloseHandle(reader_);
    }

    /// What was written since the last look; all of it is there already.
    std::string taken() {
        std::string text;
        DWORD ready = 0;
        while (PeekNamedPipe(reader_, nullptr, 0, nullptr, &ready, nullptr) && ready > 0) {
            char buffer[4096];
            DWORD got = 0;
            if (!ReadFile(reader_, buffer, sizeof buffer, &got, nullptr)) break;
            text.append(buffer, got);
        }
        return text;
    }

private:
    const HANDLE before_ = GetStdHandle(STD_ERROR_HANDLE);
    HANDLE reader_ = nullptr;
    HANDLE writer_ = nullptr;
};

} // namespace unit

#else

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace unit {

/// While it lives, standard error leads here. A terminal if it is given a width.
class StandardError {
public:
    explicit StandardError(int columns = 0) {
        int writer = -1;
        if (columns) {
            reader_ = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
            REQUIRE(reader_ >= 0);
            REQUIRE(::grantpt(reader_) == 0);
            REQUIRE(::unlockpt(reader_) == 0);
            writer = ::open(::ptsname(reader_), O_RDWR | O_NOCTTY | O_CLOEXEC);
            REQUIRE(writer >= 0);
            termios mode;
            REQUIRE(::tcgetattr(writer, &mode) == 0);
            mode.c_oflag &= ~static_cast<tcflag_t>(OPOST); // lines end as they were written
            REQUIRE(::tcsetattr(writer, TCSANOW, &mode) == 0);
            width_of(writer, columns);
        } else {
            int ends[2];
            REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
            reader_ = ends[0];
            writer = ends[1];
        }
        before_ = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        REQUIRE(before_ >= 0);
        REQUIRE(::dup2(writer, STDERR_FILENO) == STDERR_FILENO);
        ::close(writer);
    }
    StandardError(const StandardError&) = delete;
    StandardError& operator=(const StandardError&) = delete;
    ~StandardError() {
        ::dup2(before_, STDERR_FILENO);
        ::close(before_);
        ::close(reader_);
    }

    void set_width(int columns) { width_of(STDERR_FILENO, columns); }

    /// What was written since the last look; all of it is there already.
    std::string taken() {
        std::string text;
        for (pollfd wait{reader_, POLLIN, 0}; ::poll(&wait, 1, 0) == 1 && (wait.revents & POLLIN);) {
            char buffer[4096];
            const ssize_t got = ::read(reader_, buffer, sizeof buffer);
            if (got <= 0) break;
            text.append(buffer, static_cast<std::size_t>(got));
        }
        return text;
    }

private:
    static void width_of(int terminal, int columns) {
        winsize size{};
        size.ws_row = 24;
        size.ws_col = static_cast<unsigned short>(columns);
        REQUIRE(::ioctl(terminal, TIOCSWINSZ, &size) == 0);
    }

    int reader_ = -1;
    int before_ = -1;
};

} // namespace unit

#endif
