// SPDX-License-Identifier: BSL-1.0
// Python:
//     class ParseError(Exception):
//         def __init__(self, line): ...
//
//     with Pool(2) as pool:
//         try:
//             pool.map(parse, ["1", "2", "x"])
//         except ParseError as error:
//             print("line", error.line)
//             print("thrown by", error.__cause__)      # the traceback there

#include <multiprocessing/multiprocessing.hpp>

#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>

namespace mp = multiprocessing;

// The standard's exceptions cross as they are. One of your own does, too, when it is serializable and registered.
struct ParseError : std::exception {
    ParseError() = default;
    explicit ParseError(std::string text) : line(std::move(text)) {}
    const char* what() const noexcept override { return "not a number"; }

    template <class Archive>
    void serialize(Archive& archive) {
        archive(line);
    }

    std::string line;
};

int parse(const std::string& line) {
    if (line.find_first_not_of("0123456789") != std::string::npos) throw ParseError(line);
    return std::stoi(line); // std::out_of_range, if it is too long
}

int main() {
    mp::register_exception<ParseError>(); // in every process: therefore before freeze_support()
    mp::freeze_support();

    mp::Pool pool(2);
    try {
        pool.map(parse, {"1", "2", "x", "4"});
    } catch (const ParseError& error) {
        std::cout << "cannot parse '" << error.line << "'\n";
        if (const mp::RemoteCause* cause = mp::remote_cause(error))
            std::cout << "thrown as " << cause->type << " by " << cause->process << '\n';
    }
    try {
        pool.apply(parse, "99999999999999999999");
    } catch (const std::out_of_range&) { std::cout << "too long\n"; }
}

// Output:
// cannot parse 'x'
// thrown as ParseError by ...PoolWorker-...
// too long
