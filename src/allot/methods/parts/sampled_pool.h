// A prompt's pool of scored rollouts and the balanced few of it that are trained on
// (Reinforce-Ada).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/types.h"
#include "allot/methods/parts/advantages.h"
#include "allot/methods/parts/group_pool.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/pool_estimators.h"
#include "allot/methods/parts/ragged.h"

namespace allot {

enum class StopWhen {
  Balanced,    // kept/2 positives and kept - kept/2 negatives
  OnePositive  // one positive
};

// The pools of a step; list i belongs to groups[i].
struct SampledPools {
  std::span<const Group> groups;
  Ragged<double> rewards;  // of all scored rollouts, in issue order
  std::vector<std::uint32_t> positives;
  Ragged<std::uint32_t> kept;  // positions in the group
  Ragged<PoolRow> kept_rows;   // of `kept`

  RewardPool pool(std::size_t i) const { return {rewards[i], positives[i]}; }
};

// Has what `stop` asks for; a group without a scored rollout never has.
bool is_finished(const Group& group, double threshold, StopWhen stop, std::uint32_t wanted);

// A rollout is positive if its reward is above `threshold`. The first wanted/2 positives and the
// first negatives are kept, a side that is too short filled from the other. That is the released
// rule for finished and unfinished prompts alike: what differs there between the two is only how a
// shortfall is described.
SampledPools sampled_pools(std::span<const Group> groups, double threshold, std::uint32_t wanted);

// Of the kept rollouts of each pool, by `options`; KeptNorm is `rule` over the kept rollouts.
Ragged<WeightedAdvantage> weighted_advantages(const SampledPools& pools,
                                              const EstimateOptions& options,
                                              const AdvantageRule& rule);

// rounds and pool_size per prompt, finished_by_round_1 .. _`rounds`, one_sided (share of pools with
// a score that lack positives or negatives), kept_positive, weight_positive and weight_negative
// (means over what is trained on).
MetricList pool_metrics(const SampledPools& pools, double threshold,
                        const Ragged<WeightedAdvantage>& estimates, StopWhen stop,
                        std::uint32_t wanted, std::uint32_t rounds);

}  // namespace allot
