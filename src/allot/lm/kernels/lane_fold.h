// Sums and maxima over the lanes of a vector in few dependent steps: halves are folded onto each
// other until one lane is left, a fixed order. For loops over short rows, where the order of
// vector.h's lane_sum (one lane after the other) takes as long as the row. Include it in sources of
// this folder only.
#pragma once

#include <utility>

#include "allot/lm/kernels/vector.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {

// Lane i becomes lane i ^ by.
template <class T, int by, std::size_t... lane>
ALLOT_INLINE Vec<T> exchanged(Vec<T> v, std::index_sequence<lane...>) {
  return __builtin_shufflevector(v, v, (static_cast<int>(lane) ^ by)...);
}

template <class T, int width = kLanes<T> / 2, class Fold>
ALLOT_INLINE T fold_lanes(Vec<T> v, const Fold& fold) {
  if constexpr (width == 0) {
    return v[0];
  } else {
    const Vec<T> other = exchanged<T, width>(v, std::make_index_sequence<kLanes<T>>());
    return fold_lanes<T, width / 2>(fold(v, other), fold);
  }
}
template <class T>
ALLOT_INLINE T folded_sum(Vec<T> v) {
  return fold_lanes<T>(v, [](Vec<T> a, Vec<T> b) { return a + b; });
}
template <class T>
ALLOT_INLINE T folded_max(Vec<T> v) {
  return fold_lanes<T>(v, [](Vec<T> a, Vec<T> b) { return vector_max<T>(a, b); });
}

}  // namespace ALLOT_KERNEL_SET
}  // namespace allot::lm::kernels
