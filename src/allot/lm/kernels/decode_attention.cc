#include "allot/lm/kernels/decode_attention.h"

#include <limits>

#include "allot/lm/kernels/vector.h"

namespace allot::lm::kernels {
namespace {

// Scores of Heads heads against Blocks vectors of positions.
template <int Heads, int Blocks, class T>
ALLOT_INLINE void score_blocks(const T* query, int head_dim, const T* keys, int stride, T* scores,
                               int score_stride) {
  Vec<T> sum[Heads][Blocks] = {};
  for (int d = 0; d < head_dim; ++d) {
    Vec<T> key[Blocks];
#pragma GCC unroll 4
    for (int b = 0; b < Blocks; ++b) key[b] = load(keys + d * stride + b * kLanes<T>);
#pragma GCC unroll 4
    for (int h = 0; h < Heads; ++h) {
      const Vec<T> q = broadcast(query[h * head_dim + d]);
#pragma GCC unroll 4
      for (int b = 0; b < Blocks; ++b) sum[h][b] += q * key[b];
    }
  }
#pragma GCC unroll 4
  for (int h = 0; h < Heads; ++h) {
#pragma GCC unroll 4
    for (int b = 0; b < Blocks; ++b) {
      store(scores + h * score_stride + b * kLanes<T>, sum[h][b]);
    }
  }
}

// All positions of one piece; the lanes beyond its length become -infinity.
template <int Heads, class T>
ALLOT_INLINE void score_piece(const T* query, int head_dim, const CachePiece<T>& piece, T* scores,
                              int score_stride) {
  constexpr int kBlocks = Heads >= 4 ? 2 : 4;
  const int vectors = (piece.length + kLanes<T> - 1) / kLanes<T>;
  int v = 0;
  for (; v + kBlocks <= vectors; v += kBlocks) {
    score_blocks<Heads, kBlocks>(query, head_dim, piece.keys + v * kLanes<T>, piece.stride,
                                 scores + v * kLanes<T>, score_stride);
  }
  if (kBlocks > 2 && v + 2 <= vectors) {
    score_blocks<Heads, 2>(query, head_dim, piece.keys + v * kLanes<T>, piece.stride,
                           scores + v * kLanes<T>, score_stride);
    v += 2;
  }
  if (v < vectors) {
    score_blocks<Heads, 1>(query, head_dim, piece.keys + v * kLanes<T>, piece.stride,
                           scores + v * kLanes<T>, score_stride);
  }
  for (int h = 0; h < Heads; ++h) {
    for (int t = piece.length; t < vectors * kLanes<T>; ++t) {
      scores[h * score_stride + t] = -std::numeric_limits<T>::infinity();
    }
  }
}

// Replaces `count` scores (a multiple of the vector) by exp(score - max); returns 1 / their sum.
template <class T>
ALLOT_INLINE T exponentiate(T* scores, int count) {
  Vec<T> top = load(scores);
  for (int t = kLanes<T>; t < count; t += kLanes<T>) top = vector_max<T>(top, load(scores + t));
  const Vec<T> max = broadcast(lane_max<T>(top));
  Vec<T> sum = {};
  for (int t = 0; t < count; t += kLanes<T>) {
    const Vec<T> e = exp<T>(load(scores + t) - max);
    store(scores + t, e);
    sum += e;
  }
  return 1 / lane_sum<T>(sum);
}

// sum[u][h][v] += the weighted values of positions u, u + Ways, ...: several sums per output keep
// the multiply-add units busy.
template <int Heads, int Vectors, int Ways, class T>
ALLOT_INLINE void add_values(const T* weights, int weight_stride, const T* values, int head_dim,
                             int length, Vec<T> (&sum)[Ways][Heads][Vectors]) {
  const auto add = [&](int t, int u) __attribute__((always_inline)) {
    Vec<T> value[Vectors];
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) value[v] = load(values + t * head_dim + v * kLanes<T>);
#pragma GCC unroll 4
    for (int h = 0; h < Heads; ++h) {
      const Vec<T> w = broadcast(weights[h * weight_stride + t]);
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) sum[u][h][v] += w * value[v];
    }
  };
  int t = 0;
  for (; t + Ways <= length; t += Ways) {
#pragma GCC unroll 8
    for (int u = 0; u < Ways; ++u) add(t + u, u);
  }
  for (; t < length; ++t) add(t, 0);
}

template <int Heads, int Vectors, class T>
ALLOT_INLINE void mix_values(const T* weights, int weight_stride, int own_offset,
                             const CachePiece<T>& prefix, const CachePiece<T>& own, int column,
                             int head_dim, const T* scale, T* out) {
  constexpr int kWays = 8 / (Heads * Vectors);
  Vec<T> sum[kWays][Heads][Vectors] = {};
  add_values<Heads, Vectors, kWays>(weights, weight_stride, prefix.values + column, head_dim,
                                    prefix.length, sum);
  add_values<Heads, Vectors, kWays>(weights + own_offset, weight_stride, own.values + column,
                                    head_dim, own.length, sum);
#pragma GCC unroll 4
  for (int h = 0; h < Heads; ++h) {
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      Vec<T> total = sum[0][h][v];
#pragma GCC unroll 8
      for (int u = 1; u < kWays; ++u) total += sum[u][h][v];
      store(out + h * head_dim + column + v * kLanes<T>, total * scale[h]);
    }
  }
}

template <int Heads, class T>
void attend(const T* query, int head_dim, const CachePiece<T>& prefix, const CachePiece<T>& own,
            T* scores, T* out) {
  const int own_offset = (prefix.length + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
  const int count = own_offset + (own.length + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
  score_piece<Heads>(query, head_dim, prefix, scores, count);
  score_piece<Heads>(query, head_dim, own, scores + own_offset, count);
  T scale[Heads];
  for (int h = 0; h < Heads; ++h) scale[h] = exponentiate(scores + h * count, count);
  // Whole vectors are stored. What runs over a head's end lies in the first column of the next
  // head, which is written later: columns go from last to first, heads from first to last.
  const int vectors = (head_dim + kLanes<T> - 1) / kLanes<T>;
  if (vectors % 2 == 0) {
    for (int v = vectors - 2; v >= 0; v -= 2) {
      mix_values<Heads, 2>(scores, count, own_offset, prefix, own, v * kLanes<T>, head_dim, scale,
                           out);
    }
  } else {
    for (int v = vectors - 1; v >= 0; --v) {
      mix_values<Heads, 1>(scores, count, own_offset, prefix, own, v * kLanes<T>, head_dim, scale,
                           out);
    }
  }
}

}  // namespace

template <class T>
void decode_attention(const T* query, int heads, int head_dim, const CachePiece<T>& prefix,
                      const CachePiece<T>& own, AlignedVector<T>& scores, T* out) {
  const std::size_t needed =
      4 * static_cast<std::size_t>(round_up_16(prefix.length) + round_up_16(own.length));
  if (scores.size() < needed) scores.resize(needed);
  for (int h = 0; h < heads;) {
    const T* q = query + h * head_dim;
    T* o = out + h * head_dim;
    if (heads - h >= 4) {
      attend<4>(q, head_dim, prefix, own, scores.data(), o);
      h += 4;
    } else if (heads - h >= 2) {
      attend<2>(q, head_dim, prefix, own, scores.data(), o);
      h += 2;
    } else {
      attend<1>(q, head_dim, prefix, own, scores.data(), o);
      h += 1;
    }
  }
}

template void decode_attention<float>(const float*, int, int, const CachePiece<float>&,
                                      const CachePiece<float>&, AlignedVector<float>&, float*);
template void decode_attention<double>(const double*, int, int, const CachePiece<double>&,
                                       const CachePiece<double>&, AlignedVector<double>&, double*);

}  // namespace allot::lm::kernels
