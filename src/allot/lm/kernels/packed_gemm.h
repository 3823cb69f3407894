// Matrix product with a weight that is packed once and used many times: C = A W^T.
//
// W [outputs, inputs] is stored as panels of consecutive outputs, [panel][inputs][panel width], so
// that the inner loop reads it in order. Every element of C is one chain of fused multiply-adds
// over the inputs in ascending order, whatever the number of rows and whatever the tile it falls
// into: a row's result never depends on its neighbours. The tile with fused epilogues that the
// decoder uses is packed_gemm_tile.h.
#pragma once

#include <cstddef>
#include <span>

#include "allot/lm/kernels/aligned_vector.h"

namespace allot::lm::kernels {

template <class T>
struct PackedMatrix {
  int inputs = 0, panels = 0;
  int panel_width = 0;  // outputs per panel: two vectors of the instruction set it was packed for
  AlignedVector<T> data;

  int columns() const { return panels * panel_width; }  // of C, with padding
};

// A multiple of every panel's width.
inline constexpr int kWidestPanel = 32;

// `outputs` has one row of `inputs` weights per output; a null row stands for zeros. `gain`
// [inputs] multiplies the weights (null: ones): a norm's gain folded into what follows it.
template <class T>
PackedMatrix<T> pack_matrix(std::span<const T* const> outputs, int inputs, const T* gain);

// c[r][j] = sum_i a[r][i] W[j][i]; a [rows, lda], c [rows, ldc], ldc >= weight.columns() (the
// columns beyond the outputs become 0).
template <class T>
void packed_multiply(const T* a, std::ptrdiff_t lda, int rows, const PackedMatrix<T>& weight, T* c,
                     std::ptrdiff_t ldc);

}  // namespace allot::lm::kernels
