// What a decoder works on, whatever the instruction set: weights by their addresses, caches of keys
// and values, rows, and the scratch of a thread.
#pragma once

#include <cstdint>
#include <vector>

#include "allot/lm/config.h"
#include "allot/lm/kernels/aligned_vector.h"
#include "allot/lm/kernels/bf16.h"
#include "allot/lm/kernels/decode_attention.h"

namespace allot::lm::kernels {

// Weights as in lm::Model, contiguous; null where the configuration has none.
template <class W>
struct WeightPointers {
  struct Layer {
    const W *input_norm, *q, *k, *v, *q_bias, *k_bias, *v_bias, *q_norm, *k_norm, *o, *post_norm;
    const W *gate, *up, *down;
  };
  const W *embedding, *final_norm, *head;
  std::vector<Layer> layers;
};

// Keys and values of up to `capacity` consecutive positions in every layer.
template <class T>
class KeyValueCache {
 public:
  KeyValueCache(const ModelConfig& config, int capacity);
  static std::size_t bytes(const ModelConfig& config, int capacity);

  // In the layout of CachePiece.
  T* keys(int layer, int kv_head) { return data_.data() + offset(layer, kv_head); }
  T* values(int layer, int kv_head) { return keys(layer, kv_head) + half_size_; }
  // The first `length` positions.
  CachePiece<T> piece(int layer, int kv_head, int length) const {
    const T* keys = data_.data() + offset(layer, kv_head);
    return {keys, keys + half_size_, length};
  }

 private:
  std::size_t offset(int layer, int kv_head) const {
    return (static_cast<std::size_t>(layer) * kv_heads_ + kv_head) * 2 * half_size_;
  }

  int kv_heads_;
  std::size_t half_size_;  // of the keys, and of the values, of one layer and head
  AlignedVector<T> data_;  // [layers][kv_heads]{keys, values}
};

template <class T>
struct DecodeRow {
  std::int32_t token = 0;
  const KeyValueCache<T>* prefix = nullptr;  // may be null
  int prefix_length = 0;                     // positions of it that this row attends to
  KeyValueCache<T>* own = nullptr;
  int index = 0;  // where in `own` this row's keys and values go; it attends to own[0 .. index]
};

// Scratch of one team, for up to `rows` rows per call and logits of up to `logit_rows` of them.
// What a product reads has the weights' type.
template <class W>
struct DecodeScratch {
  using T = Real<W>;

  DecodeScratch(const ModelConfig& config, int rows, int logit_rows, int members = 1);
  static std::size_t bytes(const ModelConfig& config, int rows, int logit_rows);

  int rows, logit_rows;
  // Row-major; each stride is padded to whole panels of the packed product, the widest there are.
  int dim_stride, qkv_stride, query_stride, head_stride, ffn_stride, vocab_stride;
  AlignedVector<T> residual, qkv, query, logits;
  AlignedVector<W> normed, mixed, inner;
  struct Member {
    AlignedVector<T> scores, attended;  // of one row
  };
  std::vector<Member> members;
};

// Of a net's packed weights and angles, in the widest panels.
template <class W>
std::size_t packed_bytes(const ModelConfig& config);

// Cosines and sines of kernels/rope.h for all positions of the context, in whole vectors.
template <class T>
class PaddedAngles {
 public:
  explicit PaddedAngles(const ModelConfig& config);
  ~PaddedAngles();

  // [head_dim / 2], readable up to a multiple of 16 numbers.
  const T* cos_at(int position) const { return cosines_.data() + at(position); }
  const T* sin_at(int position) const { return sines_.data() + at(position); }
  std::size_t bytes() const { return (cosines_.size() + sines_.size()) * sizeof(T); }

 private:
  std::size_t at(int position) const { return static_cast<std::size_t>(position) * stride_; }

  int stride_;
  AlignedVector<T> cosines_, sines_;  // [context][stride]
};

}  // namespace allot::lm::kernels
