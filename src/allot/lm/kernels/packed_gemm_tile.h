// The inner loops of the packed product, with an epilogue that is given each finished pair of
// vectors in registers. For sources of this folder only: the width is the compiler's.
#pragma once

#include <algorithm>

#include "allot/lm/kernels/packed_gemm.h"
#include "allot/lm/kernels/vector.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {

// A tile is kTileRows x 2 vectors: as many sums as the registers hold beside the operands.
inline constexpr int kTileRows = ALLOT_VECTOR_BYTES == 64 ? 12 : 6;
template <class T>
inline constexpr int kPanelWidth = 2 * kLanes<T>;

// With few rows, several panels at once keep the multiply-add units busy.
constexpr int panels_at_once(int rows) {
  const int fit = kTileRows / rows;
  return fit >= 4 ? 4 : fit >= 2 ? 2 : 1;
}

// Rows [row, row + Rows) times Panels panels from `panel` on.
template <int Rows, int Panels, class T, class Epilogue>
ALLOT_INLINE void packed_tile(const T* a, std::ptrdiff_t lda, const PackedMatrix<T>& weight,
                              int row, int panel, const Epilogue& epilogue) {
  constexpr int kWidth = kPanelWidth<T>;
  const int inputs = weight.inputs;
  const std::size_t panel_size = static_cast<std::size_t>(inputs) * kWidth;
  const T* w = weight.data.data() + panel * panel_size;
  const T* from = a + row * lda;
  Vec<T> sum[Rows][2 * Panels] = {};
  for (int i = 0; i < inputs; ++i) {
    Vec<T> b[2 * Panels];
#pragma GCC unroll 4
    for (int p = 0; p < Panels; ++p) {
      b[2 * p] = load(w + p * panel_size);
      b[2 * p + 1] = load(w + p * panel_size + kLanes<T>);
    }
    w += kWidth;
#pragma GCC unroll 12
    for (int r = 0; r < Rows; ++r) {
      const Vec<T> x = broadcast(from[r * lda + i]);
#pragma GCC unroll 8
      for (int j = 0; j < 2 * Panels; ++j) sum[r][j] += x * b[j];
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int p = 0; p < Panels; ++p) {
      epilogue(row + r, panel + p, sum[r][2 * p], sum[r][2 * p + 1]);
    }
  }
}

template <int Rows, class T, class Epilogue>
[[gnu::noinline]] void packed_rows(const T* a, std::ptrdiff_t lda, const PackedMatrix<T>& weight,
                                   int row, int panel, int panels, const Epilogue& epilogue) {
  constexpr int kAtOnce = panels_at_once(Rows);
  int p = 0;
  for (; p + kAtOnce <= panels; p += kAtOnce) {
    packed_tile<Rows, kAtOnce>(a, lda, weight, row, panel + p, epilogue);
  }
  if constexpr (kAtOnce > 1) {
    for (; p < panels; ++p) packed_tile<Rows, 1>(a, lda, weight, row, panel + p, epilogue);
  }
}

template <int Rows, class T, class Epilogue>
void packed_rows_dispatch(int rows, const T* a, std::ptrdiff_t lda, const PackedMatrix<T>& weight,
                          int row, int panel, int panels, const Epilogue& epilogue) {
  if (rows == Rows) {
    packed_rows<Rows>(a, lda, weight, row, panel, panels, epilogue);
  } else if constexpr (Rows > 1) {
    packed_rows_dispatch<Rows - 1>(rows, a, lda, weight, row, panel, panels, epilogue);
  }
}

// epilogue(row, panel, low, high) is called once for every row and panel; low and high are the
// panel's first and second vector of sums. Rows are cut into tiles of nearly equal height.
template <class T, class Epilogue>
void packed_gemm(const T* a, std::ptrdiff_t lda, int rows, const PackedMatrix<T>& weight,
                 const Epilogue& epilogue) {
  if (rows == 0) return;
  const int tiles = (rows + kTileRows - 1) / kTileRows;
  // One panel stays in the first-level cache while all tiles use it; a single tile needs no such
  // order and takes all panels at once.
  const int panels_per_pass = tiles == 1 ? weight.panels : 1;
  for (int panel = 0; panel < weight.panels; panel += panels_per_pass) {
    int row = 0;
    for (int tile = 0; tile < tiles; ++tile) {
      const int height = (rows - row + tiles - tile - 1) / (tiles - tile);
      packed_rows_dispatch<kTileRows>(height, a, lda, weight, row, panel, panels_per_pass,
                                      epilogue);
      row += height;
    }
  }
}

}  // namespace ALLOT_KERNEL_SET
}  // namespace allot::lm::kernels
