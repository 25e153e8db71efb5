// error: .*only a trivially copyable type without pointers, references or views, or a lock-free std::atomic of one, can lie in shared memory: an address means nothing in another process
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/sharedctypes.hpp>

#ifdef TWIN
using Type = long;
#else
using Type = const int*;
#endif

int main() { multiprocessing::Value<Type> value; }
