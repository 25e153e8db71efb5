// SPDX-License-Identifier: BSL-1.0
#include <platform/support.hpp>
#include <support/catch.hpp>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>

#if defined(_WIN32)
#include <boost/winapi/dll.hpp>
#else
#include <dlfcn.h>
#endif

using namespace contracts;

namespace {
const int constant_of_program = 5;
int code_of_program() { return 5; }
} // namespace

TEST_CASE("the image of an address is found, and found again by its id", "[executable]") {
    const auto image = platform::image_at(&constant_of_program);
    REQUIRE(image);
    CHECK(image->holds(&constant_of_program));
    CHECK(image->id != platform::ImageId{});
    CHECK(std::filesystem::path(image->path).stem() == platform::program_path().stem());
    const auto again = platform::image_with(image->id);
    REQUIRE(again);
    CHECK(again->base == image->base);
    const auto offset = reinterpret_cast<std::uintptr_t>(&constant_of_program) - image->base;
    CHECK(platform::lies_in(image->loaded, offset, sizeof(int)));
    CHECK_FALSE(platform::lies_in(image->code, offset, sizeof(int)));
    CHECK_FALSE(platform::lies_in(image->loaded, image->size - 1, 16));
    CHECK_FALSE(platform::lies_in(image->loaded, ~std::uint64_t{0}, 1));
}

TEST_CASE("code is told from data", "[executable]") {
    const auto address = reinterpret_cast<std::uintptr_t>(&code_of_program);
    const auto image = platform::image_at(reinterpret_cast<const void*>(address));
    REQUIRE(image);
    CHECK(platform::lies_in(image->code, address - image->base, 1));
}

TEST_CASE("an address of no image has none, nor has an unknown id", "[executable]") {
    const auto on_heap = std::make_unique<int>(1);
    CHECK_FALSE(platform::image_at(on_heap.get()));
    CHECK_FALSE(platform::image_at(nullptr));
    platform::ImageId unknown;
    unknown.bytes.fill(0xAB);
    CHECK_FALSE(platform::image_with(unknown));
}

TEST_CASE("a function of a library that is loaded is found by its name", "[executable]") {
    CHECK(platform::loaded_function("there_is_no_such_function") == nullptr);
#if !defined(_WIN32)
    const auto absolute = reinterpret_cast<int (*)(int)>(
        platform::loaded_function("abs")); // of the C library, whatever is linked
    REQUIRE(absolute);
    CHECK(absolute(-5) == 5);
#endif
}

TEST_CASE("another image than the program's is told apart", "[executable]") {
    const auto library = platform::image_at(reinterpret_cast<const void*>(&std::abort));
    const auto program = platform::image_at(&constant_of_program);
    REQUIRE(program);
    if (library && library->base != program->base) CHECK(library->id != program->id);
}

TEST_CASE("the program knows its file and its arguments", "[executable]") {
    CHECK(std::filesystem::exists(platform::program_path()));
    const auto arguments = platform::command_line();
    REQUIRE_FALSE(arguments.empty());
    CHECK_THAT(arguments[0], ContainsSubstring("test_platform"));
}

TEST_CASE("a library that is loaded or unloaded is noticed", "[executable]") {
    const auto before = platform::image_changes();
    CHECK(platform::image_changes() == before);
#if defined(_WIN32)
    const auto library = boost::winapi::LoadLibraryW(L"version.dll");
#else
    void* const library = ::dlopen("libanl.so.1", RTLD_NOW);
#endif
    REQUIRE(library);
    const auto loaded = platform::image_changes();
    CHECK(loaded != before);
#if defined(_WIN32)
    boost::winapi::FreeLibrary(library);
#else
    ::dlclose(library);
#endif
    CHECK(platform::image_changes() != loaded);
}
