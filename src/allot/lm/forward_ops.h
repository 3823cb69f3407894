// The operations that the fused and the reference path do differently. Internal to lm/.
//
// An object belongs to one call of hidden_states(): it holds what follows from the packed rows
// (positions, segments, gather indices). All tensors carry gradients where their inputs do.
#pragma once

#include <memory>

#include "allot/lm/config.h"
#include "allot/lm/model.h"
#include "allot/lm/packed_rows.h"
#include "allot/lm/tensor.h"

namespace allot::lm {

struct ResidualNorm {
  at::Tensor sum;  // x + delta
  at::Tensor out;  // RMSNorm of it
};

class ForwardOps {
 public:
  virtual ~ForwardOps() = default;

  // RMSNorm over the last dimension. x [n, size], weight [size].
  virtual at::Tensor norm(const at::Tensor& x, const at::Tensor& weight) = 0;
  virtual ResidualNorm residual_norm(const at::Tensor& x, const at::Tensor& delta,
                                     const at::Tensor& weight) = 0;

  // RoPE on q and k, then causal attention over segments and their prefixes.
  // q [rows, heads*head_dim]; k, v [rows, kv_heads*head_dim] -> [rows, heads*head_dim].
  virtual at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) = 0;

  // silu(gate) * up, all [rows, ffn].
  virtual at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) = 0;
};

std::unique_ptr<ForwardOps> make_reference_ops(const Model& model, const PackedRows& rows);
std::unique_ptr<ForwardOps> make_fused_ops(const Model& model, const PackedRows& rows);

}  // namespace allot::lm
