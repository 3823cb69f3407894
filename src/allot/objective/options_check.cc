// What LossOptions refuses, and what it warns of. Source: objectives, section 16.
#include <algorithm>
#include <array>

#include "allot/core/error.h"
#include "allot/objective/options.h"
#include "allot/objective/presets.h"

namespace allot::objective {
namespace {

[[noreturn]] void refuse(const std::string& what, std::string_view hint = {}) {
  throw Error(ErrorKind::Config, "loss", what, hint);
}

bool by_sequence(const LossOptions& o) { return o.level != ImportanceLevel::Token; }

void check_clipping(const LossOptions& o) {
  if (o.clip_low < 0 || o.clip_high < 0)
    refuse(concat("loss.clip_low = ", o.clip_low, ", loss.clip_high = ", o.clip_high,
                  "; both must be 0 or more"),
           "-1 stands for the value of loss.preset");
  if (o.surrogate != Surrogate::GeometricMean && o.clip_low > 1)
    refuse(concat("loss.clip_low = ", o.clip_low,
                  "; at most 1 is needed, since a ratio is not "
                  "negative"));
  if (o.dual_clip_c > 0 && o.ratio_cap > 0)
    refuse(
        "loss.dual_clip_c and loss.ratio_cap are both set; they bound the same corner (A < 0, "
        "large ratio), so only one may be");
  if (o.dual_clip_c != 0 && o.dual_clip_c <= 1)
    refuse(concat("loss.dual_clip_c = ", o.dual_clip_c, "; it must be above 1, or 0 for off"));
  if (o.ratio_cap != 0 && o.ratio_cap <= 1 + o.clip_high)
    refuse(concat("loss.ratio_cap = ", o.ratio_cap,
                  "; it must be above 1 + loss.clip_high = ", 1 + o.clip_high, ", or 0 for off"));
  for (const auto& [value, key] :
       {std::pair{o.dual_clip_c, "loss.dual_clip_c"}, std::pair{o.ratio_cap, "loss.ratio_cap"}})
    if (value > 0 && o.surrogate != Surrogate::PpoClip)
      refuse(concat(key, " = ", value,
                    " bounds ppo_clip, and loss.surrogate is another; set one "
                    "of the two"));
}

void check_weights(const LossOptions& given, const LossOptions& o) {
  // Complete options no longer tell what was given by whom.
  constexpr double kUnset = LossOptions::kOfPreset;
  const bool bounds = given.weight_max != kUnset || given.weight_min != kUnset ||
                      o.weight_eps_low >= 0 || o.weight_eps_high >= 0;
  const bool relative_clip = given.clip_low != kUnset || given.clip_high != kUnset;
  if (o.surrogate != Surrogate::ClippedWeight) {
    if (bounds && !given.complete)
      refuse(
          "loss.weight_min or loss.weight_max is set, and loss.surrogate is not clipped_weight, "
          "which alone has them");
    return;
  }
  if (!(o.weight_max > 0))
    refuse("loss.surrogate is clipped_weight and loss.weight_max is not set; a bound is needed",
           "5 is usual; 1e9 means none");
  if (o.weight_min > o.weight_max)
    refuse(
        concat("loss.weight_min = ", o.weight_min, " is above loss.weight_max = ", o.weight_max));
  if (relative_clip && !o.has_mask("ppo_clip") && !given.complete)
    refuse(
        "loss.clip_low or loss.clip_high is set, and loss.surrogate is clipped_weight, whose "
        "bounds are loss.weight_min and loss.weight_max",
        "they are absolute: a clip_high of .2 is a weight_max of 1.2");
}

void check_masks(const LossOptions& o) {
  constexpr std::array names = {"none",      "ppo_clip",    "divergence",
                                "curvature", "obrs",        "off_policy_sequence",
                                "rejection", "top_entropy", "truncated"};
  for (const std::string& mask : o.masks) {
    if (std::find(names.begin(), names.end(), mask) == names.end()) {
      const std::string near = nearest(mask, names);
      throw Error(ErrorKind::Config, "loss.masks",
                  concat("'", mask, "' was given; the name of a mask is needed"),
                  near.empty() ? "" : concat("did you mean '", near, "'?"));
    }
  }
  if (o.has_mask("none") && o.masks.size() > 1)
    refuse("loss.masks names none beside others; either is needed");
  if (o.has_mask("curvature") && !(o.curvature.lr > 0))
    refuse(
        "loss.masks has curvature and loss.curvature.lr is not set; the mask needs the learning "
        "rate");
  if (o.has_mask("curvature") && (o.curvature.delta_f < 0 || o.curvature.delta_h < 0))
    refuse("loss.curvature.delta_f and loss.curvature.delta_h must be 0 or more");
  if (o.has_mask("rejection") && (o.rejection.min < 0 || o.rejection.max < o.rejection.min))
    refuse(concat("loss.rejection.min = ", o.rejection.min,
                  ", loss.rejection.max = ", o.rejection.max, "; 0 <= min <= max is needed"));
  if (o.mismatch.weight == MismatchWeight::ObrsReweight && !o.has_mask("obrs"))
    refuse(
        "loss.mismatch.weight is obrs_reweight and loss.masks lacks obrs; without the mask the "
        "weight is biased upwards");
}

void check_mismatch(const LossOptions& o) {
  const bool edge = o.mismatch.weight != MismatchWeight::None || o.has_mask("rejection");
  if (o.weight_anchor == RatioAnchor::Rollout && edge)
    refuse(
        "loss.weight_anchor is rollout, and loss.mismatch.weight (or the mask rejection) "
        "corrects old against rollout, which would count that edge twice",
        "set loss.mismatch.weight=none, or loss.weight_anchor=old");
  if (o.mismatch.min < 0 || o.mismatch.max < o.mismatch.min)
    refuse(concat("loss.mismatch.min = ", o.mismatch.min, ", loss.mismatch.max = ", o.mismatch.max,
                  "; 0 <= min <= max is needed"));
}

void check_kl(const LossOptions& o) {
  const bool through = o.kl.straight_through == Switch::On;
  if (o.kl.beta < 0) refuse(concat("loss.kl.beta = ", o.kl.beta, "; 0 or more is needed"));
  if (o.kl.placement == KlPlacement::None && o.kl.beta > 0)
    refuse(concat("loss.kl.beta = ", o.kl.beta, " has no effect while loss.kl.placement is none"));
  if (o.kl.placement == KlPlacement::InLoss && o.kl.estimator == KlEstimator::K1 && !through)
    refuse("loss.kl.estimator k1 with loss.kl.placement in_loss has an expected gradient of zero",
           "loss.kl.straight_through=true, or another estimator");
  if (o.kl.placement == KlPlacement::InReward && o.kl.estimator != KlEstimator::K1)
    refuse(
        "loss.kl.placement is in_reward and loss.kl.estimator is not k1, which alone is the KL "
        "of a detached reward");
  if (o.kl.importance_weighted == Switch::On && (o.kl.estimator != KlEstimator::K3 || through))
    refuse(
        "loss.kl.importance_weighted needs loss.kl.estimator=k3 and no "
        "loss.kl.straight_through");
  if (o.entropy.adaptive && o.entropy_coef == 0 && o.entropy.step == 0)
    refuse("loss.entropy.adaptive needs loss.entropy.step above 0");
}

void check_aggregation(const LossOptions& o) {
  const bool needs_constant = o.aggregation == Aggregation::SeqMeanTokenSumNorm;
  if (needs_constant && !(o.norm_constant > 0))
    refuse(
        "loss.aggregation is seq_mean_token_sum_norm and loss.norm_constant is not set; a "
        "constant above 0 is needed",
        "the longest response is usual: rollout.max_new_tokens");
  if (!needs_constant && o.norm_constant > 0)
    refuse(concat("loss.norm_constant = ", o.norm_constant,
                  " has no effect unless loss.aggregation is seq_mean_token_sum_norm"));
  const bool divides = o.aggregation == Aggregation::Method ||
                       o.aggregation == Aggregation::SeqMeanTokenMean ||
                       o.aggregation == Aggregation::PromptMean;
  if (!divides && o.length_divisor > 0)
    refuse(concat("loss.length_divisor = ", o.length_divisor,
                  " has no effect with this loss.aggregation, which takes no mean over a "
                  "response's tokens"));
}

// The flow's only ratio is of a whole response.
void check_flow(const LossOptions& o) {
  if (o.surrogate != Surrogate::FlowBalance) return;
  if (o.mismatch.weight != MismatchWeight::None && o.mismatch.level == MismatchLevel::Token)
    refuse(
        "loss.surrogate flow_balance has one term per response, and loss.mismatch.level is token",
        "loss.mismatch.level=sequence or sequence_geometric");
  if (o.has_mask("rejection") && o.rejection.reduce == RejectionReduce::Token)
    refuse(
        "loss.surrogate flow_balance has one term per response, and loss.rejection.reduce is "
        "token",
        "loss.rejection.reduce=seq_mean, seq_sum or seq_max");
  for (const char* mask : {"ppo_clip", "divergence", "top_entropy", "curvature", "obrs"})
    if (o.has_mask(mask))
      refuse(concat("loss.surrogate flow_balance has one term per response, and loss.masks has ",
                    mask, ", which chooses tokens"),
             "off_policy_sequence, rejection and truncated choose responses");
}

void check_levels(const LossOptions& o) {
  if (o.surrogate == Surrogate::GammaWeight && o.level != ImportanceLevel::SequenceProduct)
    refuse("loss.surrogate gamma_weight needs loss.level=sequence_product");
  if (o.surrogate == Surrogate::GeometricMean && by_sequence(o))
    refuse("loss.surrogate geometric_mean takes its own mean; loss.level=token is needed");
}

void warn_of_widths(const LossOptions& o, std::vector<std::string>& out) {
  const bool clips = o.surrogate == Surrogate::PpoClip || o.has_mask("ppo_clip");
  if (!clips) return;
  const std::string widths =
      concat("loss.clip_low = ", o.clip_low, ", loss.clip_high = ", o.clip_high, ": ");
  if (!by_sequence(o) && (o.clip_low < 0.01 || o.clip_high < 0.01))
    out.push_back(widths +
                  "widths below .01 are meant for ratios of whole sequences, but "
                  "the ratios here are of tokens");
  if (by_sequence(o) && (o.clip_low > 0.05 || o.clip_high > 0.05))
    out.push_back(widths +
                  "widths above .05 are meant for ratios of tokens: they hardly ever clip the mean "
                  "ratio of a whole sequence");
}

}  // namespace

void LossOptions::validate() const {
  const LossOptions o = expanded();
  check_clipping(o);
  check_weights(*this, o);
  check_masks(o);
  check_mismatch(o);
  check_kl(o);
  check_aggregation(o);
  check_levels(o);
  check_flow(o);
}

std::vector<std::string> LossOptions::warnings() const {
  const LossOptions o = expanded();
  std::vector<std::string> out;
  warn_of_widths(o, out);
  if (o.aggregation != Aggregation::Method)
    out.push_back(
        "loss.aggregation replaces the normaliser that the allocation method asks for; methods "
        "with a fixed normaliser will refuse it");
  if (preset == "dr_grpo" && o.aggregation == Aggregation::Method && o.length_divisor == 0)
    out.push_back(
        "loss.preset dr_grpo keeps the method's normaliser with a mean over tokens; set "
        "loss.length_divisor, or loss.preset_full and loss.norm_constant, for its constant");
  if (by_sequence(o) && o.aggregation == Aggregation::TokenMean && !o.allow_length_weighted &&
      o.surrogate != Surrogate::GammaWeight)
    out.push_back(
        "loss.level is of whole sequences and loss.aggregation token_mean: long responses weigh "
        "more; loss.allow_length_weighted accepts it");
  if (o.has_mask("divergence") && o.mask_anchor == RatioAnchor::Old)
    out.push_back(
        "loss.masks has divergence and loss.mask_anchor is old: trust regions around recomputed "
        "probabilities collapsed where those around the rollout's did not");
  if (o.has_mask("divergence") && o.mismatch.weight != MismatchWeight::None)
    out.push_back(
        "loss.masks has divergence and loss.mismatch.weight is set: both count the edge "
        "to the rollout's policy");
  return out;
}

}  // namespace allot::objective
