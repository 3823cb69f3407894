#include "allot/lm/kernels/decode_attention.h"

#include <algorithm>
#include <limits>

#include "allot/lm/kernels/reduce.h"
#include "allot/lm/kernels/vector.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {
namespace {

// One vector of positions of a piece.
template <class T>
struct KeyBlock {
  const T* keys;
  int positions;  // lanes that hold one; may exceed the lanes
};

template <class T>
ALLOT_INLINE KeyBlock<T> key_block(const CachePiece<T>& prefix, int prefix_vectors,
                                   const CachePiece<T>& own, int head_dim, int v) {
  const CachePiece<T>& piece = v < prefix_vectors ? prefix : own;
  const int first = (v < prefix_vectors ? v : v - prefix_vectors) * kLanes<T>;
  return {piece.keys + key_offset(first, head_dim), piece.length - first};
}

// Scores of Heads heads against the vectors [v, v + Blocks); lanes without a position become
// -infinity. top[h] is raised to the highest score of each lane.
template <int Heads, int Blocks, class T>
ALLOT_INLINE void score_blocks(const T* query, int head_dim, const CachePiece<T>& prefix,
                               int prefix_vectors, const CachePiece<T>& own, int v, T* scores,
                               int score_stride, Vec<T> (&top)[Heads]) {
  KeyBlock<T> block[Blocks];
  const T* from[Blocks];
#pragma GCC unroll 4
  for (int b = 0; b < Blocks; ++b) {
    block[b] = key_block(prefix, prefix_vectors, own, head_dim, v + b);
    from[b] = block[b].keys;
  }
  Vec<T> sum[Heads][Blocks] = {};
  for (int d = 0; d < head_dim; ++d) {
    Vec<T> key[Blocks];
#pragma GCC unroll 4
    for (int b = 0; b < Blocks; ++b) {
      key[b] = load(from[b]);
      from[b] += kKeyBlock;
    }
#pragma GCC unroll 4
    for (int h = 0; h < Heads; ++h) {
      const Vec<T> q = broadcast(query[h * head_dim + d]);
#pragma GCC unroll 4
      for (int b = 0; b < Blocks; ++b) sum[h][b] += q * key[b];
    }
  }
#pragma GCC unroll 4
  for (int b = 0; b < Blocks; ++b) {
    const IntVec<T> lane = lane_index<T>();
    const Vec<T> none = broadcast(-std::numeric_limits<T>::infinity());
#pragma GCC unroll 4
    for (int h = 0; h < Heads; ++h) {
      const Vec<T> score = lane < block[b].positions ? sum[h][b] : none;
      top[h] = vector_max<T>(score, top[h]);
      store(scores + h * score_stride + (v + b) * kLanes<T>, score);
    }
  }
}

// Replaces `count` scores (a multiple of the vector) by exp(score - top); returns 1 / their sum.
template <class T>
ALLOT_INLINE T exponentiate(T* scores, int count, Vec<T> top) {
  const Vec<T> max = reduced<T>(top, vector_max<T>);
  Vec<T> sum = {};
  for (int t = 0; t < count; t += kLanes<T>) {
    const Vec<T> e = exp<T>(load(scores + t) - max);
    store(scores + t, e);
    sum += e;
  }
  return 1 / reduced<T>(sum, [](Vec<T> a, Vec<T> b) { return a + b; })[0];
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
  const int prefix_vectors = (prefix.length + kLanes<T> - 1) / kLanes<T>;
  const int vectors = prefix_vectors + (own.length + kLanes<T> - 1) / kLanes<T>;
  const int own_offset = prefix_vectors * kLanes<T>, count = vectors * kLanes<T>;
  Vec<T> top[Heads];
  for (int h = 0; h < Heads; ++h) top[h] = broadcast(-std::numeric_limits<T>::infinity());
  const auto score = [&]<int Blocks>(int v) {
    score_blocks<Heads, Blocks>(query, head_dim, prefix, prefix_vectors, own, v, scores, count,
                                top);
  };
  constexpr int kBlocks = Heads >= 4 ? 2 : Heads == 3 ? 3 : 4;
  int v = 0;
  for (; v + kBlocks <= vectors; v += kBlocks) score.template operator()<kBlocks>(v);
  if (kBlocks > 3 && vectors - v == 3) score.template operator()<3>(v);
  if (kBlocks > 2 && vectors - v == 2) score.template operator()<2>(v);
  if (vectors - v == 1) score.template operator()<1>(v);
  T scale[Heads];
  for (int h = 0; h < Heads; ++h) scale[h] = exponentiate(scores + h * count, count, top[h]);
  // Whole vectors are stored. What runs over a head's end lies in the first column of the next
  // head, which is written later: columns go from last to first, heads from first to last.
  const int columns = (head_dim + kLanes<T> - 1) / kLanes<T>;
  if (columns % 2 == 0) {
    for (int c = columns - 2; c >= 0; c -= 2) {
      mix_values<Heads, 2>(scores, count, own_offset, prefix, own, c * kLanes<T>, head_dim, scale,
                           out);
    }
  } else {
    for (int c = columns - 1; c >= 0; --c) {
      mix_values<Heads, 1>(scores, count, own_offset, prefix, own, c * kLanes<T>, head_dim, scale,
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
  // Up to four heads at a time; five as three and two, which share the work better.
  for (int h = 0; h < heads;) {
    const T* q = query + h * head_dim;
    T* o = out + h * head_dim;
    const int left = heads - h, together = left == 5 ? 3 : std::min(left, 4);
    if (together == 4) {
      attend<4>(q, head_dim, prefix, own, scores.data(), o);
    } else if (together == 3) {
      attend<3>(q, head_dim, prefix, own, scores.data(), o);
    } else if (together == 2) {
      attend<2>(q, head_dim, prefix, own, scores.data(), o);
    } else {
      attend<1>(q, head_dim, prefix, own, scores.data(), o);
    }
    h += together;
  }
}

}  // namespace ALLOT_KERNEL_SET

#define ALLOT_INSTANTIATE(T)                                                          \
  ALLOT_KERNEL(void, decode_attention<T>,                                             \
               (const T* query, int heads, int head_dim, const CachePiece<T>& prefix, \
                const CachePiece<T>& own, AlignedVector<T>& scores, T* out),          \
               (query, heads, head_dim, prefix, own, scores, out))
ALLOT_INSTANTIATE(float)
ALLOT_INSTANTIATE(double)
#undef ALLOT_INSTANTIATE

}  // namespace allot::lm::kernels
