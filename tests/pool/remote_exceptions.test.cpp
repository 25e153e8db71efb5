// SPDX-License-Identifier: BSL-1.0
#include <support/processes.hpp>

#include <support/exceptions.hpp>

#include <multiprocessing/detail/platform/backtrace.hpp>
#include <multiprocessing/pool.hpp>

#include <algorithm>
#include <any>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <new>
#include <optional>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <typeinfo>
#include <variant>
#include <vector>

using namespace process;

namespace {

/// The pool that the cases of this file throw in; a type of ours is registered before, here and in the workers (main.cpp).
template <class Throw>
std::exception_ptr thrown_by(Throw throw_it) {
    mp::Pool pool(1);
    try {
        pool.apply(throw_it);
    } catch (...) { return std::current_exception(); }
    return nullptr;
}

/// Checks that the exception is an E with that text, and tells its remote cause.
template <class E>
mp::RemoteCause check(const std::exception_ptr& exception, const std::string& text) {
    REQUIRE(exception);
    try {
        std::rethrow_exception(exception);
    } catch (const E& error) {
        CHECK(std::string(error.what()) == text);
        const mp::RemoteCause* cause = mp::remote_cause(error);
        REQUIRE(cause);
        CHECK(cause->pid > 0);
        CHECK(cause->pid != mp::current_process().pid());
        return *cause;
    } catch (const std::exception& error) {
        FAIL("another type: " << typeid(error).name() << " " << error.what());
    }
    return {};
}

struct Unregistered : std::out_of_range {
    using std::out_of_range::out_of_range;
};
struct NoText : std::exception {
    const char* what() const noexcept override { return "text of its own"; }
};

} // namespace

TEST_CASE("standard exceptions arrive as themselves", "[exceptions]") {
    check<std::runtime_error>(thrown_by([] { throw std::runtime_error("a"); }), "a");
    check<std::logic_error>(thrown_by([] { throw std::logic_error("b"); }), "b");
    check<std::out_of_range>(thrown_by([] { throw std::out_of_range("c"); }), "c");
    check<std::underflow_error>(thrown_by([] { throw std::underflow_error("d"); }), "d");
    check<std::bad_alloc>(thrown_by([] { throw std::bad_alloc(); }), std::bad_alloc().what());
    check<std::bad_array_new_length>(thrown_by([] { throw std::bad_array_new_length(); }),
                                     std::bad_array_new_length().what());
    check<std::bad_optional_access>(thrown_by([] { static_cast<void>(std::optional<int>().value()); }),
                                    std::bad_optional_access().what());
    check<std::bad_variant_access>(thrown_by([] { std::get<1>(std::variant<int, double>(1)); }), [] {
        try {
            std::get<1>(std::variant<int, double>(1));
        } catch (const std::bad_variant_access& error) { return std::string(error.what()); }
        return std::string();
    }());
    check<std::bad_cast>(thrown_by([] { throw std::bad_any_cast(); }), std::bad_any_cast().what());
}

TEST_CASE("errors with a code keep it, and their text", "[exceptions]") {
    const auto failed = thrown_by(
        [] { throw std::system_error(std::make_error_code(std::errc::no_such_device), "the device"); });
    check<std::system_error>(
        failed, std::system_error(std::make_error_code(std::errc::no_such_device), "the device").what());
    try {
        std::rethrow_exception(failed);
    } catch (const std::system_error& error) { CHECK(error.code() == std::errc::no_such_device); }
    const auto missing = thrown_by([] { return std::filesystem::file_size("/no/such/file"); });
    try {
        std::rethrow_exception(missing);
    } catch (const std::filesystem::filesystem_error& error) {
        CHECK(error.path1() == "/no/such/file");
        CHECK(error.code() == std::errc::no_such_file_or_directory);
        std::string expected;
        try {
            static_cast<void>(std::filesystem::file_size("/no/such/file"));
        } catch (const std::filesystem::filesystem_error& here) { expected = here.what(); }
        CHECK(error.what() == expected);
    }
    check<std::ios_base::failure>(thrown_by([] { throw std::ios_base::failure("the stream"); }),
                                  std::ios_base::failure("the stream").what());
}

TEST_CASE("exceptions of the library arrive as themselves", "[exceptions]") {
    check<mp::SerializationError>(thrown_by([] { throw mp::SerializationError("s"); }), "s");
    check<mp::TimeoutError>(thrown_by([] { throw mp::TimeoutError("t"); }), "t");
    check<mp::ProcessError>(thrown_by([] { throw mp::ProcessError("p"); }), "p");
    try {
        std::rethrow_exception(thrown_by([] { throw mp::WorkerLostError("w", 12, -9, 34); }));
    } catch (const mp::WorkerLostError& error) {
        CHECK(error.pid() == 12);
        CHECK(error.exitcode() == -9);
        CHECK(error.task_index() == 34u);
    }
}

TEST_CASE("an unregistered type arrives as its nearest standard base that carries text", "[exceptions]") {
    const auto cause = check<std::out_of_range>(thrown_by([] { throw Unregistered("mine"); }), "mine");
    CHECK_THAT(cause.type, ContainsSubstring("Unregistered"));
    check<std::runtime_error>(thrown_by([] { throw std::regex_error(std::regex_constants::error_brack); }),
                              std::regex_error(std::regex_constants::error_brack).what());
}

TEST_CASE("anything else arrives as RemoteError with its type and text", "[exceptions]") {
    CHECK(check<mp::RemoteError>(thrown_by([] { throw 7; }), "int").type == "int");
    check<mp::RemoteError>(thrown_by([] { throw std::string("thrown text"); }), "std::string: thrown text");
    check<mp::RemoteError>(thrown_by([] { throw "literal"; }), "char const*: literal");
    const auto cause = check<mp::RemoteError>(thrown_by([] { throw NoText(); }),
                                              "(anonymous namespace)::NoText: text of its own");
    CHECK(cause.text == "text of its own");
}

TEST_CASE("a registered type arrives as itself, with its data", "[exceptions]") {
    const auto exception = thrown_by([] { throw support::ParseError("bad token", 42); });
    check<support::ParseError>(exception, "bad token");
    try {
        std::rethrow_exception(exception);
    } catch (const support::ParseError& error) { CHECK(error.line == 42); }
    try {
        std::rethrow_exception(thrown_by([] { throw support::PlainFailure{5}; }));
    } catch (const support::PlainFailure& failure) { CHECK(failure.code == 5); }
    CHECK(mp::remote_cause(thrown_by([] { throw support::PlainFailure{5}; }))->type == "support::PlainFailure");
}

TEST_CASE("a registered type that cannot be derived from keeps its cause, too", "[exceptions]") {
    const auto exception = thrown_by([] { throw support::FinalError("the end"); });
    const auto cause = check<support::FinalError>(exception, "the end");
    CHECK(cause.type == "support::FinalError");
}

TEST_CASE("a base that is registered is nearer than a standard one", "[exceptions]") {
    struct Derived : support::ParseError {
        using ParseError::ParseError;
    };
    check<support::ParseError>(thrown_by([] { throw Derived("derived", 1); }), "derived");
}

TEST_CASE("nested exceptions arrive nested", "[exceptions]") {
    const auto exception = thrown_by([] {
        try {
            try {
                throw std::out_of_range("innermost");
            } catch (...) { std::throw_with_nested(support::ParseError("middle", 3)); }
        } catch (...) { std::throw_with_nested(std::runtime_error("outermost")); }
    });
    const auto cause = check<std::runtime_error>(exception, "outermost");
    CHECK(cause.type == "std::runtime_error");
    std::vector<std::string> texts;
    const std::function<void(const std::exception&)> walk = [&](const std::exception& error) {
        texts.emplace_back(error.what());
        CHECK(mp::remote_cause(error));
        try {
            std::rethrow_if_nested(error);
        } catch (const std::exception& inner) { walk(inner); }
    };
    try {
        std::rethrow_exception(exception);
    } catch (const std::exception& error) { walk(error); }
    CHECK(texts == std::vector<std::string>{"outermost", "middle", "innermost"});
}

TEST_CASE("through two processes an exception keeps its first cause", "[exceptions]") {
    const auto exception = thrown_by([] {
        mp::Pool inner(1);
        inner.apply([] { throw std::range_error("from below"); });
    });
    const auto cause = check<std::range_error>(exception, "from below");
    CHECK_THAT(cause.process, ContainsSubstring(":")); // of a child's child
}

TEST_CASE("an exception that was thrown here has no remote cause", "[exceptions]") {
    try {
        throw std::runtime_error("here");
    } catch (const std::exception& error) {
        CHECK_FALSE(mp::remote_cause(error));
        CHECK_FALSE(mp::remote_cause(std::current_exception()));
    }
    CHECK_FALSE(mp::remote_cause(std::exception_ptr{}));
}

TEST_CASE("a trace says where an exception was caught, or thrown by throw_with_trace", "[exceptions]") {
    if (mp::detail::platform::backtrace(0).empty()) return;
    const auto caught = check<std::runtime_error>(thrown_by([] { throw std::runtime_error("x"); }), "x");
    CHECK_FALSE(caught.trace.empty());
    const auto traced =
        check<std::runtime_error>(thrown_by([] { mp::throw_with_trace(std::runtime_error("y")); }), "y");
    CHECK_FALSE(traced.trace.empty());
    CHECK(traced.type == "std::runtime_error");
    CHECK(traced.trace != caught.trace);
}

namespace {

// Not static: a program exports such names, as tests are linked with -rdynamic.
[[gnu::noinline]] int deep_in_user_code(int number) {
    if (number % 4 == 2) throw std::runtime_error("expected by a test");
    return number;
}
[[gnu::noinline]] int user_code(int number) { return deep_in_user_code(number) + 1; }

std::size_t lines_of(const std::string& text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

} // namespace

TEST_CASE("an exception of a map tells its worker, item and place", "[exceptions]") {
    mp::Pool pool(2);
    std::exception_ptr error;
    try {
        pool.map(user_code, std::vector<int>{0, 1, 2, 3, 4});
    } catch (...) { error = std::current_exception(); }
    const mp::RemoteCause* cause = mp::remote_cause(error);
    REQUIRE(cause);
    CHECK(cause->task_index == std::size_t{2});
    CHECK_THAT(cause->process, ContainsSubstring("PoolWorker"));
    std::ostringstream shown;
    shown << *cause;
    CHECK_THAT(shown.str(), StartsWith("std::runtime_error: " + cause->text + " (in " + cause->process +
                                       ", process " + std::to_string(cause->pid) + ", item 2)"));
    CHECK(shown.str().ends_with(cause->trace));
    if (cause->trace.empty()) return; // no such thing on this system
    CHECK_FALSE(cause->trace.find("multiprocessing::") != std::string::npos);
    if (mp::detail::platform::UserCode().ends_traces) {
        // deep_in_user_code, user_code, how to get the names
#if defined(__OPTIMIZE__) && !defined(__clang__) // where the calls between are inlined
        CHECK(lines_of(cause->trace) == 3);
#else
        CHECK(lines_of(cause->trace) >= 3);
#endif
        CHECK_THAT(cause->trace, ContainsSubstring("link with -rdynamic, or ask: addr2line -Cfipe "));
    }
}

TEST_CASE("an exception of a single task has no item", "[exceptions]") {
    mp::Pool pool(1);
    try {
        pool.apply(user_code, 2);
        FAIL("nothing was thrown");
    } catch (const std::runtime_error& error) {
        const mp::RemoteCause* cause = mp::remote_cause(error);
        REQUIRE(cause);
        CHECK_FALSE(cause->task_index);
        CHECK_FALSE(cause->trace.find("multiprocessing::") != std::string::npos);
    }
}

TEST_CASE("the type of an uncaught exception says that a worker threw it", "[exceptions]") {
    mp::Pool pool(1);
    try {
        pool.apply(user_code, 2);
        FAIL("nothing was thrown");
    } catch (const std::exception& error) {
        CHECK_THAT(mp::detail::platform::readable(typeid(error).name()),
                   ContainsSubstring("FromWorker<std::runtime_error>"));
        CHECK(std::string(error.what()) == "expected by a test");
    }
}

TEST_CASE("an exception that a task throws again tells of that place", "[exceptions]") {
    mp::Pool pool(1);
    try {
        pool.apply(
            [](int number) {
                try {
                    return user_code(number);
                } catch (const std::runtime_error&) { throw; }
            },
            2);
        FAIL("nothing was thrown");
    } catch (const std::runtime_error& error) {
        const mp::RemoteCause* cause = mp::remote_cause(error);
        REQUIRE(cause);
        CHECK(cause->type == "std::runtime_error");
    }
}

TEST_CASE("an exception that a task has dealt with is not taken for the next one", "[exceptions]") {
    mp::Pool pool(1);
    try {
        pool.apply(
            [](int number) {
                try {
                    user_code(number);
                } catch (const std::runtime_error&) {}
                throw 7;
            },
            2);
        FAIL("nothing was thrown");
    } catch (const mp::RemoteError& error) {
        const mp::RemoteCause* cause = mp::remote_cause(error);
        REQUIRE(cause);
        CHECK(cause->type == "int");
    }
}
