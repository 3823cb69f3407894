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
  int q_size() const { return heads * head_dim; }
  int kv_size() const { return kv_heads * head_dim; }
  int row_size() const { return q_size() + 2 * kv_size(); }  // query, key and value of a row
};

// qkv [rows, row_size()]: all queries of a row, then its keys, then its values.
// out [rows, q_size()]; log_sum [rows, heads] is the log-normaliser of each softmax, kept for the
// backward pass.
template <class T>
void attention_forward(const HeadShape& shape, std::span<const Segment> segments, const T* qkv,
                       T* out, T* log_sum);

// Gradient of qkv, in its layout. Writes the queries' part and adds to that of keys and values,
// which the caller has set to 0. out and log_sum are those of the forward pass.
template <class T>
void attention_backward(const HeadShape& shape, std::span<const Segment> segments, const T* qkv,
                        const T* out, const T* log_sum, const T* d_out, T* d_qkv);

}  // namespace allot::lm::kernels
