// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/identity.hpp>
#include <multiprocessing/detail/platform/janitor.hpp>
#include <multiprocessing/detail/platform/named_memory.hpp>

#include <boost/interprocess/mapped_region.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>

using namespace contracts;
namespace bip = boost::interprocess;

namespace {

std::string name_for(const char* what) {
    return platform::named_memory_prefix + std::string(what) + std::to_string(platform::current_pid());
}

template <class Call>
std::error_code error_of(Call call) {
    try {
        call();
    } catch (const std::system_error& error) { return error.code(); }
    return {};
}

const auto nothing = [](const platform::MemoryObject&) {};

} // namespace

TEST_CASE("named memory is zero, and what is found by its name", "[named_memory]") {
    const std::string name = name_for("found");
    constexpr std::size_t size = 10'000;
    bip::mapped_region made;
    {
        const auto object = platform::make_named_memory(name, size, nothing);
        bip::mapped_region{object, bip::read_write}.swap(made);
    }
    REQUIRE(made.get_size() >= size);
    auto* const bytes = static_cast<unsigned char*>(made.get_address());
    CHECK(std::all_of(bytes, bytes + size, [](unsigned char byte) { return byte == 0; }));
    bytes[size - 1] = 7;
    const bip::mapped_region found{platform::open_named_memory(name), bip::read_write};
    CHECK(found.get_size() == made.get_size());
    CHECK(static_cast<const unsigned char*>(found.get_address())[size - 1] == 7);
    platform::unlink_named_memory(name);
}

TEST_CASE("the maker hears of its memory before anybody finds it", "[named_memory]") {
    if (!platform::names_outlive_processes) return; // there is nothing that would stay
    const std::string name = name_for("told");
    std::uint64_t told = 0;
    std::error_code found_then;
    const auto object = platform::make_named_memory(name, 100, [&](const platform::MemoryObject& made) {
        told = platform::identity_of(made);
        found_then = error_of([&] { platform::open_named_memory(name); });
    });
    CHECK(told == platform::identity_of(object));
    CHECK(found_then == std::errc::no_such_file_or_directory);
    platform::unlink_named_memory(name);
}

TEST_CASE("a name that is taken, or not there, is an error that says so", "[named_memory]") {
    const std::string name = name_for("taken");
    CHECK(error_of([&] { platform::open_named_memory(name); }) == std::errc::no_such_file_or_directory);
    const auto object = platform::make_named_memory(name, 100, nothing);
    try {
        platform::make_named_memory(name, 100, nothing);
        FAIL("there are two of one name");
    } catch (const std::system_error& error) {
        CHECK(error.code() == std::errc::file_exists);
        CHECK_THAT(error.what(), ContainsSubstring(name));
    }
    platform::unlink_named_memory(name);
}

TEST_CASE("memory whose name was unlinked stays where it is mapped", "[named_memory]") {
    const std::string name = name_for("unlinked");
    const bip::mapped_region region{platform::make_named_memory(name, 100, nothing), bip::read_write};
    auto* const byte = static_cast<unsigned char*>(region.get_address());
    *byte = 5;
    platform::unlink_named_memory(name);
    CHECK(*byte == 5);
    if (!platform::names_outlive_processes) return; // the name goes with the mapping there
    CHECK(error_of([&] { platform::open_named_memory(name); }) == std::errc::no_such_file_or_directory);
    CHECK(error_of([&] { platform::unlink_named_memory(name); }) == std::errc::no_such_file_or_directory);
}

TEST_CASE("more memory than there is is refused, and leaves no name", "[named_memory]") {
    const std::string name = name_for("large");
    constexpr std::uint64_t too_much = std::uint64_t{1} << 61;
    try {
        platform::make_named_memory(name, too_much, nothing);
        FAIL("nobody has that much");
    } catch (const std::system_error& error) {
        CHECK(error.code() == std::errc::not_enough_memory);
        CHECK_THAT(error.what(), ContainsSubstring(std::to_string(too_much)));
    }
    CHECK(error_of([&] { platform::open_named_memory(name); }) == std::errc::no_such_file_or_directory);
}
