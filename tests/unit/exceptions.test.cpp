// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>

#include <multiprocessing/exceptions.hpp>

#include <stdexcept>
#include <type_traits>

namespace mp = multiprocessing;

namespace {
/// Catchable as both, without being ambiguous.
template <class Exception, class Base>
inline constexpr bool is_a = std::is_convertible_v<const Exception*, const Base*>;
} // namespace

static_assert(is_a<mp::ProcessError, std::runtime_error>);
static_assert(is_a<mp::TimeoutError, mp::ProcessError> && is_a<mp::TimeoutError, std::runtime_error>);
static_assert(is_a<mp::SerializationError, mp::ProcessError>);
static_assert(is_a<mp::CancelledError, mp::ProcessError>);
static_assert(is_a<mp::BrokenBarrierError, mp::ProcessError>);
static_assert(is_a<mp::WorkerLostError, mp::ProcessError> && !is_a<mp::WorkerLostError, mp::TimeoutError>);
static_assert(is_a<mp::RemoteError, mp::ProcessError>);
static_assert(std::is_nothrow_copy_constructible_v<mp::TimeoutError>); // as of what is thrown

TEST_CASE("one handler of ProcessError takes all exceptions of the library", "[exceptions]") {
    const auto taken = [](auto exception) {
        try {
            throw exception;
        } catch (const mp::ProcessError& error) { return std::string(error.what()); }
    };
    CHECK(taken(mp::TimeoutError("late")) == "late");
    CHECK(taken(mp::SerializationError("bytes")) == "bytes");
    CHECK(taken(mp::CancelledError("gone")) == "gone");
    CHECK(taken(mp::BrokenBarrierError("broken")) == "broken");
    CHECK(taken(mp::WorkerLostError("lost", 1, {}, {})) == "lost");
}

TEST_CASE("a lost worker is known by pid, exit code and task", "[exceptions]") {
    const mp::WorkerLostError lost("text", 12, -9, 3);
    CHECK(lost.pid() == 12);
    CHECK(lost.exitcode() == -9);
    CHECK(lost.task_index() == 3u);
    const mp::WorkerLostError unknown("text", 12, std::nullopt, std::nullopt);
    CHECK_FALSE(unknown.exitcode().has_value());
    CHECK_FALSE(unknown.task_index().has_value());
}

TEST_CASE("a remote error without a text is told by its type", "[exceptions]") {
    CHECK(std::string(mp::RemoteError({.type = "Mine", .text = "words"}).what()) == "Mine: words");
    CHECK(std::string(mp::RemoteError({.type = "int"}).what()) == "int");
}
