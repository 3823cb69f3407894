#include "allot/methods/parts/reward_advantages.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "allot/core/error.h"

namespace allot {
namespace {

using Rewards = std::span<const std::vector<double>>;
using Groups = std::map<std::uint32_t, std::vector<std::size_t>>;  // scorable rows by group

std::vector<double> component_weights(const AdvantageOptions& options, Rewards rewards) {
  const std::size_t k = rewards.empty() ? 0 : rewards.front().size();
  for (std::size_t i = 0; i < rewards.size(); ++i) {
    if (rewards[i].size() != k || k == 0)
      throw Error(ErrorKind::Data, "objective",
                  concat("row ", i, " has ", rewards[i].size(), " rewards; ",
                         std::max<std::size_t>(k, 1), " are needed, as in row 0"));
    for (const double r : rewards[i])
      if (std::isinf(r))
        throw Error(ErrorKind::Data, "objective",
                    concat("row ", i, ": reward ", r, "; a finite number or NaN is needed"));
  }
  if (options.reward_weights.empty()) return std::vector<double>(k, 1);
  if (options.reward_weights.size() != k)
    throw Error(ErrorKind::Config, "adv.reward_weights",
                concat(options.reward_weights.size(), " weights were given for ", k,
                       " rewards; one each is needed"));
  return options.reward_weights;
}

// Weighted sum of the finite components, less the penalty.
struct Cleaned {
  std::vector<double> reward;
  std::vector<bool> scorable;
  double partial = 0, unscorable = 0;
};

Cleaned clean(Rewards rewards, std::span<const double> weights, std::span<const double> penalty) {
  Cleaned out;
  for (std::size_t i = 0; i < rewards.size(); ++i) {
    double sum = 0, finite = 0, wanted = 0;
    for (std::size_t k = 0; k < weights.size(); ++k) {
      if (weights[k] == 0) continue;
      wanted += 1;
      if (std::isnan(rewards[i][k])) continue;
      finite += 1;
      sum += weights[k] * rewards[i][k];
    }
    const bool scorable = finite > 0;
    out.scorable.push_back(scorable);
    out.reward.push_back(scorable ? sum - penalty[i] : 0);
    out.partial += scorable && finite < wanted;
    out.unscorable += !scorable;
  }
  return out;
}

Groups scorable_groups(std::span<const std::uint32_t> groups, const std::vector<bool>& scorable) {
  Groups out;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    std::vector<std::size_t>& rows = out[groups[i]];  // a group without any is a group too
    if (scorable[i]) rows.push_back(i);
  }
  return out;
}

// Group advantages of `values` scattered back to the rows.
std::vector<double> in_groups(const Groups& groups, std::span<const double> values,
                              const AdvantageRule& rule) {
  Ragged<double> lists;
  for (const auto& [group, rows] : groups) {
    for (const std::size_t i : rows) lists.push(values[i]);
    lists.close();
  }
  const Ragged<double> advantages = group_advantages(std::move(lists), rule);
  std::vector<double> out(values.size(), 0);
  std::size_t g = 0;
  for (const auto& [group, rows] : groups) {
    for (std::size_t j = 0; j < rows.size(); ++j) out[rows[j]] = advantages[g][j];
    ++g;
  }
  return out;
}

std::vector<double> picked(std::span<const double> values, const std::vector<bool>& which) {
  std::vector<double> out;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (which[i]) out.push_back(values[i]);
  return out;
}

// (x - mean) / divisor over the scorable rows.
void standardize(std::vector<double>& values, const std::vector<bool>& scorable, double eps,
                 int ddof) {
  const std::vector<double> all = picked(values, scorable);
  const double mean = mean_of(all), divisor = standard_deviation(all, ddof) + eps;
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = scorable[i] && divisor > 0 ? (values[i] - mean) / divisor : 0;
}

// GDPO: sum over components of their own z-scores; a component that is constant in a group or
// missing in a row gives 0 there.
std::vector<double> normalized_then_summed(Rewards rewards, std::span<const double> weights,
                                           std::span<const std::uint32_t> groups,
                                           const AdvantageRule& rule) {
  std::vector<double> sum(rewards.size(), 0);
  for (std::size_t k = 0; k < weights.size(); ++k) {
    std::vector<double> component;
    std::vector<bool> finite;
    for (const auto& row : rewards) {
      finite.push_back(!std::isnan(row[k]));
      component.push_back(finite.back() ? row[k] : 0);
    }
    const auto scores = in_groups(scorable_groups(groups, finite), component, rule);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += weights[k] * scores[i];
  }
  return sum;
}

// R - mean of the group, also where the group shows no spread.
std::vector<double> centred(const Groups& groups, std::span<const double> rewards) {
  std::vector<double> out(rewards.size(), 0);
  for (const auto& [group, rows] : groups) {
    double sum = 0;
    for (const std::size_t i : rows) sum += rewards[i];
    for (const std::size_t i : rows) out[i] = rewards[i] - sum / static_cast<double>(rows.size());
  }
  return out;
}

std::vector<Metric> metrics_of(const Cleaned& cleaned, const Groups& groups, double resolution) {
  double unscorable = 0, single = 0, constant = 0;
  for (const auto& [group, rows] : groups) {
    std::vector<double> values;
    for (const std::size_t i : rows) values.push_back(cleaned.reward[i]);
    unscorable += rows.empty();
    single += rows.size() == 1;
    constant += rows.size() > 1 && degenerate(values, resolution);
  }
  const double rows = std::max<double>(1, static_cast<double>(cleaned.scorable.size()));
  const double n = std::max<double>(1, static_cast<double>(groups.size()));
  return {{"reward/partial_nan", cleaned.partial},
          {"reward/unscorable", cleaned.unscorable / rows},
          {"group/degenerate", (unscorable + single + constant) / n},
          {"group/unscorable", unscorable / n},
          {"group/single", single / n},
          {"group/constant", constant / n}};
}

ScalarAdvantages estimate(const AdvantageOptions& options, Rewards rewards,
                          std::span<const std::uint32_t> groups, std::span<const double> penalty) {
  if (options.estimator == AdvantageEstimator::External)
    throw Error(ErrorKind::Config, "adv.estimator",
                "external was given together with rewards; advantages are needed instead of them");
  const std::vector<double> weights = component_weights(options, rewards);
  if (options.reward_aggregation == RewardAggregation::NormalizeThenSum && weights.size() > 1 &&
      std::any_of(penalty.begin(), penalty.end(), [](double p) { return p != 0; }))
    throw Error(ErrorKind::Config, "adv.reward_aggregation",
                "normalize_then_sum has no reward that loss.kl.placement in_reward could take the "
                "KL from",
                "loss.kl.placement=in_loss, or sum_then_normalize");
  const Cleaned cleaned = clean(rewards, weights, penalty);
  const Groups members = scorable_groups(groups, cleaned.scorable);
  AdvantageRule rule = advantage_rule(options, GroupKind::Plain);
  const bool by_sequence = options.unit == StatsUnit::Sequence;
  ScalarAdvantages out;
  out.scorable = cleaned.scorable;
  out.metrics = metrics_of(cleaned, members, options.resolution);
  const bool several = options.reward_aggregation == RewardAggregation::NormalizeThenSum;
  if (options.estimator == AdvantageEstimator::ReinforcePlusPlus) {
    out.values = cleaned.reward;
  } else if (options.estimator == AdvantageEstimator::ReinforcePlusPlusBaseline) {
    out.values = centred(members, cleaned.reward);
    if (by_sequence) standardize(out.values, out.scorable, 1e-8, 1);
  } else if (several && weights.size() > 1) {
    rule.scale = AdvantageScale::Group;
    out.values = normalized_then_summed(rewards, weights, groups, rule);
    if (options.gdpo_batch_norm && by_sequence)
      standardize(out.values, out.scorable, rule.eps, rule.ddof);
  } else {
    if (!by_sequence && rule.scale == AdvantageScale::Whiten) rule.scale = AdvantageScale::None;
    out.values = in_groups(members, cleaned.reward, rule);
  }
  return out;
}

TokenStep step_of(const AdvantageOptions& options) {
  const bool baseline = options.estimator == AdvantageEstimator::ReinforcePlusPlusBaseline;
  const bool several = options.reward_aggregation == RewardAggregation::NormalizeThenSum;
  if (options.estimator == AdvantageEstimator::ReinforcePlusPlus) return TokenStep::ReturnToGo;
  if (options.unit == StatsUnit::Sequence) return TokenStep::None;
  const bool whitens =
      baseline || (several && options.gdpo_batch_norm) || options.scale == AdvantageScale::Whiten;
  return whitens ? TokenStep::WhitenByToken : TokenStep::None;
}

}  // namespace

ScalarEstimator reward_estimator(const AdvantageOptions& options) {
  return {step_of(options), options.gamma,
          [options](Rewards rewards, std::span<const std::uint32_t> groups,
                    std::span<const double> penalty) {
            return estimate(options, rewards, groups, penalty);
          }};
}

}  // namespace allot
