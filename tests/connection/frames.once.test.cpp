// SPDX-License-Identifier: BSL-1.0
#include <connection/support.hpp>
#include <support/allocations.hpp>
#include <support/raw_end.hpp>

#include <multiprocessing/detail/connection/framing.hpp>

#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <system_error>
#include <vector>

using namespace connection;
using support::RawEnd;

TEST_CASE("frames are those of CPython", "[connection]") {
    RawEnd raw;
    raw.connection->send_bytes(bytes_of("abc"));
    CHECK(raw.read(7) == std::vector{std::byte{0}, std::byte{0}, std::byte{0}, std::byte{3}, std::byte{'a'},
                                     std::byte{'b'}, std::byte{'c'}});
    raw.write({0, 0, 0, 2, 'h', 'i', 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 'z'});
    CHECK(raw.connection->recv_bytes() == bytes_of("hi"));
    CHECK(raw.connection->recv_bytes().empty());
    CHECK(raw.connection->recv_bytes() == bytes_of("z"));
}

TEST_CASE("bells between messages are no messages", "[connection]") {
    constexpr bool has_bells = true;
    RawEnd raw(has_bells);
    raw.write({0x80, 0x80});
    CHECK_FALSE(raw.connection->poll());
    CHECK(mp::connection::wait({*raw.connection}, 1ms).empty());
    raw.write({0x80, 0, 0, 0, 2, 'h', 'i', 0x80, 0x80, 0x80, 0, 0, 0, 1, 0x80, 0x80});
    CHECK(raw.connection->recv_bytes() == bytes_of("hi"));
    CHECK(raw.connection->poll());
    CHECK(raw.connection->recv_bytes() == bytes_of("\x80"));
    raw.close();
    CHECK_THROWS_AS(raw.connection->recv_bytes(), mp::EOFError);
}

TEST_CASE("the head of a frame of more than 2 GiB is the long one", "[connection]") {
    const mp::detail::FrameHead long_head(0x8000'0000);
    const auto head = long_head.bytes();
    const std::vector<std::byte> seen(head.begin(), head.end());
    CHECK(seen == bytes_of(std::string("\xff\xff\xff\xff\0\0\0\0\x80\0\0\0", 12)));
    CHECK(mp::detail::FrameHead(0x7fff'ffff).bytes().size() == 4);
}

TEST_CASE("a length that nothing follows takes no memory", "[connection]") {
    RawEnd raw;
    raw.write({0xff, 0xff, 0xff, 0xff, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3});
    raw.close();
    const std::size_t before = support::allocated_bytes();
    CHECK(error_of([&] { raw.connection->recv_bytes(); }) == std::errc::connection_aborted);
    CHECK(support::allocated_bytes() - before < 3'000'000);

    RawEnd typed;
    typed.write({0x7f, 0xff, 0xff, 0xff, 1, 2, 3});
    typed.close();
    CHECK(error_of([&] { typed.connection->recv<int>(); }) == std::errc::connection_aborted);
    CHECK(support::allocated_bytes() - before < 6'000'000);

    RawEnd limited;
    limited.write({0xff, 0xff, 0xff, 0xff, 0x10, 0, 0, 0, 0, 0, 0, 0});
    CHECK(error_of([&] { limited.connection->recv_bytes(1000); }) == std::errc::message_size);
    RawEnd buffered;
    buffered.write({0, 0, 0, 9, 1});
    buffered.close();
    std::vector<std::byte> buffer(20);
    CHECK(error_of([&] { buffered.connection->recv_bytes_into(buffer); }) == std::errc::connection_aborted);
}

TEST_CASE("the end within a message, and what is no message, are errors", "[connection]") {
    for (const auto& bytes : {std::initializer_list<unsigned>{0},
                              {0, 0, 0},
                              {0, 0, 0, 1},
                              {0, 0, 0, 5, 1, 2},
                              {0xff, 0xff, 0xff, 0xff},
                              {0xff, 0xff, 0xff, 0xff, 0, 0, 0}}) {
        RawEnd raw;
        raw.write(bytes);
        raw.close();
        CHECK(raw.connection->poll());
        CHECK(error_of([&] { raw.connection->recv_bytes(); }) == std::errc::connection_aborted);
        CHECK_THROWS_AS(raw.connection->recv_bytes(), mp::EOFError);
    }
    RawEnd raw;
    raw.write({0x80, 0, 0, 0});
    CHECK(error_of([&] { raw.connection->recv_bytes(); }) == std::errc::protocol_error);
}
