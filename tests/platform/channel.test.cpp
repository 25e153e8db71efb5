// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/channel.hpp>

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <system_error>
#include <thread>

#if !defined(_WIN32) // where processes are not forked nobody calls it

using namespace contracts;

TEST_CASE("messages arrive whole, with their handles", "[channel]") {
    auto [here, there] = platform::make_channel();
    auto pipe = platform::make_pipe();
    const platform::NativeHandle handles[]{pipe.writer.native(), pipe.reader.native()};
    const std::string first(60'000, 'a');
    platform::send(here, std::as_bytes(std::span(first)), handles, Deadline{});
    platform::send(here, std::as_bytes(std::span("second", 6)), {}, Deadline{});
    pipe.writer.close();

    auto message = platform::receive(there, Deadline{});
    REQUIRE(message);
    CHECK(message->bytes.size() == first.size());
    REQUIRE(message->handles.size() == 2);
    platform::write_all(message->handles[0], std::as_bytes(std::span("x", 1)));
    CHECK(read_text(pipe.reader, 1) == "x");
    message = platform::receive(there, Deadline{});
    REQUIRE(message);
    CHECK(message->bytes.size() == 6);
    CHECK(message->handles.empty());
    here.close();
    CHECK_FALSE(platform::receive(there, Deadline{}));
    CHECK_THROWS_AS(platform::send(there, std::as_bytes(std::span("x", 1)), {}, Deadline{}), std::system_error);
}

TEST_CASE("receiving ends at its deadline when nothing comes", "[channel]") {
    auto [here, there] = platform::make_channel();
    const auto begin = std::chrono::steady_clock::now();
    try {
        platform::receive(there, Deadline::after(30ms));
        FAIL("something came");
    } catch (const std::system_error& error) { CHECK(error.code() == std::errc::timed_out); }
    CHECK(std::chrono::steady_clock::now() - begin >= 30ms);
}

TEST_CASE("sending ends at its deadline when the other side takes nothing", "[channel]") {
    auto [here, there] = platform::make_channel();
    const std::string message(60'000, 'a');
    std::error_code code;
    try {
        for (int i = 0; i < 10'000; ++i)
            platform::send(here, std::as_bytes(std::span(message)), {}, Deadline::after(10ms));
    } catch (const std::system_error& error) { code = error.code(); }
    CHECK(code == std::errc::timed_out);
}

TEST_CASE("a channel that is shut ends for both sides", "[channel]") {
    auto [here, there] = platform::make_channel();
    bool ended = false;
    std::thread waiter([&, &end = here] { ended = !platform::receive(end, patience()); });
    std::this_thread::sleep_for(20ms); // it waits, or will find the channel shut
    platform::shut(here);
    waiter.join();
    CHECK(ended);
    CHECK_FALSE(platform::receive(there, patience()));
}

#endif
