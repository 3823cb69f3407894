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
#include "allot/methods/parts/selectors.h"

namespace allot {

enum class StopWhen {
  Balanced,    // kept/2 positives and kept - kept/2 negatives
  OnePositive  // one positive
};

struct SampledPool {
  const Group* group = nullptr;
  std::vector<PoolRow> rows;       // all scored rollouts, in issue order
  Positions kept;                  // in group->rollouts
  std::vector<PoolRow> kept_rows;  // of `kept`
};

// Has what `stop` asks for; a group without a scored rollout never has.
bool is_finished(const Group& group, double threshold, StopWhen stop, std::uint32_t wanted);

// A rollout is positive if its reward is above `threshold`. The first wanted/2 positives and the
// first negatives are kept, a side that is too short filled from the other. That is the released
// rule for finished and unfinished prompts alike: what differs there between the two is only how a
// shortfall is described.
SampledPool sampled_pool(const Group& group, double threshold, std::uint32_t wanted);

// Of the kept rollouts of each pool, by `options`; KeptNorm is `rule` over the kept rollouts.
std::vector<std::vector<WeightedAdvantage>> weighted_advantages(std::span<const SampledPool> pools,
                                                                const EstimateOptions& options,
                                                                const AdvantageRule& rule);

// Adds `kept` (positions in `group.rollouts`) as one group. Nothing is added without a signal.
// Returns the number of items.
std::uint32_t ship(TrainBatch& batch, const Group& group, std::span<const std::uint32_t> kept,
                   std::span<const WeightedAdvantage> estimates);

// rounds and pool_size per prompt, finished_by_round_1 .. _`rounds`, one_sided (share of pools with
// a score that lack positives or negatives), kept_positive, weight_positive and weight_negative
// (means over what is trained on).
MetricList pool_metrics(std::span<const SampledPool> pools, double threshold,
                        const std::vector<std::vector<WeightedAdvantage>>& estimates, StopWhen stop,
                        std::uint32_t wanted, std::uint32_t rounds);

}  // namespace allot
