// Options of the policy loss, loss.*: every factor of
//
//   L = sum_{i,t} omega_it [ -v_i b_it k_it A_it f(r_it) + beta KL_it ] - c_H H
//
// omega: normalizer.h; v: the item's weight; b: mismatch.h; k: token_masks.h; A: the advantage;
// r: ratio.h; f: surrogate.h; KL: kl.h; H: entropy.h. The factors are chosen independently. A
// preset (presets.h) fills in the ones that were not given: in numbers -1, in choices `preset`, in
// lists [] stand for "as the preset says". Source: objectives, sections 1, 3, 5 to 12.
#pragma once

#include <string>
#include <vector>

#include "allot/core/options.h"
#include "allot/objective/factor_options.h"

namespace allot::objective {

struct LossOptions {
  static constexpr double kOfPreset = -1;  // "not given": the preset's value
  static constexpr double kUnbounded = 1e9;

  std::string preset = "dapo";
  bool preset_full = false;
  Compat compat = Compat::None;
  Surrogate surrogate = Surrogate::OfPreset;
  ImportanceLevel level = ImportanceLevel::OfPreset;
  RatioAnchor weight_anchor = RatioAnchor::OfPreset, mask_anchor = RatioAnchor::OfPreset;
  double clip_low = kOfPreset, clip_high = kOfPreset;
  double dual_clip_c = kOfPreset;  // 0 = off
  double ratio_cap = kOfPreset;    // 0 = off
  double weight_min = kOfPreset, weight_max = kOfPreset;
  double weight_eps_low = kOfPreset, weight_eps_high = kOfPreset;
  double soft_tau_positive = 1, soft_tau_negative = 1.05;
  std::vector<std::string> masks;
  DivergenceOptions divergence;
  CurvatureOptions curvature;
  ObrsOptions obrs;
  double off_policy_delta = 0.5;
  RejectionOptions rejection;
  double top_entropy = 0.2;
  MismatchOptions mismatch;
  KlOptions kl;
  double entropy_coef = 0;
  EntropyOptions entropy;
  double flow_beta = 15;
  Aggregation aggregation = Aggregation::Method;
  double norm_constant = 0;   // C of SeqMeanTokenSumNorm
  double length_divisor = 0;  // 0: mean over a response's tokens
  bool allow_length_weighted = false;
  double log_ratio_clamp = 20;
  bool complete = false;  // no option: set by expanded(), which has nothing to do where it is true

  // A copy in which no value is left to the preset. Expanding twice changes nothing. Throws
  // Error(Config) for an unknown preset, naming the nearest one.
  LossOptions expanded() const;

  // Throws Error(Config) naming the keys that contradict each other. Also on unexpanded options.
  void validate() const;

  // What a user should be told once at start-up.
  std::vector<std::string> warnings() const;

  bool has_mask(std::string_view name) const;  // of expanded options

  template <class V>
  void fields(V& v);
};

template <class V>
void LossOptions::fields(V& v) {
  v("preset", preset,
    "published loss whose settings apply where no other key is given: dapo, grpo, gspo, cispo, "
    "...; docs/objectives.md lists all; custom has PPO's");
  v("preset_full", preset_full,
    "the preset also sets loss.aggregation and adv.*; otherwise the allocation method's stay");
  v("compat", compat,
    Choices<Compat>{{"none", Compat::None},
                    {"trl", Compat::Trl},
                    {"verl", Compat::Verl},
                    {"openrlhf", Compat::OpenRlhf}},
    "arithmetic of another library where it differs from ours");
  v("surrogate", surrogate,
    Choices<Surrogate>{{"preset", Surrogate::OfPreset},
                       {"ppo_clip", Surrogate::PpoClip},
                       {"clipped_weight", Surrogate::ClippedWeight},
                       {"soft", Surrogate::Soft},
                       {"gamma_weight", Surrogate::GammaWeight},
                       {"geometric_mean", Surrogate::GeometricMean},
                       {"reinforce", Surrogate::Reinforce},
                       {"flow_balance", Surrogate::FlowBalance}},
    "what is made of the importance ratio r and the advantage A: ppo_clip = min(r A, clip(r) A); "
    "clipped_weight = the clamped r, detached, times log pi (CISPO); soft = a sigmoid of r (SAPO); "
    "gamma_weight (VESPO); geometric_mean (GMPO); reinforce = log pi; flow_balance (FlowRL)");
  v("level", level,
    Choices<ImportanceLevel>{{"preset", ImportanceLevel::OfPreset},
                             {"token", ImportanceLevel::Token},
                             {"sequence_geometric", ImportanceLevel::SequenceGeometric},
                             {"sequence_geometric_token", ImportanceLevel::SequenceGeometricToken},
                             {"sequence_product", ImportanceLevel::SequenceProduct}},
    "ratio of a token, or of its whole response: geometric mean (GSPO), the same with a gradient "
    "by token, or product");
  const Choices<RatioAnchor> anchors = {{"preset", RatioAnchor::OfPreset},
                                        {"old", RatioAnchor::Old},
                                        {"rollout", RatioAnchor::Rollout}};
  v("weight_anchor", weight_anchor, anchors,
    "denominator of the ratio: the policy before the updates on these rollouts, or the one that "
    "sampled them (as its engine computed it)");
  v("mask_anchor", mask_anchor, anchors, "policy that the token masks compare with");
  v("clip_low", clip_low, Range{-1, 1e6},
    "r below 1 - clip_low gives no gradient where A < 0; in log r for geometric_mean; -1 = the "
    "preset's");
  v("clip_high", clip_high, Range{-1, 1e6},
    "r above 1 + clip_high gives no gradient where A > 0; -1 = the preset's");
  v("dual_clip_c", dual_clip_c, Range{-1, 1e6},
    "where A < 0 the loss of a token is at most this times |A|; 0 = off, otherwise above 1; -1 = "
    "the preset's");
  v("ratio_cap", ratio_cap, Range{-1, 1e6},
    "largest r in the unclipped branch; 0 = off, otherwise above 1 + clip_high; -1 = the preset's");
  v("weight_min", weight_min, Range{-1, kUnbounded},
    "clipped_weight: least weight; 0 = none; -1 = the preset's");
  v("weight_max", weight_max, Range{-1, kUnbounded},
    "clipped_weight: largest weight, which it needs; 1e9 = no bound; -1 = the preset's");
  v("weight_eps_low", weight_eps_low, Range{-1, 1},
    "clipped_weight by a relative band: weight_min = 1 - this; -1 = not given");
  v("weight_eps_high", weight_eps_high, Range{-1, kUnbounded},
    "clipped_weight by a relative band: weight_max = 1 + this; -1 = not given");
  v("soft_tau_positive", soft_tau_positive, Range{1e-3, 1e3}, "soft: temperature where A > 0");
  v("soft_tau_negative", soft_tau_negative, Range{1e-3, 1e3}, "soft: temperature elsewhere");
  v("masks", masks,
    "token masks, all of which must keep a token: ppo_clip, divergence, curvature, obrs, "
    "off_policy_sequence, rejection, top_entropy, truncated; [none] = none; [] = the preset's");
  v("divergence", divergence);
  v("curvature", curvature);
  v("obrs", obrs);
  v("off_policy_delta", off_policy_delta, Range{0, 1e3},
    "off_policy_sequence: a response with A < 0 is left out if the mean of log mu - log pi over "
    "its tokens is above this");
  v("rejection", rejection);
  v("top_entropy", top_entropy, Range{1e-6, 1},
    "top_entropy: share of the step's tokens that is kept, those of largest entropy");
  v("mismatch", mismatch);
  v("kl", kl);
  v("entropy_coef", entropy_coef, Range{0, 1e3}, "weight of the mean entropy, which is rewarded");
  v("entropy", entropy);
  v("flow_beta", flow_beta, Range{0, 1e6}, "flow_balance: weight of the normalised reward");
  v("aggregation", aggregation,
    Choices<Aggregation>{{"method", Aggregation::Method},
                         {"token_mean", Aggregation::TokenMean},
                         {"token_sum", Aggregation::TokenSum},
                         {"seq_mean_token_mean", Aggregation::SeqMeanTokenMean},
                         {"seq_mean_token_sum", Aggregation::SeqMeanTokenSum},
                         {"seq_mean_token_sum_norm", Aggregation::SeqMeanTokenSumNorm},
                         {"prompt_mean", Aggregation::PromptMean}},
    "how tokens are averaged; method = as the allocation method asks");
  v("norm_constant", norm_constant, Range{0, 1e9},
    "C of seq_mean_token_sum_norm, which needs it, e.g. the longest response");
  v("length_divisor", length_divisor, Range{0, 1e9},
    "the mean over a response's tokens becomes their sum divided by this (Dr.GRPO form), unless "
    "the method sets its own; 0 = mean");
  v("allow_length_weighted", allow_length_weighted,
    "do not warn that a ratio of whole responses under token_mean weighs long ones more");
  v("log_ratio_clamp", log_ratio_clamp, Range{1e-3, 80},
    "log r is kept within plus and minus this; beyond it there is no gradient");
}

}  // namespace allot::objective
