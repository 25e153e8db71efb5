// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/handle.hpp>

#include <utility>

using namespace contracts;

TEST_CASE("a handle that is moved has one owner", "[handle]") {
    auto pipe = platform::make_pipe();
    const auto native = pipe.reader.native();
    platform::Handle moved = std::move(pipe.reader);
    CHECK(moved.native() == native);
    CHECK_FALSE(pipe.reader.valid());
    pipe.reader = std::move(moved);
    CHECK(pipe.reader.native() == native);
    CHECK_FALSE(moved.valid());
}

TEST_CASE("a duplicate refers to the same object, and outlives the original", "[handle]") {
    auto pipe = platform::make_pipe();
    auto copy = pipe.writer.duplicate();
    CHECK(copy.native() != pipe.writer.native());
    pipe.writer.close();
    pipe.writer.close(); // once more does no harm
    platform::write_all(copy, std::as_bytes(std::span("x", 1)));
    CHECK(read_text(pipe.reader, 1) == "x");
}

TEST_CASE("assigning to a handle closes what it had", "[handle]") {
    auto first = platform::make_pipe();
    auto second = platform::make_pipe();
    first.writer = std::move(second.writer);
    CHECK(platform::at_end(first.reader));
    CHECK_FALSE(platform::at_end(second.reader));
}

TEST_CASE("a released handle is the caller's to close", "[handle]") {
    auto pipe = platform::make_pipe();
    const auto native = pipe.writer.release();
    CHECK_FALSE(pipe.writer.valid());
    CHECK_FALSE(platform::at_end(pipe.reader));
    platform::HandleTraits::close(native);
    CHECK(platform::at_end(pipe.reader));
}
