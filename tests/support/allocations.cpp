// SPDX-License-Identifier: BSL-1.0
#include <support/allocations.hpp>
#include <support/sanitizers.hpp>

#include <cstdlib>
#include <new>

namespace {
thread_local std::size_t allocated = 0;
constexpr std::size_t unlimited = ~std::size_t{0};
thread_local std::size_t allowed_calls = unlimited;
thread_local std::size_t most_at_once = unlimited;
thread_local bool once = false;
thread_local bool failed = false;
} // namespace

support::LittleMemory::LittleMemory(std::size_t most) { most_at_once = most; }
support::LittleMemory::~LittleMemory() { most_at_once = unlimited; }

std::size_t support::allocated_bytes() { return allocated; }

support::NoMemory::NoMemory(std::size_t allowed) { allowed_calls = allowed; }
support::NoMemory::~NoMemory() { allowed_calls = unlimited; }
support::OneFailure::OneFailure(std::size_t allowed) {
    allowed_calls = allowed;
    once = true;
    failed = false;
}
support::OneFailure::~OneFailure() {
    allowed_calls = unlimited;
    once = false;
}
bool support::OneFailure::seen() const { return failed; }

#if !defined(MP_TEST_HAS_ASAN)
void* operator new(std::size_t size) {
    allocated += size;
    if (allowed_calls != unlimited && allowed_calls-- == 0) {
        allowed_calls = once ? unlimited : 0;
        failed = true;
        throw std::bad_alloc{};
    }
    if (size > most_at_once) throw std::bad_alloc{};
    if (void* const memory = std::malloc(size ? size : 1)) return memory;
    throw std::bad_alloc{};
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif
