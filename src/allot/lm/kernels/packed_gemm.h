// Matrix product with a weight that is packed once and used many times: C = A W^T.
//
// W [outputs, inputs] is stored as panels of consecutive outputs, [panel][inputs][panel width], so
// that the inner loop reads it in order; BF16 numbers as [panel][inputs / 2][panel width][2], pairs
// of inputs together, with a zero after an odd last one. Every element of C is one chain of
// multiply-adds over the inputs in ascending order (BF16: of the processor's products of pairs
// where it has them, in float), whatever the number of rows and whatever the tile it falls into: a
// row's result never depends on its neighbours. The tile with fused epilogues that the decoder uses
// is packed_gemm_tile.h.
//
// W is float, double or Bf16; the sums are Real<W>.
#pragma once

#include <cstddef>
#include <span>

#include "allot/lm/kernels/aligned_vector.h"
#include "allot/lm/kernels/bf16.h"

namespace allot::lm::kernels {

template <class W>
struct PackedMatrix {
  int inputs = 0, panels = 0;
  int panel_width = 0;  // outputs per panel: two vectors of the instruction set it was packed for
  AlignedVector<W> data;

  int columns() const { return panels * panel_width; }  // of C, with padding
};

// A multiple of every panel's width.
inline constexpr int kWidestPanel = 32;

// `outputs` has one row of `inputs` weights per output; a null row stands for zeros.
template <class W>
PackedMatrix<W> pack_matrix(std::span<const W* const> outputs, int inputs);

// c[r][j] = sum_i a[r][i] W[j][i]; a [rows, lda], with finite numbers up to an even column, c
// [rows, ldc], ldc >= weight.columns() (the columns beyond the outputs become 0).
template <class W>
void packed_multiply(const W* a, std::ptrdiff_t lda, int rows, const PackedMatrix<W>& weight,
                     Real<W>* c, std::ptrdiff_t ldc);

}  // namespace allot::lm::kernels
