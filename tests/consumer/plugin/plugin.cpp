// SPDX-License-Identifier: BSL-1.0
// A plugin as many are built: everything hidden but its one entry.
#include <consumer/plugin/face.hpp>

extern "C" MP_TEST_EXPORT const Face* plugin_face() { return &face; }
