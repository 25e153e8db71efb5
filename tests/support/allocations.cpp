// SPDX-License-Identifier: BSL-1.0
#include <support/allocations.hpp>
#include <support/sanitizers.hpp>

#include <cstdlib>
#include <new>

namespace {
thread_local std::size_t allocated = 0;
}

std::size_t support::allocated_bytes() { return allocated; }

#if !defined(MP_TEST_HAS_ASAN)
void* operator new(std::size_t size) {
    allocated += size;
    if (void* const memory = std::malloc(size ? size : 1)) return memory;
    throw std::bad_alloc{};
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif
