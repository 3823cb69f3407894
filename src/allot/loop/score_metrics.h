// What the verifier gave and how long it took, of the rollouts of one step.
//
// reward/{fn}/{mean,std}: of each reward function, over the rollouts it had a value for; population
// deviation. verifier/{p50,p99}_{us,steps}: microseconds, and steps of the work budget, of the 50th
// and the 99th of 100 rollouts, where the verifier measures them. verifier/MARK: rollouts with that
// mark (Verifier::mark_names()), where there are any; for the math verifier these are statuses,
// tiers and flags. Names: conventions, section 5. What does not apply is absent.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "allot/loop/rollout_store.h"

namespace allot {

// `functions` as Verifier::part_names(): with one name, its value is the reward. `marks` as
// Verifier::mark_names().
std::vector<Metric> score_metrics(const RolloutStore& store, std::span<const RolloutId> generated,
                                  std::span<const std::string> functions,
                                  std::span<const std::string> marks);

}  // namespace allot
