// The parts of decoding by library operations: a static cache, the network over new positions, and
// the sampler over a batch. Internal to lm/; the driver is generator_reference.cc.
#pragma once

#include <cstdint>
#include <vector>

#include "allot/lm/generator.h"
#include "allot/lm/model.h"
#include "allot/lm/tensor.h"

namespace allot::lm {

// Keys and values of a batch of sequences, each [batch, positions, kv_heads, head_dim].
struct ReferenceCache {
  std::vector<at::Tensor> keys, values;  // [layers]

  ReferenceCache(const Model& model, std::int64_t batch, std::int64_t positions);
};

// The model over a batch of new positions. Refers to the model.
class ReferenceNet {
 public:
  // For positions below `positions`.
  ReferenceNet(const Model& model, std::int64_t positions);

  // tokens and positions [batch, length]; a position is also the place in the cache. `reach` is
  // above all positions. Returns the normed last hidden states, [batch, length, dim].
  at::Tensor forward(const at::Tensor& tokens, const at::Tensor& positions, std::int64_t reach,
                     ReferenceCache& cache) const;
  // [n, dim] -> [n, vocab], in float at least.
  at::Tensor logits(const at::Tensor& hidden) const;

 private:
  struct Angles {
    at::Tensor cos, sin;  // [batch, length, 1, head_dim / 2]
  };
  // One layer's attention over its normed input h [batch, length, dim].
  at::Tensor attention(int index, const at::Tensor& h, const at::Tensor& positions,
                       const Angles& angles, const at::Tensor& mask, ReferenceCache& cache) const;
  at::Tensor norm(const at::Tensor& x, const at::Tensor& weight) const;

  const Model& model_;
  at::Tensor cos_, sin_;  // [positions, head_dim / 2]
};

// The sampler of kernels/decode_sampler.h for a batch with settings of its own per sequence.
class BatchSampler {
 public:
  BatchSampler(const std::vector<const GenerationRequest*>& requests, at::ScalarType type,
               at::Device device);

  struct Drawn {
    at::Tensor token, logprob, entropy;  // [batch]
  };
  // logits [batch, vocab], uniforms [batch].
  Drawn draw(const at::Tensor& logits, const at::Tensor& uniforms) const;

 private:
  at::Tensor truncated(const at::Tensor& p) const;

  at::Tensor temperature_, greedy_, top_k_, top_p_, min_p_;  // [batch, 1]
  bool truncates_ = false;
};

}  // namespace allot::lm
