// The batch of a method that trains only on accepted groups and keeps what a step had no room for.
#pragma once

#include <cstdint>

#include "allot/methods/parts/acceptance.h"
#include "allot/methods/parts/advantages.h"
#include "allot/methods/parts/group_pool.h"
#include "allot/methods/parts/surplus.h"

namespace allot {

struct FilteredBatch {
  TrainBatch batch;
  std::size_t old = 0;   // groups from the surplus
  std::size_t used = 0;  // accepted groups of this step that are in the batch
  std::size_t rest = 0;  // accepted ones beyond the batch
};

enum class Rest { Hold, Discard };

// At most `wanted` groups: surplus first, oldest first, then this step's accepted groups in the
// order of planning. What is left of those is added to `surplus` and held, or discarded.
FilteredBatch filtered_batch(const GroupPool& pool, Surplus& surplus, const Acceptance& acceptance,
                             const AdvantageRule& rule, std::uint32_t wanted, Rest rest);

}  // namespace allot
