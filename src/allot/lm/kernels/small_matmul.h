// Products of small matrices that lie in the first caches, for attention: one register tile,
// instantiated for the shapes it meets. Internal to kernels/; include it in sources only.
//
// c[i][j] (= or +=) sum over k of a(i, k) * b[k][j]. a is read one number at a time, either by rows
// (a[i * lda + k]) or by columns (a[k * lda + i]); b and c are read in whole vectors. The number
// of columns is rounded up to whole vectors and the number of rows to kRowPadding: c, b and the
// rows of a must be readable (and c writable) that far.
#pragma once

#include <cstddef>

#include "allot/lm/kernels/vector.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {

enum class Read { Rows, Columns };
enum class Write { Set, Add };

inline constexpr int kRowPadding = 24;

constexpr int round_up(int n, int multiple) { return (n + multiple - 1) / multiple * multiple; }

// Rows of a register tile that is `vectors` wide; each divides kRowPadding.
constexpr int tile_rows(int vectors) {
#if ALLOT_VECTOR_BYTES == 64  // 32 registers
  constexpr int rows[] = {12, 12, 8, 6};
#else  // 16 registers
  constexpr int rows[] = {8, 6, 4, 3};
#endif
  return rows[vectors - 1];
}

template <class T, int kVectors, Read read, Write write>
ALLOT_INLINE void multiply_tile(int inner, const T* a, std::ptrdiff_t lda, const T* b,
                                std::ptrdiff_t ldb, T* c, std::ptrdiff_t ldc) {
  constexpr int kRows = tile_rows(kVectors);
  Vec<T> sum[kRows][kVectors] = {};
  for (int k = 0; k < inner; ++k) {
    Vec<T> right[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) right[v] = load(b + k * ldb + v * kLanes<T>);
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) {
      const Vec<T> left = broadcast<T>(read == Read::Rows ? a[i * lda + k] : a[k * lda + i]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[i][v] += left * right[v];
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      T* to = c + i * ldc + v * kLanes<T>;
      store(to, write == Write::Add ? load(to) + sum[i][v] : sum[i][v]);
    }
  }
}

template <class T, int kVectors, Read read, Write write>
inline void multiply_strip(int rows, int inner, const T* a, std::ptrdiff_t lda, const T* b,
                           std::ptrdiff_t ldb, T* c, std::ptrdiff_t ldc) {
  for (int i = 0; i < rows; i += tile_rows(kVectors)) {
    multiply_tile<T, kVectors, read, write>(inner, a + (read == Read::Rows ? i * lda : i), lda, b,
                                            ldb, c + i * ldc, ldc);
  }
}

template <class T, Read read, Write write>
inline void multiply(int rows, int columns, int inner, const T* a, std::ptrdiff_t lda, const T* b,
                     std::ptrdiff_t ldb, T* c, std::ptrdiff_t ldc) {
  for (int vectors = round_up(columns, kLanes<T>) / kLanes<T>; vectors > 0; vectors -= 4) {
    switch (vectors) {
      case 1:
        multiply_strip<T, 1, read, write>(rows, inner, a, lda, b, ldb, c, ldc);
        break;
      case 2:
        multiply_strip<T, 2, read, write>(rows, inner, a, lda, b, ldb, c, ldc);
        break;
      case 3:
        multiply_strip<T, 3, read, write>(rows, inner, a, lda, b, ldb, c, ldc);
        break;
      default:
        multiply_strip<T, 4, read, write>(rows, inner, a, lda, b, ldb, c, ldc);
    }
    b += 4 * kLanes<T>;
    c += 4 * kLanes<T>;
  }
}

}  // namespace ALLOT_KERNEL_SET
}  // namespace allot::lm::kernels
