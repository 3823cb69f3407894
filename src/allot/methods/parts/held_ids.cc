#include "allot/methods/parts/held_ids.h"

#include <algorithm>
#include <iterator>

namespace allot {

void HeldIds::lose(std::span<const RolloutId> lost) {
  std::erase_if(
      held_, [&](RolloutId id) { return std::find(lost.begin(), lost.end(), id) != lost.end(); });
}

void HeldIds::update(std::vector<RolloutId> needed, TrainBatch& batch) {
  std::sort(needed.begin(), needed.end());
  std::set_difference(needed.begin(), needed.end(), held_.begin(), held_.end(),
                      std::back_inserter(batch.hold));
  std::set_difference(held_.begin(), held_.end(), needed.begin(), needed.end(),
                      std::back_inserter(batch.release));
  held_ = std::move(needed);
}

}  // namespace allot
