#include "allot/methods/parts/sampled_pool.h"

#include <algorithm>
#include <string>

#include "allot/methods/parts/batch_builder.h"

namespace allot {
namespace {

PoolRow row_of(const Outcome& outcome, double threshold) {
  return {outcome.reward, outcome.reward > threshold};
}

std::uint32_t rounds_of(const Group& group) {
  return group.rollouts.empty() ? 0 : group.rollouts.back().record.round + 1;
}

bool any_signal(std::span<const WeightedAdvantage> estimates) {
  return std::any_of(estimates.begin(), estimates.end(),
                     [](const WeightedAdvantage& a) { return a.advantage != 0; });
}

}  // namespace

bool is_finished(const Group& group, double threshold, StopWhen stop, std::uint32_t wanted) {
  std::uint32_t count[2] = {};  // of negatives, positives
  for (const std::uint32_t i : group.scored()) ++count[group[i].reward > threshold];
  if (stop == StopWhen::OnePositive) return count[1] >= 1;
  return count[1] >= wanted / 2 && count[0] >= wanted - wanted / 2;
}

SampledPool sampled_pool(const Group& group, double threshold, std::uint32_t wanted) {
  SampledPool out;
  out.group = &group;
  Positions positive, negative;
  const std::uint32_t n = group.scored_count();
  out.rows.reserve(n), positive.reserve(n), negative.reserve(n);
  for (const std::uint32_t i : group.scored()) {
    out.rows.push_back(row_of(group[i], threshold));
    (out.rows.back().positive ? positive : negative).push_back(i);
  }
  out.kept = balanced_firsts(positive, negative, wanted);
  out.kept_rows.reserve(out.kept.size());
  for (const std::uint32_t i : out.kept) out.kept_rows.push_back(row_of(group[i], threshold));
  return out;
}

std::vector<std::vector<WeightedAdvantage>> weighted_advantages(std::span<const SampledPool> pools,
                                                                const EstimateOptions& options,
                                                                const AdvantageRule& rule) {
  std::vector<std::vector<WeightedAdvantage>> out;
  Ragged<double> rewards;
  for (const SampledPool& pool : pools) {
    out.push_back(estimate(options, pool.rows, pool.kept_rows, rule.resolution));
    pool.group->add_rewards(pool.kept, rewards);
  }
  if (options.estimator != PoolEstimator::KeptNorm) return out;
  const auto advantages = group_advantages(rewards, rule);
  for (std::size_t i = 0; i < out.size(); ++i)
    for (std::size_t k = 0; k < out[i].size(); ++k) out[i][k] = {advantages[i][k], 1};
  return out;
}

std::uint32_t ship(TrainBatch& batch, const Group& group, std::span<const std::uint32_t> kept,
                   std::span<const WeightedAdvantage> estimates) {
  if (!any_signal(estimates)) return 0;
  std::vector<double> advantages;
  advantages.reserve(estimates.size());
  for (const WeightedAdvantage& a : estimates) advantages.push_back(a.advantage);
  const std::uint32_t n = ship(batch, group, kept, advantages);
  for (std::uint32_t i = 0; i < n; ++i)
    items_of(batch, batch.groups.back())[i].weight = static_cast<float>(estimates[i].weight);
  return n;
}

MetricList pool_metrics(std::span<const SampledPool> pools, double threshold,
                        const std::vector<std::vector<WeightedAdvantage>>& estimates, StopWhen stop,
                        std::uint32_t wanted, std::uint32_t rounds) {
  std::size_t scored = 0, size = 0, used = 0, one_sided = 0;
  std::vector<std::size_t> finished(rounds, 0);  // after the last round taken
  double count[2] = {}, weight[2] = {};          // of what is trained on, by class
  for (std::size_t i = 0; i < pools.size(); ++i) {
    const SampledPool& pool = pools[i];
    const double share = positive_share(pool.rows);
    used += rounds_of(*pool.group);
    size += pool.group->rollouts.size();
    scored += !pool.rows.empty();
    one_sided += !pool.rows.empty() && (share == 0 || share == 1);
    if (is_finished(*pool.group, threshold, stop, wanted))
      ++finished[std::min(rounds_of(*pool.group), rounds) - 1];
    if (!any_signal(estimates[i])) continue;
    for (std::size_t k = 0; k < estimates[i].size(); ++k) {
      ++count[pool.kept_rows[k].positive];
      weight[pool.kept_rows[k].positive] += estimates[i][k].weight;
    }
  }
  MetricList metrics;
  metrics.set_share("rounds", used, pools.size());
  metrics.set_share("pool_size", size, pools.size());
  metrics.set_share("one_sided", one_sided, scored);
  metrics.set_share("kept_positive", count[1], count[0] + count[1]);
  metrics.set_share("weight_positive", weight[1], count[1]);
  metrics.set_share("weight_negative", weight[0], count[0]);
  std::size_t so_far = 0;
  for (std::uint32_t r = 0; r < rounds; ++r) {
    so_far += finished[r];
    metrics.set_share("finished_by_round_" + std::to_string(r + 1), so_far, pools.size());
  }
  return metrics;
}

}  // namespace allot
