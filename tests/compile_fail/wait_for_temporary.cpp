// error: use of deleted function .multiprocessing::v1::connection::Waitable::Waitable.multiprocessing::v1::Connection
// error of Clang: invokes a deleted function
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/connection.hpp>

int main() {
    auto [a, b] = multiprocessing::Pipe();
#ifdef TWIN
    multiprocessing::connection::Waitable waitable = a;
#else
    multiprocessing::connection::Waitable waitable = a.dup();
#endif
    static_cast<void>(waitable.fileno());
}
