#include "allot/methods/parts/group_loss.h"

#include <algorithm>

namespace allot {

void GroupLoss::apply(TrainBatch& batch) const {
  batch.norm = norm == GroupedNorm::PerToken ? Norm::PerToken : Norm::PerGroup;
  if (advantage_clip <= 0) return;
  const auto most = static_cast<float>(advantage_clip);
  for (TrainItem& item : batch.items) item.advantage = std::clamp(item.advantage, -most, most);
}

}  // namespace allot
