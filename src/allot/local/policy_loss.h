// The policy loss over the targets of a micro-batch, as tensors: the twin of
// objective/reference.h, equal to it in loss, gradient and reported sums.
//
// All tensors are [targets] on the model's device and in its type, except where said.
#pragma once

#include <vector>

#include "allot/lm/tensor.h"
#include "allot/objective/loss_sums.h"
#include "allot/objective/options.h"

namespace allot {

struct PolicyTargets {
  at::Tensor anchor;      // log-probabilities; read where `own_anchor` is false
  at::Tensor own_anchor;  // bool: the anchor is the current policy, detached
  at::Tensor advantage;   // of the target's response
  at::Tensor scale;       // omega * item weight
  at::Tensor item;        // int64, 0 .. items - 1, ascending
  std::int64_t items = 0;
};

// Value mode: the surrogate as written, a double scalar that carries the gradient of `logprob`.
at::Tensor policy_loss_value(const objective::LossOptions& options, const at::Tensor& logprob,
                             const PolicyTargets& targets);

struct PolicyLossGradient {
  at::Tensor gradient;  // dL / d logprob
  objective::LossSums sums;
  std::vector<objective::ItemRatio> items;
};

// Coefficient mode: the same gradient in closed form, without autograd; what training uses.
PolicyLossGradient policy_loss_gradient(const objective::LossOptions& options,
                                        const at::Tensor& logprob, const PolicyTargets& targets);

}  // namespace allot
