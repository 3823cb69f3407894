// A vector whose storage begins on a cache line, as the widest vector loads like it.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace allot::lm::kernels {

template <class T>
struct CacheLineAllocator {
  using value_type = T;
  static constexpr std::align_val_t kAlignment{64};

  CacheLineAllocator() = default;
  template <class U>
  CacheLineAllocator(const CacheLineAllocator<U>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), kAlignment)); }
  void deallocate(T* p, std::size_t) { ::operator delete(p, kAlignment); }
  template <class U>
  bool operator==(const CacheLineAllocator<U>&) const {
    return true;
  }
};

template <class T>
using AlignedVector = std::vector<T, CacheLineAllocator<T>>;

}  // namespace allot::lm::kernels

// Their functions are made once, in lm/decode_state.cc, and never by a kernel file (variant.h).
extern template class std::vector<float, allot::lm::kernels::CacheLineAllocator<float>>;
extern template class std::vector<double, allot::lm::kernels::CacheLineAllocator<double>>;
extern template class std::vector<const float*,
                                  allot::lm::kernels::CacheLineAllocator<const float*>>;
extern template class std::vector<const double*,
                                  allot::lm::kernels::CacheLineAllocator<const double*>>;

namespace allot::lm::kernels {

// The smallest multiple of 16 that is not below n: a whole number of vectors on every processor.
constexpr int round_up_16(int n) { return (n + 15) / 16 * 16; }

}  // namespace allot::lm::kernels
