// Causal grouped-query attention over packed segments with shared prefixes, forward and backward.
//
// Rows are as in packed_rows.h: row i of a segment attends to all rows of its prefix and to rows
// 0..i of its segment. Queries and keys are already rotated. Instantiated for float and double.
#pragma once

#include <cstdint>
#include <span>

#include "allot/lm/packed_rows.h"

namespace allot::lm::kernels {

struct HeadShape {
  int heads, kv_heads, head_dim;
  int group() const { return heads / kv_heads; }  // query heads of one kv head
};

// q, out [rows, heads * head_dim]; k, v [rows, kv_heads * head_dim]; log_sum [rows, heads] is the
// log-normaliser of each softmax, kept for the backward pass.
template <class T>
void attention_forward(const HeadShape& shape, std::span<const Segment> segments, const T* q,
                       const T* k, const T* v, T* out, T* log_sum);

// Writes d_q and adds to d_k and d_v, which the caller has set to 0.
template <class T>
void attention_backward(const HeadShape& shape, std::span<const Segment> segments, const T* q,
                        const T* k, const T* v, const T* out, const T* log_sum, const T* d_out,
                        T* d_q, T* d_k, T* d_v);

}  // namespace allot::lm::kernels
