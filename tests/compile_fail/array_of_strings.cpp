// error: .*only a trivially copyable type without pointers, references or views, or a lock-free std::atomic of one, can lie in shared memory: an address means nothing in another process
// SPDX-License-Identifier: BSL-1.0
#include <multiprocessing/sharedctypes.hpp>

#include <string>

#ifdef TWIN
using Type = char;
#else
using Type = std::string;
#endif

int main() { multiprocessing::Array<Type> texts(3); }
