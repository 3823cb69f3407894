// What `evidence` trains on of a group: everything, or of the more frequent of two rewards only as
// many rollouts as are worth their training. (ours)
#pragma once

#include <span>

#include "allot/core/random.h"
#include "allot/core/types.h"
#include "allot/methods/parts/evidence_value.h"
#include "allot/methods/parts/tally_pool.h"

namespace allot {

struct TrainedPart {
  KeptPair pair;         // of a group with two rewards
  bool thinned = false;  // less than all
  double rollouts = 0, evidence = 0, worth = 0;
  double weight = 1;  // of its rollouts in the update
};

// `charge`: price of training one rollout, in evidence. `range_scale`: rewards whose range is 1 /
// sqrt(range_scale) count as 0 and 1. A group with more than two rewards is kept as a whole.
TrainedPart trained_part(const Tally& tally, const GroupRule& rule, double charge,
                         double range_scale);

// Adds the group's part with advantages r - mean of the part and its weight. What is left out is
// drawn uniformly, which leaves the expected direction of the update as it is.
void ship(TrainBatch& batch, const Tally& tally, const TrainedPart& part,
          std::span<const TalliedRollout> rollouts, RandomStream random);

}  // namespace allot
