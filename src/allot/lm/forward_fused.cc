// The fused path: own CPU kernels behind autograd functions.
#include <algorithm>
#include <utility>

#include <ATen/ops/empty.h>

#include "allot/lm/autograd_functions.h"
#include "allot/lm/forward_ops.h"
#include "allot/lm/kernels/rope.h"

namespace allot::lm {
namespace {

at::Tensor angles(const std::vector<double>& values, int half, at::ScalarType dtype) {
  const std::int64_t count = static_cast<std::int64_t>(values.size());
  const at::Tensor tensor = at::empty({count / half, half}, at::kDouble);
  std::copy(values.begin(), values.end(), tensor.data_ptr<double>());
  return tensor.to(dtype);
}

class FusedOps : public ForwardOps {
 public:
  FusedOps(const Model& model, const PackedRows& rows) : eps_(model.config().norm_eps) {
    const ModelConfig& config = model.config();
    const int positions = *std::max_element(rows.positions.begin(), rows.positions.end()) + 1;
    const kernels::RopeTable<double> table(positions, config.head_dim, config.rope_theta);
    auto plan = std::make_shared<AttentionPlan>();
    plan->shape = {config.heads, config.kv_heads, config.head_dim};
    plan->positions = rows.positions;
    plan->segments = rows.segments;
    plan->cos = angles(table.cos, table.half, model.dtype());
    plan->sin = angles(table.sin, table.half, model.dtype());
    plan_ = std::move(plan);
  }

  at::Tensor norm(const at::Tensor& x, const at::Tensor& weight) override {
    return rms_norm(x, weight, eps_);
  }
  ResidualNorm residual_norm(const at::Tensor& x, const at::Tensor& delta,
                             const at::Tensor& weight) override {
    return residual_rms_norm(x, delta, weight, eps_);
  }
  at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) override {
    return rope_attention(q, k, v, plan_);
  }
  at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) override {
    return lm::swiglu(gate, up);
  }

 private:
  const double eps_;
  std::shared_ptr<const AttentionPlan> plan_;
};

}  // namespace

std::unique_ptr<ForwardOps> make_fused_ops(const Model& model, const PackedRows& rows) {
  return std::make_unique<FusedOps>(model, rows);
}

}  // namespace allot::lm
