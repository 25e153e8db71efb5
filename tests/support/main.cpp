// SPDX-License-Identifier: BSL-1.0
/// @file main.cpp  Catch2's main, ours: children enter the library before the session reads its arguments.

#define CATCH_CONFIG_RUNNER
#define CATCH_CONFIG_NO_POSIX_SIGNALS // its handlers would be inherited by forked children
#include <support/catch.hpp>
#include <support/exceptions.hpp>
#include <support/hygiene.hpp>
#include <support/watchdog.hpp>

#include <multiprocessing/remote_exceptions.hpp>
#include <multiprocessing/spawn.hpp>
#include <multiprocessing/start_method.hpp>

#include <string>

#if __has_include(<catch2/catch_all.hpp>)
namespace cli = Catch::Clara;
#else
namespace cli = Catch::clara;
#endif

int main(int argc, char** argv) {
    multiprocessing::register_exception<support::ParseError>();
    multiprocessing::register_exception<support::PlainFailure>();
    multiprocessing::register_exception<support::FinalError>();
    multiprocessing::freeze_support();
    std::string method;
    Catch::Session session;
    session.cli(session.cli() |
                cli::Opt(method, "fork|spawn|forkserver")["--start-method"]("default start method"));
    if (const int error = session.applyCommandLine(argc, argv)) return error;

    for (const auto available : multiprocessing::get_all_start_methods()) {
        if (method == to_string(available)) multiprocessing::set_start_method(available);
    }
    support::start_watchdog();
    const int failed = session.run();
    return failed ? failed : support::hygiene_failures();
}
