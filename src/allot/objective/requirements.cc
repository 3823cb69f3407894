#include "allot/objective/requirements.h"

#include "allot/core/error.h"

namespace allot::objective {
namespace {

bool has_mismatch_edge(const LossOptions& o) {
  return o.mismatch.weight != MismatchWeight::None || o.has_mask("rejection") || o.has_mask("obrs");
}

bool masks_compare(const LossOptions& o) {
  return o.has_mask("ppo_clip") || o.has_mask("divergence");
}

}  // namespace

Requirements requirements(const LossOptions& given) {
  const LossOptions o = given.expanded();
  const bool ratio = o.surrogate != Surrogate::Reinforce;
  const bool top_divergence =
      o.has_mask("divergence") &&
      (o.divergence.kind == Divergence::TopKTv || o.divergence.kind == Divergence::TopKKl);
  Requirements out;
  out.reference = (o.kl.placement != KlPlacement::None && o.kl.beta > 0) ||
                  o.surrogate == Surrogate::FlowBalance;
  out.rollout = o.has_mask("off_policy_sequence") ||
                (ratio && o.weight_anchor == RatioAnchor::Rollout) ||
                (masks_compare(o) && o.mask_anchor == RatioAnchor::Rollout) || has_mismatch_edge(o);
  out.old = (ratio && o.weight_anchor == RatioAnchor::Old) || has_mismatch_edge(o) ||
            (masks_compare(o) && o.mask_anchor == RatioAnchor::Old) ||
            (o.kl.placement == KlPlacement::InReward && o.kl.beta > 0);
  out.top_k = top_divergence || o.has_mask("curvature") || o.has_mask("obrs");
  out.hidden = o.has_mask("curvature");
  out.entropy = o.entropy_coef > 0 || o.entropy.adaptive || o.has_mask("top_entropy");
  out.log_partition = o.surrogate == Surrogate::FlowBalance;
  out.truncated = o.has_mask("truncated");
  return out;
}

std::vector<std::string> Requirements::names() const {
  std::vector<std::string> out;
  const auto add = [&](bool needed, const char* name) {
    if (needed) out.emplace_back(name);
  };
  add(old, "old_logprobs");
  add(rollout, "rollout_logprobs");
  add(reference, "ref_logprobs");
  add(entropy, "entropy");
  add(top_k, "topk");
  add(hidden, "hidden");
  add(log_partition, "log_partition");
  add(truncated, "truncated");
  return out;
}

void validate_run(const LossOptions& options, const RunFacts& facts) {
  if (facts.processed_logprobs || !requirements(options).rollout) return;
  throw Error(ErrorKind::Config, "loss",
              "loss.mismatch.weight, loss.weight_anchor or loss.masks compares with the engine's "
              "log-probabilities, and rollout.engine reports them raw, before temperature and "
              "truncation",
              "processed log-probabilities, or a temperature of 1 without truncation");
}

std::vector<std::string> run_warnings(const LossOptions& given, const RunFacts& facts) {
  const LossOptions o = given.expanded();
  std::vector<std::string> out;
  if (o.level == ImportanceLevel::SequenceProduct && facts.updates_per_rollout > 1 &&
      o.surrogate != Surrogate::GammaWeight)
    out.push_back(concat("loss.level is sequence_product with ", facts.updates_per_rollout,
                         " updates per batch of rollouts: products of ratios grow with length"));
  if (facts.group_scale && facts.mean_group_size < 3)
    out.push_back(concat("adv.scale is group with ", facts.mean_group_size,
                         " rollouts per prompt: groups of two have advantages of +-.707 whatever "
                         "their rewards"));
  if (facts.truncated_sampling && requirements(o).rollout)
    out.push_back(
        "sampling is truncated (top-p, top-k or min-p): each log ratio to the rollout "
        "policy is shifted by the mass that was cut");
  return out;
}

}  // namespace allot::objective
