#pragma once
// SPDX-License-Identifier: BSL-1.0
/// @file jobs.hpp  What both programs say: what the server holds, and under which names.

#include <multiprocessing/remote_managers.hpp>

#include <map>
#include <stdexcept>
#include <string>

class Maths { // methods are known by name and parameters, so another build of the program may call them
public:
    int add(int x, int y) const { return x + y; }
    double divide(double x, double y) const {
        if (y == 0) throw std::domain_error("division by zero");
        return x / y;
    }
};

class Server { // of which the server has one
public:
    void stop();
};

inline void register_all(multiprocessing::managers::BaseManager& manager) {
    manager.register_object<multiprocessing::Queue<std::string>>("jobs");
    manager.register_object<std::map<std::string, int>>("done");
    manager.register_type<Maths, &Maths::add, &Maths::divide>("maths");
    manager.register_object<Server, &Server::stop>("server");
}
