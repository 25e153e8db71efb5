// SPDX-License-Identifier: BSL-1.0
#include <support/catch.hpp>

#include <multiprocessing/detail/platform/error.hpp>

#include <string>
#include <system_error>

#if defined(_WIN32)
#include <boost/winapi/dll.hpp>
#else
#include <unistd.h>
#endif

namespace platform = multiprocessing::detail::platform;

namespace {

/// A call of the system that fails, and the code that it leaves.
std::error_code failed_call() {
#if defined(_WIN32)
    boost::winapi::LoadLibraryW(L"no_such_library_anywhere.dll");
    return {126, std::system_category()}; // ERROR_MOD_NOT_FOUND
#else
    ::close(-1);
    return std::make_error_code(std::errc::bad_file_descriptor);
#endif
}

} // namespace

TEST_CASE("the last error is that of the call that failed", "[error]") {
    const std::error_code expected = failed_call();
    CHECK(platform::last_error() == expected);
}

TEST_CASE("an error that is thrown names the call and bears the code", "[error]") {
    try {
        const std::error_code expected = failed_call();
        try {
            platform::throw_last_error("closing a thing");
        } catch (const std::system_error& error) { CHECK(error.code() == expected); }
        platform::throw_error(std::make_error_code(std::errc::timed_out), "asking a thing");
    } catch (const std::system_error& error) {
        CHECK(error.code() == std::errc::timed_out);
        CHECK_THAT(error.what(), StartsWith("multiprocessing: asking a thing"));
    }
}

TEST_CASE("that nobody is at the other side is told from what this side lacks", "[error]") {
    for (const std::errc code : {std::errc::connection_refused, std::errc::broken_pipe})
        CHECK(platform::is_peer_gone(std::make_error_code(code)));
    for (const std::errc code : {std::errc::too_many_files_open, std::errc::not_enough_memory,
                                 std::errc::permission_denied, std::errc::timed_out})
        CHECK_FALSE(platform::is_peer_gone(std::make_error_code(code)));
#if defined(_WIN32)
    for (const int code : {2, 109, 10054}) // no such pipe; broken; reset
        CHECK(platform::is_peer_gone({code, std::system_category()}));
    CHECK_FALSE(platform::is_peer_gone({5, std::system_category()})); // access denied
#endif
}
