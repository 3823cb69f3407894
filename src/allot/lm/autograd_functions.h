// The kernels as differentiable functions of CPU tensors in float or double. First derivatives
// only. Internal to lm/; the source is the one file that includes torch's custom_function.h.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "allot/lm/forward.h"
#include "allot/lm/forward_ops.h"
#include "allot/lm/kernels/attention.h"
#include "allot/lm/score_chunks.h"
#include "allot/lm/tensor.h"

namespace allot::lm {

// x [..., size], weight [size].
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);
ResidualNorm residual_rms_norm(const at::Tensor& x, const at::Tensor& delta,
                               const at::Tensor& weight, double eps);

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

// What attention needs to know of the rows; shared by all layers of a forward pass.
struct AttentionPlan {
  kernels::HeadShape shape;
  std::vector<std::int32_t> positions;  // [rows]
  std::vector<Segment> segments;
  at::Tensor cos, sin;  // [positions, head_dim/2], of the model's dtype
};

// q [rows, heads*head_dim]; k, v [rows, kv_heads*head_dim], not rotated yet.
at::Tensor rope_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          std::shared_ptr<const AttentionPlan> plan);

// Log-probabilities [targets] with gradients for hidden [rows, dim] and head [vocab, dim]; entropy
// [targets] without.
TokenScores chunked_scores(const at::Tensor& hidden, const at::Tensor& head,
                           std::shared_ptr<const ScoreChunks> chunks);

}  // namespace allot::lm
