#include "allot/lm/decode_state.h"

#include <algorithm>

#include "allot/lm/kernels/decode_net.h"
#include "allot/lm/kernels/packed_gemm.h"
#include "allot/lm/kernels/rope.h"

namespace allot::lm::kernels {
namespace {

// Whole panels of every instruction set.
int padded(int columns) { return (columns + kWidestPanel - 1) / kWidestPanel * kWidestPanel; }

// The strides of DecodeScratch.
struct Strides {
  int dim, qkv, query, head, ffn, vocab;

  explicit Strides(const ModelConfig& c)
      : dim(padded(c.dim)),
        qkv(padded((c.heads + 2 * c.kv_heads) * c.head_dim)),
        query(round_up_16((c.heads + 1) * c.head_dim) + 16),
        head(padded(c.heads * c.head_dim + 16)),
        ffn(padded(c.ffn)),
        vocab(padded(c.vocab)) {}
};

}  // namespace

template <class T>
KeyValueCache<T>::KeyValueCache(const ModelConfig& config, int capacity)
    : kv_heads_(config.kv_heads),
      half_size_(static_cast<std::size_t>(round_up_16(capacity)) * config.head_dim),
      data_(config.layers * kv_heads_ * 2 * half_size_ + 16) {}

template <class T>
std::size_t KeyValueCache<T>::bytes(const ModelConfig& config, int capacity) {
  return (static_cast<std::size_t>(config.layers) * config.kv_heads * 2 * round_up_16(capacity) *
              config.head_dim +
          16) *
         sizeof(T);
}

template <class W>
DecodeScratch<W>::DecodeScratch(const ModelConfig& c, int rows, int logit_rows, int members)
    : rows(rows), logit_rows(logit_rows), members(members) {
  const Strides s(c);
  dim_stride = s.dim;
  qkv_stride = s.qkv;
  query_stride = s.query;
  head_stride = s.head;
  ffn_stride = s.ffn;
  vocab_stride = s.vocab;
  const auto count = static_cast<std::size_t>(rows);
  residual.resize(count * s.dim);
  qkv.resize(count * s.qkv + 16);
  query.resize(count * s.query);
  logits.resize(static_cast<std::size_t>(logit_rows) * s.vocab);
  normed.resize(count * s.dim);
  mixed.resize(count * s.head);
  inner.resize(count * s.ffn);
  for (Member& member : this->members) member.attended.resize(s.head);
}

template <class W>
std::size_t DecodeScratch<W>::bytes(const ModelConfig& c, int rows, int logit_rows) {
  const Strides s(c);
  return static_cast<std::size_t>(rows) *
             ((s.dim + s.qkv + s.query) * sizeof(T) + (s.dim + s.head + s.ffn) * sizeof(W)) +
         static_cast<std::size_t>(logit_rows) * s.vocab * sizeof(T);
}

template <class W>
std::size_t packed_bytes(const ModelConfig& c) {
  const Strides s(c);
  const std::size_t heads = static_cast<std::size_t>(c.heads) * c.head_dim, dim = c.dim;
  const std::size_t layer =
      s.qkv * dim + s.dim * heads + 2 * s.ffn * dim + s.dim * std::size_t(c.ffn);
  const std::size_t angles = 2 * static_cast<std::size_t>(c.context) * round_up_16(c.head_dim / 2);
  return (c.layers * layer + s.vocab * dim) * sizeof(W) + angles * sizeof(Real<W>);
}

template <class T>
PaddedAngles<T>::PaddedAngles(const ModelConfig& c) : stride_(round_up_16(c.head_dim / 2)) {
  const RopeTable<T> angles(c.context, rope_frequencies(c));
  cosines_.resize(static_cast<std::size_t>(c.context) * stride_);
  sines_.resize(cosines_.size());
  for (int p = 0; p < c.context; ++p) {
    std::copy_n(angles.cos_at(p), angles.half, cosines_.begin() + at(p));
    std::copy_n(angles.sin_at(p), angles.half, sines_.begin() + at(p));
  }
}

template <class T>
PaddedAngles<T>::~PaddedAngles() = default;

template <class W>
DecodeNet<W>::~DecodeNet() = default;

template class KeyValueCache<float>;
template class KeyValueCache<double>;
template struct DecodeScratch<float>;
template struct DecodeScratch<double>;
template struct DecodeScratch<Bf16>;
template std::size_t packed_bytes<float>(const ModelConfig&);
template std::size_t packed_bytes<double>(const ModelConfig&);
template std::size_t packed_bytes<Bf16>(const ModelConfig&);
template class PaddedAngles<float>;
template class PaddedAngles<double>;
template class DecodeNet<float>;
template class DecodeNet<double>;
template class DecodeNet<Bf16>;

}  // namespace allot::lm::kernels

using allot::lm::kernels::Bf16;
using allot::lm::kernels::CacheLineAllocator;
template class std::vector<float, CacheLineAllocator<float>>;
template class std::vector<double, CacheLineAllocator<double>>;
template class std::vector<Bf16, CacheLineAllocator<Bf16>>;
template class std::vector<const float*, CacheLineAllocator<const float*>>;
template class std::vector<const double*, CacheLineAllocator<const double*>>;
template class std::vector<const Bf16*, CacheLineAllocator<const Bf16*>>;
