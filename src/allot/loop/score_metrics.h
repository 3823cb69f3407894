// What the verifier gave and how long it took, of the rollouts of one step.
//
// reward/{fn}/{mean,std}: of each reward function, over the rollouts it had a value for; population
// deviation. verifier/p99_us: time of the 99th of 100 rollouts in microseconds, where the verifier
// measures it. verifier/{unparseable,limit}: of the rollouts without a readable answer, those whose
// reason begins so (the math verifier's), where there are any. Names: conventions, section 5. What
// does not apply is absent.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "allot/loop/rollout_store.h"

namespace allot {

// `functions` as Verifier::part_names(): with one name, its value is the reward.
std::vector<Metric> score_metrics(const RolloutStore& store, std::span<const RolloutId> generated,
                                  std::span<const std::string> functions);

}  // namespace allot
