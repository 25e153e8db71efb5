// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/stream.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

using namespace contracts;

namespace {

struct Pair {
    platform::Stream here;
    platform::Stream there;

    Pair() {
        auto [first, second] = platform::make_stream_pair();
        here = platform::Stream{std::move(first)};
        there = platform::Stream{std::move(second)};
    }
};

void send(platform::Stream& stream, const std::string& head, const std::string& body = {},
          std::vector<platform::Handle> handles = {}, platform::Drain* drain = nullptr) {
    stream.write_all(std::as_bytes(std::span(head)), std::as_bytes(std::span(body)), handles, drain);
}

/// So many bytes, or fewer at the end.
std::string received(platform::Stream& stream, std::size_t size, platform::Arrived& arrived) {
    std::string text(size, '\0');
    std::size_t got = 0;
    while (got < size) {
        const auto some =
            stream.read_some(std::as_writable_bytes(std::span(text)).subspan(got), patience(), arrived);
        if (some.value() == 0) break;
        got += *some;
    }
    text.resize(got);
    return text;
}

std::string received(platform::Stream& stream, std::size_t size) {
    platform::Arrived arrived;
    return received(stream, size, arrived);
}

} // namespace

TEST_CASE("a write that does not wait takes what there is room for", "[stream]") {
    Pair pair;
    const std::string text(100'000, 'w');
    std::size_t put = 0;
    for (;;) {
        const std::size_t some = pair.here.write_some(std::as_bytes(std::span(text)));
        REQUIRE(some <= text.size());
        put += some;
        if (some == 0) break;
    }
    REQUIRE(put > 0);
    CHECK(received(pair.there, put) == std::string(put, 'w'));
    CHECK(pair.here.write_some(std::as_bytes(std::span(text)).first(1)) == 1);
    CHECK(received(pair.there, 1) == "w");
    pair.there = {};
    CHECK_THROWS_AS(pair.here.write_some(std::as_bytes(std::span(text)).first(1)), std::system_error);
}

TEST_CASE("a stream carries head and body both ways", "[stream]") {
    Pair pair;
    const std::string large(300'000, 'b');
    std::thread writer([&] { send(pair.here, "head", large); });
    CHECK(received(pair.there, 4 + large.size()) == "head" + large);
    writer.join();
    send(pair.there, "back");
    CHECK(received(pair.here, 4) == "back");
}

TEST_CASE("a read ends at its deadline when nothing comes", "[stream]") {
    Pair pair;
    std::byte bytes[10];
    platform::Arrived arrived;
    const auto begin = std::chrono::steady_clock::now();
    CHECK_FALSE(pair.here.read_some(bytes, Deadline::after(30ms), arrived));
    CHECK(std::chrono::steady_clock::now() - begin >= 30ms);
    send(pair.there, "late"); // nothing of it was lost
    CHECK(received(pair.here, 4) == "late");
}

TEST_CASE("a closed end is the end for the reader and an error for the writer", "[stream]") {
    Pair pair;
    CHECK_FALSE(pair.here.is_closed());
    send(pair.there, "last");
    pair.there = platform::Stream{};
    CHECK(received(pair.here, 100) == "last");
    CHECK(pair.here.is_closed()); // Windows: not before all was read
    try {
        send(pair.here, "more");
        FAIL("nobody is there to read");
    } catch (const std::system_error& error) { CHECK(error.code() == std::errc::broken_pipe); }
}

TEST_CASE("a handle that is sent arrives with the bytes of its head", "[stream]") {
    Pair pair;
    REQUIRE(pair.here.carries_handles());
    auto pipe = platform::make_pipe();
    platform::Arrived arrived;
    if constexpr (platform::Stream::handles_are_words) {
        arrived.handles.push_back(platform::Stream::accept(platform::Stream::offer(std::move(pipe.writer))));
    } else {
        std::vector<platform::Handle> handles;
        handles.push_back(std::move(pipe.writer));
        send(pair.here, "head", "body", std::move(handles));
        CHECK(received(pair.there, 8, arrived) == "headbody");
    }
    REQUIRE(arrived.handles.size() == 1);
    platform::write_all(arrived.handles[0], std::as_bytes(std::span("x", 1)));
    CHECK(read_text(pipe.reader, 1) == "x");
}

TEST_CASE("a watched stream is ready when a read would not wait", "[stream]") {
    Pair pair;
    platform::Inbox inbox;
    const platform::NativeHandle watched = pair.here.watch(inbox);
    CHECK_FALSE(platform::wait_one(watched, Deadline::after(0s)));
    send(pair.there, "come");
    CHECK(platform::wait_one(watched, patience()));
    pair.here.unwatch(inbox);
    std::string text(4, '\0');
    const std::size_t ahead = inbox.read(std::as_writable_bytes(std::span(text)));
    CHECK(text.substr(0, ahead) + received(pair.here, 4 - ahead) == "come");
}

TEST_CASE("two ends that write at once take in what arrives", "[stream]") {
    Pair pair;
    const std::string much(2'000'000, 'm');
    Mutex reading;
    Mutex reading_there;
    const std::atomic<int> watchers{0};
    platform::Inbox inbox;
    platform::Inbox inbox_there;
    platform::Drain drain{reading, watchers, inbox};
    platform::Drain drain_there{reading_there, watchers, inbox_there};
    const auto rest = [&](platform::Stream& stream, platform::Inbox& ahead) {
        std::string text(4 + much.size(), '\0');
        const std::size_t taken = ahead.read(std::as_writable_bytes(std::span(text)));
        return text.substr(0, taken) + received(stream, text.size() - taken);
    };
    std::string got_there;
    std::thread other([&] {
        send(pair.there, "head", much, {}, &drain_there);
        got_there = rest(pair.there, inbox_there);
    });
    send(pair.here, "head", much, {}, &drain);
    const std::string got = rest(pair.here, inbox);
    other.join();
    CHECK(got == "head" + much);
    CHECK(got_there == "head" + much);
}

TEST_CASE("an inbox hands out handles with the bytes they came with", "[stream]") {
    platform::Inbox inbox;
    const auto put = [&](const std::string& text, bool with_handle) {
        platform::Arrived arrived;
        if (with_handle) arrived.handles.push_back(platform::make_pipe().reader);
        inbox.add(std::as_bytes(std::span(text)), std::move(arrived));
    };
    put("one", false);
    put("two", true);
    put("three", false);
    std::string text(5, '\0');
    CHECK(inbox.read(std::as_writable_bytes(std::span(text))) == 5);
    CHECK(text == "onetw");
    CHECK(inbox.take_arrived().handles.empty());
    CHECK(inbox.read(std::as_writable_bytes(std::span(text))) == 5);
    CHECK(text == "othre");
    CHECK(inbox.take_arrived().handles.size() == 1);
    CHECK(inbox.take_arrived().handles.empty());
    CHECK_FALSE(inbox.empty());
    CHECK(inbox.read(std::as_writable_bytes(std::span(text))) == 1);
    CHECK_FALSE(inbox.ready());
    inbox.ended = true;
    CHECK(inbox.ready());
}
