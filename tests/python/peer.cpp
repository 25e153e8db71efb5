// SPDX-License-Identifier: BSL-1.0
/// @file peer.cpp  The C++ side of a conversation with Python: it makes, looks at and changes what it is told to.
///
/// Commands on standard input, one a line; each is answered by one line, or "error: ..." Values are written so:
/// "i 42", "d -1.5", "b 1", "n", "t <hex>", "y <hex>" (text and bytes in hexadecimal digits).
///
///   make SIZE                        its name
///   find NAME                        its size
///   peek PLACE | poke PLACE BYTE     of the memory made or found last
///   list VALUE;VALUE;...             makes a list: its name
///   attach NAME                      its size
///   values                           all of the list, as they would be written here
///   format                           of the list
///   set PLACE VALUE
///   close                            the memory and the list
///   unlink NAME

#include <multiprocessing/shareable_list.hpp>
#include <multiprocessing/shared_memory.hpp>

#include <charconv>
#include <cstdio>
#include <exception>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace multiprocessing::shared_memory;

namespace {

std::string hex(const void* data, std::size_t size) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) {
        const auto byte = static_cast<const unsigned char*>(data)[i];
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

std::string unhex(const std::string& text) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
    return bytes;
}

std::string written(const ShareableValue& value) {
    if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "b 1" : "b 0";
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return "i " + std::to_string(*integer);
    if (const auto* text = std::get_if<std::string>(&value)) return "t " + hex(text->data(), text->size());
    if (const auto* bytes = std::get_if<std::vector<std::byte>>(&value))
        return "y " + hex(bytes->data(), bytes->size());
    if (const auto* real = std::get_if<double>(&value)) {
        char buffer[64];
        return "d " + std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, *real).ptr);
    }
    return "n";
}

ShareableValue read(const std::string& text) {
    const std::string rest = text.size() > 2 ? text.substr(2) : "";
    switch (text.at(0)) {
    case 'i': return std::stoll(rest);
    case 'd': {
        double real = 0;
        std::from_chars(rest.data(), rest.data() + rest.size(), real);
        return real;
    }
    case 'b': return rest == "1";
    case 'n': return nullptr;
    case 't': return unhex(rest);
    case 'y': {
        const std::string bytes = unhex(rest);
        return std::as_bytes(std::span(bytes));
    }
    default: throw std::invalid_argument("no such value: " + text);
    }
}

struct Peer {
    SharedMemory shm;
    ShareableList list;

    std::string answer(const std::string& command, std::istringstream& arguments) {
        std::string first;
        std::string rest;
        if (command == "list") {
            std::vector<ShareableValue> values;
            for (std::string value; std::getline(arguments >> std::ws, value, ';');)
                values.push_back(read(value));
            list = ShareableList(values);
            return list.shm().name();
        }
        if (command == "values") {
            for (const ShareableValue& value : list) rest += written(value) + ";";
            return rest;
        }
        if (command == "format") return list.format();
        if (command == "close") return shm.close(), list.shm().close(), "closed";
        arguments >> first;
        std::getline(arguments >> std::ws, rest);
        if (command == "make") {
            shm = SharedMemory({.create = true, .size = std::stoul(first)});
            return shm.name();
        }
        if (command == "find") {
            shm = SharedMemory({.name = first});
            return std::to_string(shm.size());
        }
        if (command == "peek") return std::to_string(std::to_integer<int>(shm.buf()[std::stoul(first)]));
        if (command == "poke") {
            shm.buf()[std::stoul(first)] = static_cast<std::byte>(std::stoi(rest));
            return "done";
        }
        if (command == "attach") {
            list = ShareableList({.name = first});
            return std::to_string(list.size());
        }
        if (command == "set") {
            list.set(std::stol(first), read(rest));
            return "done";
        }
        if (command == "unlink") {
            SharedMemory({.name = first}).unlink();
            return "done";
        }
        throw std::invalid_argument("no such command");
    }
};

} // namespace

int main() {
    Peer peer;
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream arguments(line);
        std::string command;
        arguments >> command;
        try {
            std::cout << peer.answer(command, arguments) << std::endl;
        } catch (const std::exception& error) { std::cout << "error: " << error.what() << std::endl; }
    }
}
