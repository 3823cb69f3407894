#include "allot/core/held_rollouts.h"

namespace allot {

void HeldRollouts::mark_trained(RolloutId id) {
  if (HeldRollout* rollout = held_.find(id)) rollout->trained = true;
}

Amount HeldRollouts::drop(std::span<const RolloutId> ids) {
  Amount untrained;
  for (const RolloutId id : ids) {
    const HeldRollout* rollout = find(id);
    if (!rollout) continue;
    if (!rollout->trained) untrained.add(1, rollout->tokens);
    held_.erase(id);
  }
  return untrained;
}

}  // namespace allot
