#include "allot/methods/parts/advantages.h"

#include <algorithm>
#include <cmath>

#include "allot/core/error.h"

namespace allot {
namespace {

using Ragged = std::vector<std::vector<double>>;

std::vector<double> flattened(const Ragged& groups) {
  std::vector<double> all;
  for (const auto& group : groups) all.insert(all.end(), group.begin(), group.end());
  return all;
}

// reward - mean of the group; exactly 0 in a degenerate one.
std::vector<double> centred(const std::vector<double>& rewards, double resolution) {
  std::vector<double> out(rewards.size(), 0.0);
  if (degenerate(rewards, resolution)) return out;
  const double mean = mean_of(rewards);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = rewards[i] - mean;
  return out;
}

// best - second best on the best row, 0 elsewhere and for a tie at the top. A full group only.
std::vector<double> best_against_second(const std::vector<double>& rewards) {
  std::vector<double> out(rewards.size(), 0.0);
  const auto best = std::max_element(rewards.begin(), rewards.end());
  double second = -INFINITY;
  for (auto it = rewards.begin(); it != rewards.end(); ++it)
    if (it != best) second = std::max(second, *it);
  out[static_cast<std::size_t>(best - rewards.begin())] = *best - second;
  return out;
}

void divide(std::vector<double>& values, double divisor) {
  for (double& value : values) value /= divisor;
}

Ragged whitened(Ragged groups, const AdvantageRule& rule) {
  const std::vector<double> all = flattened(groups);
  const double mean = mean_of(all), divisor = standard_deviation(all, rule.ddof) + rule.eps;
  for (auto& group : groups) {
    if (!has_signal(group)) continue;
    for (double& a : group) a = (a - mean) / divisor;
  }
  return groups;
}

}  // namespace

void AdvantageOptions::validate() const {
  if (eps < 0 && eps != -1)
    throw Error(ErrorKind::Config, "adv.eps",
                concat(eps, " was given; -1 (the method's own) or a value >= 0 is needed"));
  const bool per_step = scale == AdvantageScale::Batch || scale == AdvantageScale::Whiten;
  if (per_step && estimator != AdvantageEstimator::GroupRelative)
    throw Error(ErrorKind::Config, "adv.scale",
                "batch or whiten was given with another estimator than group_relative; none or "
                "group is needed",
                "set adv.estimator=group_relative, or adv.scale=none");
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

Ragged group_advantages(const Ragged& rewards, const AdvantageRule& rule) {
  const bool per_step_std = rule.scale == AdvantageScale::Batch;
  const double step_std = per_step_std ? standard_deviation(flattened(rewards), rule.ddof) : 0;
  Ragged out;
  for (const auto& group : rewards) {
    out.push_back(centred(group, rule.resolution));
    std::vector<double>& advantages = out.back();
    if (degenerate(group, rule.resolution)) continue;
    const double n = static_cast<double>(group.size());
    if (rule.estimator == AdvantageEstimator::LeaveOneOut) {
      divide(advantages, (n - 1) / n);  // r - mean of the others = n/(n-1) (r - mean)
      continue;
    }
    if (rule.estimator == AdvantageEstimator::PassAtK) advantages = best_against_second(group);
    if (rule.scale == AdvantageScale::Group)
      divide(advantages, standard_deviation(group, rule.ddof) + rule.eps);
    if (per_step_std) divide(advantages, step_std + rule.eps);
  }
  return rule.scale == AdvantageScale::Whiten ? whitened(std::move(out), rule) : out;
}

bool degenerate(std::span<const double> rewards, double resolution) {
  if (rewards.size() < 2) return true;
  const auto [low, high] = std::minmax_element(rewards.begin(), rewards.end());
  return *high - *low <= resolution;
}

bool has_signal(std::span<const double> advantages) {
  return std::any_of(advantages.begin(), advantages.end(), [](double a) { return a != 0; });
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
