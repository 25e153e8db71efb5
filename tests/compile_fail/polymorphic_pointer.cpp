// error: std::unique_ptr<Shape> cannot cross a process boundary \(pointer to a polymorphic class: only the base would cross; use std::variant of the derived classes\)
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/reduction.hpp>

#include <memory>

struct Shape {
    double area = 0;
#ifndef TWIN
    virtual ~Shape() = default;
#endif
};

int main() { multiprocessing::dumps(std::make_unique<Shape>()); }
