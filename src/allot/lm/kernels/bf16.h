// BF16 numbers: the upper half of a float.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "allot/lm/kernels/aligned_vector.h"

namespace allot::lm::kernels {

struct Bf16 {
  std::uint16_t bits = 0;
};

[[gnu::always_inline]] inline float to_float(Bf16 x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
}

// To the nearest, ties to even; NaN stays NaN.
[[gnu::always_inline]] inline Bf16 to_bf16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if (x != x) return {static_cast<std::uint16_t>(bits >> 16 | 0x40)};
  return {static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

// The type of sums of products of W: float or double.
template <class W>
struct RealOf {
  using Type = W;
};
template <>
struct RealOf<Bf16> {
  using Type = float;
};
template <class W>
using Real = typename RealOf<W>::Type;

template <class W>
[[gnu::always_inline]] inline Real<W> widened(W x) {
  if constexpr (std::is_same_v<W, Bf16>) {
    return to_float(x);
  } else {
    return x;
  }
}
template <class W>
[[gnu::always_inline]] inline W narrowed(Real<W> x) {
  if constexpr (std::is_same_v<W, Bf16>) {
    return to_bf16(x);
  } else {
    return x;
  }
}

}  // namespace allot::lm::kernels

extern template class std::vector<allot::lm::kernels::Bf16,
                                  allot::lm::kernels::CacheLineAllocator<allot::lm::kernels::Bf16>>;
extern template class std::vector<
    const allot::lm::kernels::Bf16*,
    allot::lm::kernels::CacheLineAllocator<const allot::lm::kernels::Bf16*>>;
