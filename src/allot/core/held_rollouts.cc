#include "allot/core/held_rollouts.h"

namespace allot {

const HeldRollout* HeldRollouts::find(RolloutId id) const {
  const auto found = held_.find(id);
  return found == held_.end() ? nullptr : &found->second;
}

void HeldRollouts::mark_trained(RolloutId id) {
  const auto found = held_.find(id);
  if (found != held_.end()) found->second.trained = true;
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
