// SPDX-License-Identifier: BSL-1.0
// A shared library that a program is linked to, with the visibility that compilers have by default.
#include <consumer/plugin/face.hpp>

const Face* library_face() { return &face; }
