// What a step kept for later, gave back, and took from earlier steps: for methods that hold
// rollouts.
//
// alloc/{evicted,surplus_kept,surplus_expired}: held rollouts that the store had to give up before
// the step; rollouts held from it on; held ones given back without being trained on in it.
// replay/{rows,age_mean,ratio_mean}: items of earlier steps that were trained on, their mean age in
// steps, and their mean importance ratio. Names: conventions, section 5.
#pragma once

#include <cstdint>
#include <vector>

#include "allot/core/types.h"
#include "allot/loop/rollout_store.h"

namespace allot {

// Before RolloutStore::end_step. replay/{age_mean,ratio_mean} are absent without such rows.
std::vector<Metric> held_metrics(std::uint64_t step, const TrainBatch& batch,
                                 const Feedback& feedback, const RolloutStore& store,
                                 std::size_t evicted);

}  // namespace allot
