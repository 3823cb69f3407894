// Replaces operator new of the whole program, and only counts.
#include "allot/core/testing/allocations.h"

#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ALLOT_COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define ALLOT_COUNTS_ALLOCATIONS 0
#endif
#endif
#ifndef ALLOT_COUNTS_ALLOCATIONS
#define ALLOT_COUNTS_ALLOCATIONS 1
#endif

namespace {
thread_local std::uint64_t allocations_of_thread = 0;
}  // namespace

// Never inlined: where GCC 12 sees the free() of a delete beside its new, it warns of a mismatch.
#if ALLOT_COUNTS_ALLOCATIONS
[[gnu::noinline]] void* operator new(std::size_t size) {
  void* const memory = std::malloc(size > 0 ? size : 1);
  if (!memory) throw std::bad_alloc();
  ++allocations_of_thread;
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace allot::testing {

bool counts_allocations() { return ALLOT_COUNTS_ALLOCATIONS; }
std::uint64_t allocations() { return allocations_of_thread; }

}  // namespace allot::testing
