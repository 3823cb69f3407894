#include "allot/methods/parts/trained_part.h"

#include <algorithm>

namespace allot {

TrainedPart trained_part(const Tally& tally, const GroupRule& rule, double charge,
                         double range_scale) {
  TrainedPart part{.rollouts = static_cast<double>(tally.scored)};
  double x = tally.squared_deviations() * range_scale;  // of 0 and 1 exactly m (N - m) / N
  if (rule.keep == Keep::Worth && tally.has_two_rewards()) {
    const double scale = tally.range() * tally.range() * range_scale;  // 1 for 0 and 1
    const GroupRule scaled{rule.keep, rule.prompt_noise * scale};
    part.pair = PairKeeper(scaled, charge / scale).of(tally.at_low, tally.at_high);
    part.rollouts = part.pair.rollouts();
    part.thinned = part.rollouts < tally.scored;
    if (part.thinned) x = part.pair.x() * scale;
  }
  part.weight = rule.weight(x);
  part.evidence = x * part.weight;
  part.worth = group_worth(part.evidence, part.rollouts, charge);
  return part;
}

void ship(TrainBatch& batch, const Tally& tally, const TrainedPart& part,
          std::span<const TalliedRollout> rollouts, RandomStream random) {
  const bool low_is_rarer = tally.at_low <= tally.at_high;
  const double rarer = low_is_rarer ? tally.reward_low : tally.reward_high;
  const double frequent = low_is_rarer ? tally.reward_high : tally.reward_low;
  const KeptPair& pair = part.pair;
  const double mean = part.thinned ? (pair.rarer * rarer + pair.frequent * frequent) / part.rollouts
                                   : tally.mean_reward();
  TrainGroup group{tally.prompt, static_cast<std::uint32_t>(batch.items.size())};
  group.pool_n = tally.scored;
  group.pool_mean = static_cast<float>(tally.mean_reward());
  double wanted = pair.frequent, ahead = std::max(tally.at_low, tally.at_high);
  for (const TalliedRollout& rollout : rollouts) {
    if (part.thinned && rollout.reward == static_cast<float>(frequent)) {
      const bool taken = random.uniform() * ahead < wanted;  // a uniform choice, one by one
      --ahead;
      if (!taken) continue;
      --wanted;
    }
    batch.items.push_back(
        {rollout.id, static_cast<float>(rollout.reward - mean), static_cast<float>(part.weight)});
    ++group.count;
  }
  batch.groups.push_back(group);
}

}  // namespace allot
