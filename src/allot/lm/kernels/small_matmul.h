// Products of small matrices that lie in the first caches, for attention: one register tile,
// instantiated for the shapes it meets. Internal to kernels/; include it in sources only.
//
// c[i][j] (= or +=) sum over k of a(i, k) * b[k][j]. a is read one number at a time, either by rows
// (a[i * lda + k]) or by columns (a[k * lda + i]); b and c are read in whole half vectors, so that
// heads of 24 numbers are computed without padding. The number of columns is rounded up to half
// vectors and the number of rows to kRowPadding: c, b and the rows of a must be readable (and c
// writable) that far.
#pragma once

#include <cstddef>

#include "allot/lm/kernels/vector.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {

enum class Read { Rows, Columns };
enum class Write { Set, Add };

inline constexpr int kRowPadding = 24;
template <class T>
inline constexpr int kHalfLanes = kLanes<T> / 2;

constexpr int round_up(int n, int multiple) { return (n + multiple - 1) / multiple * multiple; }

template <class T>
struct HalfVectorTypes {
  typedef T Register __attribute__((vector_size(ALLOT_VECTOR_BYTES / 2)));
  typedef T Memory
      __attribute__((vector_size(ALLOT_VECTOR_BYTES / 2), aligned(sizeof(T)), may_alias));
};
template <class T>
using HalfVec = typename HalfVectorTypes<T>::Register;

template <class T>
ALLOT_INLINE HalfVec<T> load_half(const T* from) {
  return *reinterpret_cast<const typename HalfVectorTypes<T>::Memory*>(from);
}
template <class T>
ALLOT_INLINE void store_half(T* to, HalfVec<T> value) {
  *reinterpret_cast<typename HalfVectorTypes<T>::Memory*>(to) = value;
}

// Rows of a register tile that is `halves` half vectors wide; each divides kRowPadding.
constexpr int tile_rows(int halves) {
#if ALLOT_VECTOR_BYTES == 64  // 32 registers
  constexpr int rows[] = {12, 12, 8, 6};
#else  // 16 registers
  constexpr int rows[] = {8, 6, 4, 3};
#endif
  return rows[(halves - 1) / 2];
}

template <class T, int kHalves, Read read, Write write>
ALLOT_INLINE void multiply_tile(int inner, const T* a, std::ptrdiff_t lda, const T* b,
                                std::ptrdiff_t ldb, T* c, std::ptrdiff_t ldc) {
  constexpr int kRows = tile_rows(kHalves), kFull = kHalves / 2, kTail = kFull * kLanes<T>;
  constexpr bool kOdd = kHalves % 2 == 1;
  Vec<T> sum[kRows][kFull + 1] = {};  // one more than used: an array of 0 is not allowed
  HalfVec<T> tail[kRows] = {};
  for (int k = 0; k < inner; ++k) {
    Vec<T> right[kFull + 1];
    HalfVec<T> right_tail = {};
#pragma GCC unroll 4
    for (int v = 0; v < kFull; ++v) right[v] = load(b + k * ldb + v * kLanes<T>);
    if constexpr (kOdd) right_tail = load_half(b + k * ldb + kTail);
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) {
      const T left = read == Read::Rows ? a[i * lda + k] : a[k * lda + i];
#pragma GCC unroll 4
      for (int v = 0; v < kFull; ++v) sum[i][v] += left * right[v];
      if constexpr (kOdd) tail[i] += left * right_tail;
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < kRows; ++i) {
    T* to = c + i * ldc;
#pragma GCC unroll 4
    for (int v = 0; v < kFull; ++v, to += kLanes<T>) {
      store(to, write == Write::Add ? load(to) + sum[i][v] : sum[i][v]);
    }
    if constexpr (kOdd) {
      store_half(to, write == Write::Add ? load_half(to) + tail[i] : tail[i]);
    }
  }
}

// first(i) <= inner: the sum of the tile that begins at row i starts there, because what lies
// before is 0.
template <class T, int kHalves, Read read, Write write, class First>
inline void multiply_strip(int rows, int inner, const T* a, std::ptrdiff_t lda, const T* b,
                           std::ptrdiff_t ldb, T* c, std::ptrdiff_t ldc, const First& first) {
  for (int i = 0; i < rows; i += tile_rows(kHalves)) {
    const std::ptrdiff_t k = first(i);
    const T* from = read == Read::Rows ? a + i * lda + k : a + k * lda + i;
    multiply_tile<T, kHalves, read, write>(inner - static_cast<int>(k), from, lda, b + k * ldb, ldb,
                                           c + i * ldc, ldc);
  }
}

template <class T, Read read, Write write, class First>
inline void multiply(int rows, int columns, int inner, const T* a, std::ptrdiff_t lda, const T* b,
                     std::ptrdiff_t ldb, T* c, std::ptrdiff_t ldc, const First& first) {
  for (int left = round_up(columns, kHalfLanes<T>) / kHalfLanes<T>; left > 0; left -= 8) {
    const auto strip = [&]<int kHalves>() {
      multiply_strip<T, kHalves, read, write>(rows, inner, a, lda, b, ldb, c, ldc, first);
    };
    switch (left) {
      case 1:
        strip.template operator()<1>();
        break;
      case 2:
        strip.template operator()<2>();
        break;
      case 3:
        strip.template operator()<3>();
        break;
      case 4:
        strip.template operator()<4>();
        break;
      case 5:
        strip.template operator()<5>();
        break;
      case 6:
        strip.template operator()<6>();
        break;
      case 7:
        strip.template operator()<7>();
        break;
      default:
        strip.template operator()<8>();
    }
    b += 4 * kLanes<T>;
    c += 4 * kLanes<T>;
  }
}

template <class T, Read read, Write write>
inline void multiply(int rows, int columns, int inner, const T* a, std::ptrdiff_t lda, const T* b,
                     std::ptrdiff_t ldb, T* c, std::ptrdiff_t ldc) {
  multiply<T, read, write>(rows, columns, inner, a, lda, b, ldb, c, ldc, [](int) { return 0; });
}

}  // namespace ALLOT_KERNEL_SET
}  // namespace allot::lm::kernels
