// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <string>
#include <system_error>
#include <thread>

using namespace contracts;

TEST_CASE("bytes come out of a pipe as they went in", "[pipe]") {
    auto pipe = platform::make_pipe();
    std::string sent(300'000, '\0'); // past any buffer: the reader must drain while the writer fills
    for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 7);
    std::thread writer([&] {
        platform::write_all(pipe.writer, std::as_bytes(std::span(sent)));
        pipe.writer.close();
    });
    const auto received = read_to_end(pipe.reader);
    writer.join();
    CHECK(received == sent);
}

TEST_CASE("a pipe is at its end when no writer is left and all is read", "[pipe]") {
    auto pipe = platform::make_pipe();
    CHECK_FALSE(platform::at_end(pipe.reader));
    auto second_writer = pipe.writer.duplicate();
    platform::write_all(pipe.writer, std::as_bytes(std::span("x", 1)));
    pipe.writer.close();
    CHECK_FALSE(platform::at_end(pipe.reader));
    second_writer.close();
    CHECK_FALSE(platform::at_end(pipe.reader)); // a byte is left
    CHECK(read_text(pipe.reader, 1) == "x");
    CHECK(platform::at_end(pipe.reader));
    std::byte byte;
    CHECK(platform::read_some(pipe.reader, std::span(&byte, 1)) == 0);
}

TEST_CASE("writing to a pipe without a reader is an error, not a signal", "[pipe]") {
    auto pipe = platform::make_pipe();
    pipe.reader.close();
    try {
        platform::write_all(pipe.writer, std::as_bytes(std::span("x", 1)));
        FAIL("nothing was thrown");
    } catch (const std::system_error& error) { CHECK(error.code() == std::errc::broken_pipe); }
}

TEST_CASE("a stream that ends too soon is no full read", "[pipe]") {
    auto pipe = platform::make_pipe();
    platform::write_all(pipe.writer, std::as_bytes(std::span("abc", 3)));
    pipe.writer.close();
    std::byte bytes[4];
    CHECK_FALSE(platform::read_all(pipe.reader, bytes));
}
