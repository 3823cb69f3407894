// Vectors of BF16 numbers and what they become. For sources of this folder only.
#pragma once

#include <cstring>
#include <type_traits>

#include "allot/lm/kernels/bf16.h"
#include "allot/lm/kernels/vector.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {

// Stores as W: BF16 is rounded to the nearest, ties to even. The NaNs of this arithmetic stay NaN.
template <class W>
ALLOT_INLINE void store_narrowed(W* to, Vec<Real<W>> value) {
  if constexpr (std::is_same_v<W, Bf16>) {
    typedef std::uint32_t Bits __attribute__((vector_size(ALLOT_VECTOR_BYTES)));
    typedef std::uint16_t Halves __attribute__((vector_size(ALLOT_VECTOR_BYTES / 2)));
    typedef std::uint16_t Memory
        __attribute__((vector_size(ALLOT_VECTOR_BYTES / 2), aligned(2), may_alias));
    const Bits bits = reinterpret_cast<Bits>(value);
    const Bits rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    *reinterpret_cast<Memory*>(to) = __builtin_convertvector(rounded, Halves);
  } else {
    store(to, value);
  }
}

using PairVec = IntVec<float>;  // lanes of two BF16 numbers, the first in the lower half

ALLOT_INLINE PairVec load_pairs(const Bf16* from) {
  typedef std::int32_t Memory
      __attribute__((vector_size(ALLOT_VECTOR_BYTES), aligned(2), may_alias));
  return *reinterpret_cast<const Memory*>(from);
}
ALLOT_INLINE PairVec broadcast_pair(const Bf16* from) {
  std::int32_t pair;
  std::memcpy(&pair, from, sizeof pair);
  return pair - PairVec{};
}
ALLOT_INLINE Vec<float> lower(PairVec pairs) { return reinterpret_cast<Vec<float>>(pairs << 16); }
ALLOT_INLINE Vec<float> upper(PairVec pairs) {
  return reinterpret_cast<Vec<float>>(pairs & static_cast<std::int32_t>(0xffff0000));
}

}  // namespace ALLOT_KERNEL_SET
}  // namespace allot::lm::kernels
