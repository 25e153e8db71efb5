// error: multiprocessing::(connection::)?Connection cannot cross a process boundary \(it belongs to one process
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/connection.hpp>
#include <multiprocessing/partial.hpp>

#include <utility>

#ifdef TWIN
using End = int;
#else
using End = multiprocessing::Connection;
#endif
void answer(const End&, int) {}

int main() { static_cast<void>(multiprocessing::partial(answer, End{})); }
