#include "allot/local/policy_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/expm1.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

namespace allot {
namespace {

using objective::LossOptions;

at::Tensor log_ratio_unclamped(const at::Tensor& logprob, const PolicyTargets& targets) {
  return logprob - at::where(targets.own_anchor, logprob.detach(), targets.anchor);
}

double corner_of(const LossOptions& o) { return o.dual_clip_c > 0 ? o.dual_clip_c : o.ratio_cap; }

// f(r) of PPO-clip: min(r A, clip(r) A) / A, with the dual clip or the ratio cap where A < 0.
at::Tensor ppo_clip(const LossOptions& o, const at::Tensor& ratio, const at::Tensor& advantage) {
  const at::Tensor clipped = ratio.clamp(1 - o.clip_low, 1 + o.clip_high);
  at::Tensor negative = at::maximum(ratio, clipped);
  if (corner_of(o) > 0) negative = negative.clamp_max(corner_of(o));
  return at::where(advantage < 0, negative, at::minimum(ratio, clipped));
}

at::Tensor value_of(const LossOptions& o, const at::Tensor& ratio, const PolicyTargets& targets) {
  const at::Tensor f = ppo_clip(o, ratio, targets.advantage);
  return -(targets.scale * targets.advantage * f).sum(at::kDouble);
}

// Mean over each item's targets of `values`.
std::vector<double> item_means(const at::Tensor& values, const PolicyTargets& targets) {
  const auto options = values.options().dtype(at::kDouble);
  at::Tensor sum = at::zeros({targets.items}, options), count = at::zeros({targets.items}, options);
  const at::Tensor wide = values.to(at::kDouble);
  sum.index_add_(0, targets.item, wide);
  count.index_add_(0, targets.item, at::ones_like(wide));
  const at::Tensor mean = (sum / count.clamp_min(1)).cpu().contiguous();
  const double* first = mean.const_data_ptr<double>();
  return {first, first + mean.numel()};
}

}  // namespace

at::Tensor policy_loss_value(const LossOptions& given, const at::Tensor& logprob,
                             const PolicyTargets& targets) {
  const LossOptions o = given.expanded();
  const at::Tensor ratio =
      at::exp(log_ratio_unclamped(logprob, targets).clamp(-o.log_ratio_clamp, o.log_ratio_clamp));
  return value_of(o, ratio, targets);
}

PolicyLossGradient policy_loss_gradient(const LossOptions& given, const at::Tensor& logprob,
                                        const PolicyTargets& targets) {
  const at::NoGradGuard no_grad;
  const LossOptions o = given.expanded();
  const at::Tensor difference = log_ratio_unclamped(logprob, targets);
  const at::Tensor log_ratio = difference.clamp(-o.log_ratio_clamp, o.log_ratio_clamp);
  const at::Tensor ratio = at::exp(log_ratio), &advantage = targets.advantage;

  const at::Tensor clamped = difference.abs() > o.log_ratio_clamp;
  const at::Tensor low = (advantage < 0).logical_and(ratio < 1 - o.clip_low);
  const at::Tensor high = (advantage > 0).logical_and(ratio > 1 + o.clip_high);
  at::Tensor corner = at::zeros_like(low);
  if (corner_of(o) > 0) corner = (advantage < 0).logical_and(ratio > corner_of(o));
  const at::Tensor clipped = low.logical_or(high).logical_or(corner);

  PolicyLossGradient out;
  const at::Tensor zero = at::zeros({}, ratio.options());
  out.gradient = at::where(clipped.logical_or(clamped), zero, -(targets.scale * advantage * ratio));
  const auto sum = [](const at::Tensor& x) { return x.sum(at::kDouble); };
  const at::Tensor sums =
      at::stack({value_of(o, ratio, targets), sum(low), sum(high), sum(corner), sum(clamped),
                 sum(-log_ratio), sum(at::expm1(log_ratio) - log_ratio),
                 log_ratio.abs().amax().to(at::kDouble)})
          .cpu();
  const double* s = sums.const_data_ptr<double>();
  out.sums = {s[0], static_cast<double>(logprob.numel()), s[1], s[2], s[3], s[4], s[5], s[6], s[7]};

  const std::vector<double> ratios = item_means(ratio, targets);
  const std::vector<double> shares = item_means(clipped, targets);
  for (std::size_t i = 0; i < ratios.size(); ++i) out.items.push_back({ratios[i], shares[i]});
  return out;
}

}  // namespace allot
