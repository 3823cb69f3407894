// Each function's forward saves what its hand-written backward needs; the arithmetic is in
// kernels/. Undefined gradients (an output that nothing uses) arrive as undefined tensors.
#include "allot/lm/autograd_functions.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

namespace allot::lm {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// Carries a plan from forward to backward.
struct Carrier : torch::CustomClassHolder {
  std::shared_ptr<void> plan;
};
void keep(AutogradContext* context, std::shared_ptr<void> plan) {
  auto carrier = c10::make_intrusive<Carrier>();
  carrier->plan = std::move(plan);
  context->saved_data["plan"] = c10::IValue::make_capsule(std::move(carrier));
}
template <class Plan>
Plan& kept(AutogradContext* context) {
  const auto capsule = context->saved_data["plan"].toCapsule();
  return *static_cast<Plan*>(static_cast<const Carrier&>(*capsule).plan.get());
}

class LayerOutputs : public Function<LayerOutputs> {
 public:
  // The list names the parameters that gradients flow to; the pass has its own view of them.
  static Tensor forward(AutogradContext* context, at::TensorList,
                        std::shared_ptr<FusedLayers> layers) {
    const Tensor out = layers->forward();
    keep(context, std::move(layers));
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    variable_list out = kept<FusedLayers>(context).backward(gradients[0]);
    out.emplace_back();  // for `layers`
    return out;
  }
};

// The logits of a chunk are made again in the backward pass instead of being kept.
class ChunkedScores : public Function<ChunkedScores> {
 public:
  static variable_list forward(AutogradContext* context, const Tensor& hidden, const Tensor& head,
                               std::shared_ptr<ScoreChunks> plan) {
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
    context->save_for_backward({hidden, head, log_sum, entropy});
    context->set_materialize_grads(false);
    keep(context, std::move(plan));
    return {logprob, entropy};
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &hidden = saved[0], &head = saved[1], &log_sum = saved[2], &entropy = saved[3];
    const ScoreChunks& plan = kept<ScoreChunks>(context);
    Tensor d_hidden = at::zeros_like(hidden), d_head = at::zeros_like(head);
    ScoreGradients given;
    if (gradients[0].defined()) given.logprob = gradients[0].contiguous();
    if (gradients[1].defined()) given.entropy = gradients[1].contiguous();
    std::int64_t done = 0;
    for (const ScoreChunk& chunk : plan.chunks) {
      const std::int64_t rows = chunk.rows.size(0);
      const Tensor inputs = hidden.index_select(0, chunk.rows);
      const Tensor logits = at::mm(inputs, head.t());
      plan.math->backward(chunk, logits, log_sum.narrow(0, done, rows), entropy, given);
      d_hidden.index_add_(0, chunk.rows, at::mm(logits, head));
      d_head.addmm_(logits.t(), inputs);
      done += rows;
    }
    return {d_hidden, d_head, Tensor()};
  }
};

}  // namespace

Tensor layer_outputs(const Model& model, std::shared_ptr<FusedLayers> layers) {
  variable_list parameters;
  for (const NamedTensor& named : model.parameters()) parameters.push_back(named.tensor);
  return LayerOutputs::apply(at::TensorList(parameters), std::move(layers));
}

TokenScores chunked_scores(const Tensor& hidden, const Tensor& head,
                           std::shared_ptr<ScoreChunks> chunks) {
  const variable_list both = ChunkedScores::apply(hidden, head, std::move(chunks));
  return {both[0], both[1]};
}

}  // namespace allot::lm
