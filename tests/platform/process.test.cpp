// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <string>
#include <system_error>
#include <thread>
#include <vector>

#if defined(_WIN32)
#include <boost/winapi/handle_info.hpp>
#endif

using namespace contracts;

TEST_CASE("a child's exit code is what it returned", "[process]") {
    auto child = platform::spawn(child_program({"exit", "7"}));
    CHECK(child.pid() > 0);
    CHECK(end_of(child).exitcode == 7);
    CHECK(child.poll()->exitcode == 7); // and stays so
}

TEST_CASE("a child that runs has no ending yet", "[process]") {
    auto pipe = platform::make_pipe();
    auto request = child_program({"run_for_ever"});
    request.argument(request.pass(pipe.writer));
    auto child = platform::spawn(request);
    CHECK(read_text(pipe.reader, 2) == "up");
    CHECK_FALSE(child.poll());
    CHECK_FALSE(platform::wait_one(child.sentinel().native(), Deadline::after(10ms)));

    SECTION("until it is terminated") {
        child.terminate();
        CHECK(end_of(child).exitcode == -15);
    }
    SECTION("until it is killed") {
        child.kill();
        CHECK(end_of(child).exitcode == -9);
    }
    SECTION("and ending it once more does no harm") {
        child.kill();
        end_of(child);
        child.terminate();
        child.kill();
        CHECK(child.poll()->exitcode == -9);
    }
}

TEST_CASE("an image that does not exist is an error of the start, and nothing is started", "[process]") {
    platform::SpawnRequest request{"/no/such/program"};
    CHECK_THROWS_AS(platform::spawn(request), std::system_error);
}

TEST_CASE("a child gets the handles that are passed, whatever their numbers, and no other", "[process]") {
    // Many open pipes, so that numbers of sources and targets overlap.
    std::vector<platform::Pipe> others;
    for (int i = 0; i < 20; ++i) others.push_back(platform::make_pipe());
#if defined(_WIN32)
    boost::winapi::SetHandleInformation(
        others[0].writer.native(), boost::winapi::HANDLE_FLAG_INHERIT_,
        boost::winapi::HANDLE_FLAG_INHERIT_); // and one that a careless program made
#endif
    auto out = platform::make_pipe();
    auto request = child_program({"list_handles"});
    request.argument(request.pass(out.writer));
    auto child = platform::spawn(request);
    out.writer.close();
    CHECK(read_to_end(out.reader) == "");
    CHECK(end_of(child).exitcode == 0);
}

TEST_CASE("children that are started at once do not get each other's handles", "[process]") {
    const auto start = [] {
        for (int i = 0; i < 10; ++i) {
            auto in = platform::make_pipe();
            auto out = platform::make_pipe();
            auto request = child_program({"echo"});
            request.argument(request.pass(in.reader));
            request.argument(request.pass(out.writer));
            auto child = platform::spawn(request);
            in.reader.close();
            out.writer.close();
            in.writer.close(); // the child ends if nobody else has it
            if (read_to_end(out.reader) != "" || end_of(child).exitcode != 0)
                throw std::runtime_error("no end");
        }
    };
    std::exception_ptr failure;
    std::thread other([&] {
        try {
            start();
        } catch (...) { failure = std::current_exception(); }
    });
    CHECK_NOTHROW(start());
    other.join();
    CHECK_FALSE(failure);
}

TEST_CASE("arguments arrive as they were", "[process]") {
    const std::vector<std::string> arguments{"plain",        "",
                                             "two words",    "tab\there",
                                             "\"quoted\"",   "back\\slash",
                                             "end\\",        "end two\\\\",
                                             "\\\"",         "a\\\\\"b c",
                                             "\"",           "\"\" \"\"",
                                             "C:\\a b\\",    "*.cpp",
                                             "%PATH% $HOME", "gr\u00FC\u00DFe \u4F60\u597D"};
    auto out = platform::make_pipe();
    auto request = child_program({"send_arguments"});
    request.argument(request.pass(out.writer));
    std::string expected;
    for (const auto& argument : arguments) {
        request.argument(argument);
        expected += argument + "\n";
    }
    auto child = platform::spawn(request);
    out.writer.close();
    std::string received = read_to_end(out.reader);
    for (int i = 0; i < 3; ++i) received.erase(0, received.find('\n') + 1); // program, mode, handle
    CHECK(received == expected);
    CHECK(end_of(child).exitcode == 0);
}

TEST_CASE("several handles arrive each under its own word", "[process]") {
    auto in = platform::make_pipe();
    auto out = platform::make_pipe();
    auto request = child_program({"echo"});
    request.argument(request.pass(in.reader));
    request.argument(request.pass(out.writer));
    auto child = platform::spawn(request);
    in.reader.close();
    out.writer.close();
    platform::write_all(in.writer, std::as_bytes(std::span("from here to there", 18)));
    in.writer.close();
    CHECK(read_to_end(out.reader) == "from here to there");
    CHECK(end_of(child).exitcode == 0);
}

TEST_CASE("a word that names no inherited handle is refused", "[process]") {
    CHECK_THROWS_AS(platform::adopt_handle("nonsense"), std::system_error);
    CHECK_THROWS_AS(platform::adopt_handle("99999"), std::system_error);
    CHECK_THROWS_AS(platform::adopt_handle(""), std::system_error);
}

TEST_CASE("a child's standard input is the null device", "[process]") {
    auto child = platform::spawn(child_program({"read_input"}));
    CHECK(end_of(child).exitcode == 0);
}

TEST_CASE("a child that aborts has not returned", "[process]") {
    auto child = platform::spawn(child_program({"crash"}));
    CHECK(end_of(child).exitcode != 0);
}

TEST_CASE("std::exit is intercepted where the platform can", "[process]") {
    auto child = platform::spawn(child_program({"exit_by_interception", "4"}));
    const int code = end_of(child).exitcode.value();
    CHECK(code == (platform::exit_interception([](int) {}) ? 5 : 4));
}

TEST_CASE("how a child ended comes with what it used", "[process]") {
    auto child = platform::spawn(child_program({"exit", "0"}));
    const auto memory = end_of(child).peak_memory;
#if defined(_WIN32)
    CHECK((memory == 0 || memory > 100'000)); // Wine does not know it of a process that has ended
#else
    CHECK(memory > 100'000);
#endif
}
