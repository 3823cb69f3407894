// Short vectors of numbers for the kernels: GCC and clang vector extensions, no intrinsics.
//
// A kernel file is compiled once per instruction set (variant.h); the width follows from that, and
// everything here lies in the set's namespace. Include it in sources of this folder only.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "allot/lm/kernels/variant.h"

#if defined(__AVX512F__)
#define ALLOT_VECTOR_BYTES 64
#elif defined(__AVX2__) && defined(__FMA__)
#define ALLOT_VECTOR_BYTES 32
#else
#define ALLOT_VECTOR_BYTES 16
#endif
#define ALLOT_INLINE [[gnu::always_inline]] inline

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {

template <class T>
struct VectorTypes {
  typedef T Register __attribute__((vector_size(ALLOT_VECTOR_BYTES)));
  typedef T Memory __attribute__((vector_size(ALLOT_VECTOR_BYTES), aligned(alignof(T)), may_alias));
};
template <>
struct VectorTypes<float> {
  typedef float Register __attribute__((vector_size(ALLOT_VECTOR_BYTES)));
  typedef float Memory __attribute__((vector_size(ALLOT_VECTOR_BYTES), aligned(4), may_alias));
  typedef std::int32_t Integers __attribute__((vector_size(ALLOT_VECTOR_BYTES)));
};
template <>
struct VectorTypes<double> {
  typedef double Register __attribute__((vector_size(ALLOT_VECTOR_BYTES)));
  typedef double Memory __attribute__((vector_size(ALLOT_VECTOR_BYTES), aligned(8), may_alias));
  typedef std::int64_t Integers __attribute__((vector_size(ALLOT_VECTOR_BYTES)));
};

template <class T>
using Vec = typename VectorTypes<T>::Register;
template <class T>
using IntVec = typename VectorTypes<T>::Integers;
template <class T>
inline constexpr int kLanes = ALLOT_VECTOR_BYTES / static_cast<int>(sizeof(T));

template <class T>
ALLOT_INLINE Vec<T> load(const T* from) {
  return *reinterpret_cast<const typename VectorTypes<T>::Memory*>(from);
}
template <class T>
ALLOT_INLINE void store(T* to, Vec<T> value) {
  *reinterpret_cast<typename VectorTypes<T>::Memory*>(to) = value;
}
template <class T>
ALLOT_INLINE Vec<T> broadcast(T value) {
  return value - Vec<T>{};
}

// Lanes are added in index order, so that the result does not depend on the compiler.
template <class T>
ALLOT_INLINE T lane_sum(Vec<T> v) {
  T total = v[0];
  for (int i = 1; i < kLanes<T>; ++i) total += v[i];
  return total;
}
template <class T>
ALLOT_INLINE T lane_max(Vec<T> v) {
  T best = v[0];
  for (int i = 1; i < kLanes<T>; ++i) best = best > v[i] ? best : v[i];
  return best;
}
template <class T>
ALLOT_INLINE Vec<T> vector_max(Vec<T> a, Vec<T> b) {
  return a > b ? a : b;
}

// 0, 1, 2, ...
template <class T>
ALLOT_INLINE IntVec<T> lane_index() {
  IntVec<T> v;
  for (int i = 0; i < kLanes<T>; ++i) v[i] = i;
  return v;
}

// exp(x) = 2^n exp(r), |r| <= ln(2)/2, by a Taylor polynomial: about 1 ulp in float, 2 in double.
// Below the smallest normal number the result is 0; above the largest, infinity is not produced:
// callers pass x <= 0 or clamp.
template <class T>
struct ExpTerms;
template <>
struct ExpTerms<float> {
  static constexpr int degree = 7;
  static constexpr float round = 12582912.0f;  // 1.5 * 2^23
  static constexpr float low = -87.0f, high = 88.0f;
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  static constexpr int mantissa_bits = 23, bias = 127;
};
template <>
struct ExpTerms<double> {
  static constexpr int degree = 13;
  static constexpr double round = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double low = -708.0, high = 709.0;
  static constexpr double ln2_high = 0.693145751953125, ln2_low = 1.42860682030941723212e-6;
  static constexpr int mantissa_bits = 52, bias = 1023;
};
template <class T>
inline constexpr T kInverseFactorial[14] = {T(1),
                                            T(1),
                                            T(1) / 2,
                                            T(1) / 6,
                                            T(1) / 24,
                                            T(1) / 120,
                                            T(1) / 720,
                                            T(1) / 5040,
                                            T(1) / 40320,
                                            T(1) / 362880,
                                            T(1) / 3628800,
                                            T(1) / 39916800,
                                            T(1) / 479001600,
                                            T(1) / 6227020800};

template <class T>
ALLOT_INLINE Vec<T> exp(Vec<T> x) {
  using Terms = ExpTerms<T>;
  const Vec<T> clamped = vector_max<T>(x, broadcast<T>(Terms::low));
  const Vec<T> in = clamped < Terms::high ? clamped : broadcast<T>(Terms::high);
  const Vec<T> rounded = in * T(1.4426950408889634) + Terms::round;
  const Vec<T> n = rounded - Terms::round;
  const Vec<T> r = (in - n * Terms::ln2_high) - n * Terms::ln2_low;
  Vec<T> p = broadcast<T>(kInverseFactorial<T>[Terms::degree]);
#pragma GCC unroll 13
  for (int i = Terms::degree - 1; i >= 0; --i) p = p * r + kInverseFactorial<T>[i];
  // The low bits of `rounded` are n in two's complement.
  const IntVec<T> bits = (reinterpret_cast<IntVec<T>>(rounded) + Terms::bias)
                         << Terms::mantissa_bits;
  const Vec<T> power = reinterpret_cast<Vec<T>>(bits);
  return x < Terms::low ? Vec<T>{} : p * power;
}

}  // namespace ALLOT_KERNEL_SET
}  // namespace allot::lm::kernels
