// Attention of one new position over cached keys and values, grouped-query form (Ainslie et al.
// 2023, arXiv 2305.13245): all query heads that share a key head are handled together, so that
// every key and value is read once for all of them.
//
// A sequence's positions lie in two pieces, the prompt that several responses share and its own
// response. The result depends on these alone, not on capacities or on what else is decoded.
#pragma once

#include <cstddef>

#include "allot/lm/kernels/aligned_vector.h"

namespace allot::lm::kernels {

// Keys and values of one layer and key head, positions [0, length).
template <class T>
struct CachePiece {
  // [length / 16, rounded up][head_dim][16]: blocks of 16 positions, transposed, so that the scores
  // of a block are a sum over contiguous vectors.
  const T* keys = nullptr;
  const T* values = nullptr;  // [length][head_dim], readable 16 numbers beyond the end
  int length = 0;
};

inline constexpr int kKeyBlock = 16;

// Where a position's first key element lies; the next ones follow at distance kKeyBlock.
inline std::size_t key_offset(int position, int head_dim) {
  const int block = position / kKeyBlock;
  return static_cast<std::size_t>(block) * head_dim * kKeyBlock + position % kKeyBlock;
}

// out[g] = sum_t softmax_t(query[g] . key[t]) value[t] over both pieces (prefix may have length 0).
// query [heads][head_dim] is already scaled by 1/sqrt(head_dim). out [heads][head_dim]: up to 16
// numbers beyond its end are overwritten. `scores`: scratch, grown as needed.
template <class T>
void decode_attention(const T* query, int heads, int head_dim, const CachePiece<T>& prefix,
                      const CachePiece<T>& own, AlignedVector<T>& scores, T* out);

}  // namespace allot::lm::kernels
