#include "allot/methods/parts/advantages.h"

#include <algorithm>
#include <cmath>

#include "allot/core/error.h"

namespace allot {
namespace {

// reward - mean of the group
void centre(std::span<double> rewards) {
  const double mean = mean_of(rewards);
  for (double& reward : rewards) reward -= mean;
}

// best - second best on the best row, 0 elsewhere and for a tie at the top. A full group only.
void best_against_second(std::span<double> rewards) {
  const auto best = std::max_element(rewards.begin(), rewards.end());
  double second = -INFINITY;
  for (auto it = rewards.begin(); it != rewards.end(); ++it)
    if (it != best) second = std::max(second, *it);
  const double lead = *best - second;
  std::fill(rewards.begin(), rewards.end(), 0.0);
  *best = lead;
}

void divide(std::span<double> values, double divisor) {
  for (double& value : values) value /= divisor;
}

void whiten(Ragged<double>& groups, const AdvantageRule& rule) {
  const double mean = mean_of(groups.values());
  const double divisor = standard_deviation(groups.values(), rule.ddof) + rule.eps;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (!has_signal(groups[i])) continue;
    for (double& a : groups[i]) a = (a - mean) / divisor;
  }
}

}  // namespace

void AdvantageOptions::validate() const {
  if (eps < 0 && eps != -1)
    throw Error(ErrorKind::Config, "adv.eps",
                concat(eps, " was given; -1 (the method's own) or a value >= 0 is needed"));
  const bool per_step = scale == AdvantageScale::Batch || scale == AdvantageScale::Whiten;
  const bool by_groups =
      estimator == AdvantageEstimator::LeaveOneOut || estimator == AdvantageEstimator::PassAtK;
  if (per_step && by_groups)
    throw Error(ErrorKind::Config, "adv.scale",
                "batch or whiten was given with another estimator than group_relative; none or "
                "group is needed",
                "set adv.estimator=group_relative, or adv.scale=none");
  if (gamma != 1 && estimator != AdvantageEstimator::ReinforcePlusPlus)
    throw Error(ErrorKind::Config, "adv.gamma",
                concat(gamma,
                       " was given, and adv.estimator is not reinforce_plus_plus, which "
                       "alone has returns to discount; 1 is needed"));
}

void AdvantageOptions::validate_for_methods() const {
  validate();
  const bool scalar = estimator == AdvantageEstimator::GroupRelative ||
                      estimator == AdvantageEstimator::LeaveOneOut ||
                      estimator == AdvantageEstimator::PassAtK;
  const auto require = [](bool holds, const char* key) {
    if (!holds)
      throw Error(ErrorKind::Config, key,
                  "the given value is not available to allocation methods; the default is needed",
                  "allot objective computes it on given numbers");
  };
  require(scalar, "adv.estimator");
  require(reward_aggregation == RewardAggregation::SumThenNormalize, "adv.reward_aggregation");
  require(reward_weights.empty(), "adv.reward_weights");
  require(unit == StatsUnit::Sequence, "adv.unit");
}

AdvantageRule advantage_rule(const AdvantageOptions& options, GroupKind kind) {
  const bool curated = kind == GroupKind::Curated;
  AdvantageRule rule;
  rule.estimator = options.estimator;
  rule.scale = options.scale;
  rule.eps = options.eps >= 0 ? options.eps : curated ? 0.0 : 1e-4;
  rule.ddof = options.ddof >= 0 ? options.ddof : curated ? 0 : 1;
  rule.resolution = options.resolution;
  return rule;
}

Ragged<double> group_advantages(Ragged<double> groups, const AdvantageRule& rule) {
  const bool per_step_std = rule.scale == AdvantageScale::Batch;
  const double step_std = per_step_std ? standard_deviation(groups.values(), rule.ddof) : 0;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const std::span<double> group = groups[i];  // rewards that become advantages
    if (degenerate(group, rule.resolution)) {
      std::fill(group.begin(), group.end(), 0.0);
      continue;
    }
    const double n = static_cast<double>(group.size());
    const double std = standard_deviation(group, rule.ddof);
    if (rule.estimator == AdvantageEstimator::PassAtK) {
      best_against_second(group);
    } else {
      centre(group);
    }
    if (rule.estimator == AdvantageEstimator::LeaveOneOut) {
      divide(group, (n - 1) / n);  // r - mean of the others = n/(n-1) (r - mean)
      continue;
    }
    if (rule.scale == AdvantageScale::Group) divide(group, std + rule.eps);
    if (per_step_std) divide(group, step_std + rule.eps);
  }
  if (rule.scale == AdvantageScale::Whiten) whiten(groups, rule);
  return groups;
}

bool degenerate(std::span<const double> rewards, double resolution) {
  if (rewards.size() < 2) return true;
  const auto [low, high] = std::minmax_element(rewards.begin(), rewards.end());
  return *high - *low <= resolution;
}

bool has_signal(std::span<const double> advantages) {
  return std::any_of(advantages.begin(), advantages.end(), [](double a) { return a != 0; });
}

bool has_signal(std::span<const WeightedAdvantage> advantages) {
  return std::any_of(advantages.begin(), advantages.end(),
                     [](const WeightedAdvantage& a) { return a.advantage != 0; });
}

double posterior_mean(double correct, double n, double a, double b) {
  return (correct + a) / (n + a + b);
}

double bernoulli_advantage(bool correct, double mean) {
  return ((correct ? 1.0 : 0.0) - mean) / std::sqrt(mean * (1 - mean));
}

double mean_of(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0.0 : sum / static_cast<double>(values.size());
}

double standard_deviation(std::span<const double> values, int ddof) {
  const double freedom = static_cast<double>(values.size()) - ddof;
  if (freedom <= 0) return 0;
  const double mean = mean_of(values);
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / freedom);
}

}  // namespace allot
