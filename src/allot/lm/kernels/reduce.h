// One number from the lanes of a vector, in a few exchanges. For sources of this folder only.
#pragma once

#include <utility>

#include "allot/lm/kernels/vector.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {

// Combines all lanes by a tree of exchanges; every lane of the result holds the same number.
template <class T, int Distance, class Combine, std::size_t... Lane>
ALLOT_INLINE Vec<T> exchange(Vec<T> v, const Combine& combine, std::index_sequence<Lane...>) {
  return combine(v, __builtin_shufflevector(v, v, (Lane ^ Distance)...));
}
template <class T, int Distance = kLanes<T> / 2, class Combine>
ALLOT_INLINE Vec<T> reduced(Vec<T> v, const Combine& combine) {
  if constexpr (Distance > 0) {
    v = exchange<T, Distance>(v, combine, std::make_index_sequence<kLanes<T>>());
    return reduced<T, Distance / 2>(v, combine);
  }
  return v;
}

}  // namespace ALLOT_KERNEL_SET
}  // namespace allot::lm::kernels
