// Each function's forward saves what its hand-written backward needs; the arithmetic is in
// kernels/. Undefined gradients (an output that nothing uses) arrive as undefined tensors.
#include "allot/lm/autograd_functions.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "allot/lm/kernels/rms_norm.h"
#include "allot/lm/kernels/rope_rows.h"
#include "allot/lm/kernels/swiglu.h"
#include "allot/lm/real_type.h"

namespace allot::lm {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// Carries a plan from forward to backward.
struct Carrier : torch::CustomClassHolder {
  std::shared_ptr<const void> plan;
};
void keep(AutogradContext* context, std::shared_ptr<const void> plan) {
  auto carrier = c10::make_intrusive<Carrier>();
  carrier->plan = std::move(plan);
  context->saved_data["plan"] = c10::IValue::make_capsule(std::move(carrier));
}
template <class Plan>
const Plan& kept(AutogradContext* context) {
  const auto capsule = context->saved_data["plan"].toCapsule();
  return *static_cast<const Plan*>(static_cast<const Carrier&>(*capsule).plan.get());
}

Tensor defined(const Tensor& gradient, const Tensor& like) {
  return gradient.defined() ? gradient.contiguous() : at::zeros_like(like);
}

class RmsNorm : public Function<RmsNorm> {
 public:
  static Tensor forward(AutogradContext* context, Tensor x, const Tensor& weight, double eps) {
    x = x.contiguous();
    const std::int64_t size = weight.size(0), rows = x.numel() / size;
    const Tensor out = at::empty_like(x), inverse = at::empty({rows}, x.options());
    with_real_type(x.scalar_type(), [&](auto zero) {
      using T = decltype(zero);
      kernels::residual_norm_forward<T>(x.const_data_ptr<T>(), nullptr, weight.const_data_ptr<T>(),
                                        rows, static_cast<int>(size), eps, nullptr,
                                        out.data_ptr<T>(), inverse.data_ptr<T>());
    });
    context->save_for_backward({x, weight, inverse});
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &inverse = saved[2];
    const Tensor d_out = defined(gradients[0], x);
    const Tensor d_x = at::empty_like(x), d_weight = at::zeros_like(weight);
    with_real_type(x.scalar_type(), [&](auto zero) {
      using T = decltype(zero);
      kernels::residual_norm_backward<T>(x.const_data_ptr<T>(), weight.const_data_ptr<T>(),
                                         inverse.const_data_ptr<T>(), d_out.const_data_ptr<T>(),
                                         nullptr, inverse.size(0), static_cast<int>(weight.size(0)),
                                         d_x.data_ptr<T>(), d_weight.data_ptr<T>());
    });
    return {d_x, d_weight, Tensor()};
  }
};

class ResidualRmsNorm : public Function<ResidualRmsNorm> {
 public:
  static variable_list forward(AutogradContext* context, Tensor x, Tensor delta,
                               const Tensor& weight, double eps) {
    x = x.contiguous();
    delta = delta.contiguous();
    const std::int64_t size = weight.size(0), rows = x.numel() / size;
    const Tensor sum = at::empty_like(x), out = at::empty_like(x);
    const Tensor inverse = at::empty({rows}, x.options());
    with_real_type(x.scalar_type(), [&](auto zero) {
      using T = decltype(zero);
      kernels::residual_norm_forward<T>(
          x.const_data_ptr<T>(), delta.const_data_ptr<T>(), weight.const_data_ptr<T>(), rows,
          static_cast<int>(size), eps, sum.data_ptr<T>(), out.data_ptr<T>(), inverse.data_ptr<T>());
    });
    context->save_for_backward({sum, weight, inverse});
    return {sum, out};
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &sum = saved[0], &weight = saved[1], &inverse = saved[2];
    const Tensor d_out = defined(gradients[1], sum);
    const Tensor d_sum = gradients[0].defined() ? gradients[0].contiguous() : Tensor();
    const Tensor d_x = at::empty_like(sum), d_weight = at::zeros_like(weight);
    with_real_type(sum.scalar_type(), [&](auto zero) {
      using T = decltype(zero);
      kernels::residual_norm_backward<T>(sum.const_data_ptr<T>(), weight.const_data_ptr<T>(),
                                         inverse.const_data_ptr<T>(), d_out.const_data_ptr<T>(),
                                         d_sum.defined() ? d_sum.const_data_ptr<T>() : nullptr,
                                         inverse.size(0), static_cast<int>(weight.size(0)),
                                         d_x.data_ptr<T>(), d_weight.data_ptr<T>());
    });
    return {d_x, d_x, d_weight, Tensor()};
  }
};

class SwiGlu : public Function<SwiGlu> {
 public:
  static Tensor forward(AutogradContext* context, Tensor gate, Tensor up) {
    gate = gate.contiguous();
    up = up.contiguous();
    const Tensor out = at::empty_like(gate);
    with_real_type(gate.scalar_type(), [&](auto zero) {
      using T = decltype(zero);
      kernels::swiglu_forward<T>(gate.const_data_ptr<T>(), up.const_data_ptr<T>(), gate.numel(),
                                 out.data_ptr<T>());
    });
    context->save_for_backward({gate, up});
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &gate = saved[0], &up = saved[1];
    const Tensor d_out = defined(gradients[0], gate);
    const Tensor d_gate = at::empty_like(gate), d_up = at::empty_like(up);
    with_real_type(gate.scalar_type(), [&](auto zero) {
      using T = decltype(zero);
      kernels::swiglu_backward<T>(gate.const_data_ptr<T>(), up.const_data_ptr<T>(),
                                  d_out.const_data_ptr<T>(), gate.numel(), d_gate.data_ptr<T>(),
                                  d_up.data_ptr<T>());
    });
    return {d_gate, d_up};
  }
};

template <class T>
Tensor rotated(const Tensor& x, const AttentionPlan& plan) {
  const Tensor out = at::empty_like(x);
  const int head_dim = plan.shape.head_dim;
  kernels::rotate_rows<T>(x.const_data_ptr<T>(), plan.positions.data(),
                          plan.cos.const_data_ptr<T>(), plan.sin.const_data_ptr<T>(), x.size(0),
                          static_cast<int>(x.size(1)) / head_dim, head_dim / 2, out.data_ptr<T>());
  return out;
}

template <class T>
void rotate_gradient_back(const Tensor& x, const AttentionPlan& plan) {
  const int head_dim = plan.shape.head_dim;
  kernels::rotate_rows_back<T>(x.data_ptr<T>(), plan.positions.data(), plan.cos.const_data_ptr<T>(),
                               plan.sin.const_data_ptr<T>(), x.size(0),
                               static_cast<int>(x.size(1)) / head_dim, head_dim / 2);
}

class RopeAttention : public Function<RopeAttention> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& q, const Tensor& k, Tensor v,
                        std::shared_ptr<const AttentionPlan> plan) {
    v = v.contiguous();
    const Tensor out = at::empty(q.sizes(), q.options());
    const Tensor log_sum = at::empty({q.size(0), plan->shape.heads}, q.options());
    with_real_type(q.scalar_type(), [&](auto zero) {
      using T = decltype(zero);
      const Tensor queries = rotated<T>(q.contiguous(), *plan);
      const Tensor keys = rotated<T>(k.contiguous(), *plan);
      kernels::attention_forward<T>(plan->shape, plan->segments, queries.const_data_ptr<T>(),
                                    keys.const_data_ptr<T>(), v.const_data_ptr<T>(),
                                    out.data_ptr<T>(), log_sum.data_ptr<T>());
      context->save_for_backward({queries, keys, v, out, log_sum});
    });
    keep(context, std::move(plan));
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3];
    const AttentionPlan& plan = kept<AttentionPlan>(context);
    const Tensor d_out = defined(gradients[0], out);
    const Tensor d_q = at::empty_like(q), d_k = at::zeros_like(k), d_v = at::zeros_like(v);
    with_real_type(q.scalar_type(), [&](auto zero) {
      using T = decltype(zero);
      kernels::attention_backward<T>(
          plan.shape, plan.segments, q.const_data_ptr<T>(), k.const_data_ptr<T>(),
          v.const_data_ptr<T>(), out.const_data_ptr<T>(), saved[4].const_data_ptr<T>(),
          d_out.const_data_ptr<T>(), d_q.data_ptr<T>(), d_k.data_ptr<T>(), d_v.data_ptr<T>());
      rotate_gradient_back<T>(d_q, plan);
      rotate_gradient_back<T>(d_k, plan);
    });
    return {d_q, d_k, d_v, Tensor()};
  }
};

// The logits of a chunk are made again in the backward pass instead of being kept.
class ChunkedScores : public Function<ChunkedScores> {
 public:
  static variable_list forward(AutogradContext* context, const Tensor& hidden, const Tensor& head,
                               std::shared_ptr<const ScoreChunks> plan) {
    // Sums over a vocabulary need at least float.
    const bool wide = hidden.scalar_type() == at::kDouble;
    const auto options = hidden.options().dtype(wide ? at::kDouble : at::kFloat);
    const Tensor logprob = at::empty({plan->targets}, options);
    const Tensor entropy = at::empty({plan->targets}, options);
    const Tensor log_sum = at::empty({plan->rows}, options);
    std::int64_t done = 0;
    for (const ScoreChunk& chunk : plan->chunks) {
      const std::int64_t rows = chunk.rows.size(0);
      const Tensor logits = at::mm(hidden.index_select(0, chunk.rows), head.t());
      plan->math->forward(chunk, logits, log_sum.narrow(0, done, rows), logprob, entropy);
      done += rows;
    }
    context->save_for_backward({hidden, head, log_sum});
    context->mark_non_differentiable({entropy});
    keep(context, std::move(plan));
    return {logprob, entropy};
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &hidden = saved[0], &head = saved[1], &log_sum = saved[2];
    const ScoreChunks& plan = kept<ScoreChunks>(context);
    Tensor d_hidden = at::zeros_like(hidden), d_head = at::zeros_like(head);
    if (!gradients[0].defined()) return {d_hidden, d_head, Tensor()};
    const Tensor d_logprob = gradients[0].contiguous();
    std::int64_t done = 0;
    for (const ScoreChunk& chunk : plan.chunks) {
      const std::int64_t rows = chunk.rows.size(0);
      const Tensor inputs = hidden.index_select(0, chunk.rows);
      const Tensor logits = at::mm(inputs, head.t());
      plan.math->backward(chunk, logits, log_sum.narrow(0, done, rows), d_logprob);
      d_hidden.index_add_(0, chunk.rows, at::mm(logits, head));
      d_head.addmm_(logits.t(), inputs);
      done += rows;
    }
    return {d_hidden, d_head, Tensor()};
  }
};

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps) {
  return RmsNorm::apply(x, weight, eps);
}

ResidualNorm residual_rms_norm(const Tensor& x, const Tensor& delta, const Tensor& weight,
                               double eps) {
  const variable_list both = ResidualRmsNorm::apply(x, delta, weight, eps);
  return {both[0], both[1]};
}

Tensor swiglu(const Tensor& gate, const Tensor& up) { return SwiGlu::apply(gate, up); }

Tensor rope_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                      std::shared_ptr<const AttentionPlan> plan) {
  return RopeAttention::apply(q, k, v, std::move(plan));
}

TokenScores chunked_scores(const Tensor& hidden, const Tensor& head,
                           std::shared_ptr<const ScoreChunks> chunks) {
  const variable_list both = ChunkedScores::apply(hidden, head, std::move(chunks));
  return {both[0], both[1]};
}

}  // namespace allot::lm
