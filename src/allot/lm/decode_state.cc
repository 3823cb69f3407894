#include "allot/lm/decode_state.h"

#include <algorithm>

#include "allot/lm/kernels/decode_net.h"
#include "allot/lm/kernels/packed_gemm.h"
#include "allot/lm/kernels/rope.h"

namespace allot::lm::kernels {
namespace {

// Whole panels of every instruction set.
int padded(int columns) { return (columns + kWidestPanel - 1) / kWidestPanel * kWidestPanel; }

}  // namespace

template <class T>
KeyValueCache<T>::KeyValueCache(const ModelConfig& config, int capacity)
    : kv_heads_(config.kv_heads),
      half_size_(static_cast<std::size_t>(round_up_16(capacity)) * config.head_dim),
      data_(config.layers * kv_heads_ * 2 * half_size_ + 16) {}

template <class T>
DecodeScratch<T>::DecodeScratch(const ModelConfig& c, int rows)
    : rows(rows),
      dim_stride(padded(c.dim)),
      qkv_stride(padded((c.heads + 2 * c.kv_heads) * c.head_dim)),
      query_stride(round_up_16((c.heads + 1) * c.head_dim) + 16),
      head_stride(round_up_16(c.heads * c.head_dim) + 16),
      ffn_stride(padded(c.ffn)),
      vocab_stride(padded(c.vocab)),
      residual(static_cast<std::size_t>(rows) * dim_stride),
      normed(residual.size()),
      qkv(static_cast<std::size_t>(rows) * qkv_stride + 16),
      query(static_cast<std::size_t>(rows) * query_stride),
      mixed(static_cast<std::size_t>(rows) * head_stride),
      inner(static_cast<std::size_t>(rows) * ffn_stride),
      logits(static_cast<std::size_t>(rows) * vocab_stride) {}

template <class T>
PaddedAngles<T>::PaddedAngles(const ModelConfig& c) : stride_(round_up_16(c.head_dim / 2)) {
  const RopeTable<T> angles(c.context, c.head_dim, c.rope_theta);
  cosines_.resize(static_cast<std::size_t>(c.context) * stride_);
  sines_.resize(cosines_.size());
  for (int p = 0; p < c.context; ++p) {
    std::copy_n(angles.cos_at(p), angles.half, cosines_.begin() + at(p));
    std::copy_n(angles.sin_at(p), angles.half, sines_.begin() + at(p));
  }
}

template class KeyValueCache<float>;
template class KeyValueCache<double>;
template struct DecodeScratch<float>;
template struct DecodeScratch<double>;
template class PaddedAngles<float>;
template class PaddedAngles<double>;

template <class T>
DecodeNet<T>::~DecodeNet() = default;

template class DecodeNet<float>;
template class DecodeNet<double>;

}  // namespace allot::lm::kernels

using allot::lm::kernels::CacheLineAllocator;
template class std::vector<float, CacheLineAllocator<float>>;
template class std::vector<double, CacheLineAllocator<double>>;
template class std::vector<const float*, CacheLineAllocator<const float*>>;
template class std::vector<const double*, CacheLineAllocator<const double*>>;
