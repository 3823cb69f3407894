#include "allot/methods/parts/sampled_pool.h"

#include <algorithm>
#include <array>
#include <string>

#include "allot/methods/parts/batch_builder.h"
#include "allot/methods/parts/selectors.h"

namespace allot {
namespace {

PoolRow row_of(const Outcome& outcome, double threshold) {
  return {outcome.reward, outcome.reward > threshold};
}

std::uint32_t rounds_of(const Group& group) {
  return group.rollouts.empty() ? 0 : group.rollouts.back().record.round + 1;
}

// Scored rollouts: of negatives, positives.
std::array<std::uint32_t, 2> counts_of(const Group& group, double threshold) {
  std::array<std::uint32_t, 2> counts{};
  for (const std::uint32_t i : group.scored()) ++counts[group[i].reward > threshold];
  return counts;
}

}  // namespace

bool is_finished(const Group& group, double threshold, StopWhen stop, std::uint32_t wanted) {
  const auto [negatives, positives] = counts_of(group, threshold);
  if (stop == StopWhen::OnePositive) return positives >= 1;
  return positives >= wanted / 2 && negatives >= wanted - wanted / 2;
}

SampledPools sampled_pools(std::span<const Group> groups, double threshold, std::uint32_t wanted) {
  SampledPools out{groups, scored_rewards(groups), {}, {}, {}};
  for (const Group& group : groups) {
    const auto counts = counts_of(group, threshold);
    out.positives.push_back(counts[1]);
    auto room = balanced_firsts(counts, wanted);
    for (const std::uint32_t i : group.scored()) {
      const PoolRow row = row_of(group[i], threshold);
      if (room[row.positive] == 0) continue;
      --room[row.positive];
      out.kept.push(i);
      out.kept_rows.push(row);
    }
    out.kept.close();
    out.kept_rows.close();
  }
  return out;
}

Ragged<WeightedAdvantage> weighted_advantages(const SampledPools& pools,
                                              const EstimateOptions& options,
                                              const AdvantageRule& rule) {
  Ragged<WeightedAdvantage> out;
  if (options.estimator != PoolEstimator::KeptNorm) {
    for (std::size_t i = 0; i < pools.groups.size(); ++i)
      add_estimates(options, pools.pool(i), pools.kept_rows[i], rule.resolution, out);
    return out;
  }
  Ragged<double> rewards;
  for (std::size_t i = 0; i < pools.groups.size(); ++i)
    pools.groups[i].add_rewards(pools.kept[i], rewards);
  const auto advantages = group_advantages(std::move(rewards), rule);
  for (std::size_t i = 0; i < advantages.size(); ++i) {
    for (const double advantage : advantages[i]) out.push({advantage});
    out.close();
  }
  return out;
}

MetricList pool_metrics(const SampledPools& pools, double threshold,
                        const Ragged<WeightedAdvantage>& estimates, StopWhen stop,
                        std::uint32_t wanted, std::uint32_t rounds) {
  std::size_t scored = 0, size = 0, used = 0, one_sided = 0;
  std::vector<std::size_t> finished(rounds, 0);  // after the last round taken
  double count[2] = {}, weight[2] = {};          // of what is trained on, by class
  for (std::size_t i = 0; i < pools.groups.size(); ++i) {
    const Group& group = pools.groups[i];
    const RewardPool pool = pools.pool(i);
    used += rounds_of(group);
    size += group.rollouts.size();
    scored += !pool.rewards.empty();
    one_sided +=
        !pool.rewards.empty() && (pool.positives == 0 || pool.positives == pool.rewards.size());
    if (is_finished(group, threshold, stop, wanted))
      ++finished[std::min(rounds_of(group), rounds) - 1];
    if (!has_signal(estimates[i])) continue;
    for (std::size_t k = 0; k < estimates[i].size(); ++k) {
      const bool positive = pools.kept_rows[i][k].positive;
      ++count[positive];
      weight[positive] += estimates[i][k].weight;
    }
  }
  MetricList metrics;
  metrics.set_share("rounds", used, pools.groups.size());
  metrics.set_share("pool_size", size, pools.groups.size());
  metrics.set_share("one_sided", one_sided, scored);
  metrics.set_share("kept_positive", count[1], count[0] + count[1]);
  metrics.set_share("weight_positive", weight[1], count[1]);
  metrics.set_share("weight_negative", weight[0], count[0]);
  std::size_t so_far = 0;
  for (std::uint32_t r = 0; r < rounds; ++r) {
    so_far += finished[r];
    metrics.set_share("finished_by_round_" + std::to_string(r + 1), so_far, pools.groups.size());
  }
  return metrics;
}

}  // namespace allot
