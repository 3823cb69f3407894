#include "allot/lm/allocator.h"

#include <stdlib.h>  // setenv is POSIX; defines __GLIBC__ where it applies

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace allot::lm {

void keep_freed_memory() {
#if defined(__GLIBC__)
  constexpr int kMiB = 1 << 20;
  mallopt(M_MMAP_THRESHOLD, 32 * kMiB);  // the largest that glibc takes
  mallopt(M_TRIM_THRESHOLD, 512 * kMiB);
  // A thread's arena keeps an empty 64 MiB heap only if the padding asks for as much.
  mallopt(M_TOP_PAD, 64 * kMiB);
#endif
}

void bound_product_cache() {
  setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256", 0);
  setenv("LRU_CACHE_CAPACITY", "128", 0);  // torch's own, in every thread
}

}  // namespace allot::lm
