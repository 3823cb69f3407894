// Advantages of scalar rewards within groups: the estimators of `adv.*`, and the Bernoulli forms
// that use a prior when a group has no spread.
//
// All arithmetic is in double over the scored rollouts of one step. A group with fewer than two
// rewards, or whose rewards differ by at most `resolution`, gets exactly 0 by comparison and not by
// dividing a rounding residue (eight float copies of 0.1 leave -7.5e-9). Statistics use each
// group's own size; nothing knows a nominal one. Source: objectives, sections 3, 4.1 and 4.2.
#pragma once

#include <span>
#include <vector>

#include "allot/core/options.h"
#include "allot/methods/parts/ragged.h"

namespace allot {

enum class AdvantageEstimator {
  GroupRelative,
  LeaveOneOut,
  PassAtK,
  ReinforcePlusPlus,
  ReinforcePlusPlusBaseline,
  External
};
enum class AdvantageScale { None, Group, Batch, Whiten };
enum class RewardAggregation { SumThenNormalize, NormalizeThenSum };
enum class StatsUnit { Sequence, Token };

// adv.*
struct AdvantageOptions {
  AdvantageEstimator estimator = AdvantageEstimator::GroupRelative;
  AdvantageScale scale = AdvantageScale::Group;
  double eps = -1;
  int ddof = -1;
  double resolution = 1e-6;
  RewardAggregation reward_aggregation = RewardAggregation::SumThenNormalize;
  std::vector<double> reward_weights;
  StatsUnit unit = StatsUnit::Sequence;
  double gamma = 1;
  bool gdpo_batch_norm = true;

  template <class V>
  void fields(V& v) {
    v("estimator", estimator,
      Choices<AdvantageEstimator>{
          {"group_relative", AdvantageEstimator::GroupRelative},
          {"leave_one_out", AdvantageEstimator::LeaveOneOut},
          {"pass_at_k", AdvantageEstimator::PassAtK},
          {"reinforce_plus_plus", AdvantageEstimator::ReinforcePlusPlus},
          {"reinforce_plus_plus_baseline", AdvantageEstimator::ReinforcePlusPlusBaseline},
          {"external", AdvantageEstimator::External}},
      "reward minus the group's mean (GRPO); minus the mean of the others (RLOO, never scaled); "
      "best minus second best on the best rollout alone; with alloc.method grpo or dapo also "
      "returns whitened over the step (REINFORCE++) and centred rewards whitened over the step; "
      "only in `allot objective` advantages as given");
    v("scale", scale,
      Choices<AdvantageScale>{{"none", AdvantageScale::None},
                              {"group", AdvantageScale::Group},
                              {"batch", AdvantageScale::Batch},
                              {"whiten", AdvantageScale::Whiten}},
      "divisor: none (Dr.GRPO), the group's standard deviation, that of all rewards of the step, "
      "or "
      "a z-score of the centred rewards of the step");
    v("eps", eps, Range{-1, 1e3},
      "added to the standard deviation; -1 = the method's own: 1e-4, and 0 for curated groups");
    v("ddof", ddof, Range{-1, 1},
      "standard deviation of the sample (1) or of the population (0); -1 = the method's own: 1, "
      "and "
      "0 for curated groups");
    v("resolution", resolution, Range{0, 1e6},
      "rewards of a group that differ by no more carry no signal");
    v("reward_aggregation", reward_aggregation,
      Choices<RewardAggregation>{{"sum_then_normalize", RewardAggregation::SumThenNormalize},
                                 {"normalize_then_sum", RewardAggregation::NormalizeThenSum}},
      "several rewards: their weighted sum is the reward, or the sum of their own z-scores is, "
      "which is then scaled over the step (GDPO; with alloc.method grpo or dapo)");
    v("reward_weights", reward_weights, Range{-1e6, 1e6},
      "one per reward, with alloc.method grpo or dapo; empty = reward.weights, or all 1");
    v("unit", unit,
      Choices<StatsUnit>{{"sequence", StatsUnit::Sequence}, {"token", StatsUnit::Token}},
      "whitening counts each response once, or once per token (with alloc.method grpo or dapo)");
    v("gamma", gamma, Range{0, 1},
      "reinforce_plus_plus: discount per token of the reward and the KL that come later");
    v("gdpo_batch_norm", gdpo_batch_norm, "normalize_then_sum: scale the sum over the step");
  }
  // Throws Error(Config) on combinations that have no meaning.
  void validate() const;
  // The same, and on what allocation methods do not do themselves.
  void validate_for_methods() const;
};

// What a method supplies where adv.eps and adv.ddof are left to it. A curated group is a chosen
// subset: with the population form a 1:1 pair has advantages of exactly +-1 at every size.
enum class GroupKind { Plain, Curated };

// The options with every value decided.
struct AdvantageRule {
  AdvantageEstimator estimator = AdvantageEstimator::GroupRelative;
  AdvantageScale scale = AdvantageScale::Group;
  double eps = 1e-4;
  int ddof = 1;
  double resolution = 1e-6;
};
AdvantageRule advantage_rule(const AdvantageOptions& options, GroupKind kind);

// Rewards of the groups of one step -> advantages of the same shape. Groups may have any size,
// also 0 and 1. Only the scales Batch and Whiten look beyond a group.
Ragged<double> group_advantages(Ragged<double> rewards, const AdvantageRule& rule);

// True if the rewards carry no signal: fewer than two, or max - min <= resolution.
bool degenerate(std::span<const double> rewards, double resolution);

// What a rollout counts in the update: its advantage, and the weight of its term of the loss.
struct WeightedAdvantage {
  double advantage = 0, weight = 1;
};

// True if training on these advantages can change anything: one of them is not 0.
bool has_signal(std::span<const double> advantages);
bool has_signal(std::span<const WeightedAdvantage> advantages);

// Mean of the Beta posterior after `correct` of `n`; a, b > 0 keep it inside (0, 1).
double posterior_mean(double correct, double n, double a, double b);

// (r - mean) / sqrt(mean (1 - mean)) with r = 1 if correct, else 0; 0 < mean < 1.
double bernoulli_advantage(bool correct, double mean);

double mean_of(std::span<const double> values);                       // 0 of none
double standard_deviation(std::span<const double> values, int ddof);  // 0 of <= ddof values

}  // namespace allot
