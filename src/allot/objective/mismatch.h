// The weight b that corrects the difference between the policy before the updates and the one that
// sampled, as its engine computed it: rho = old / rollout (TIS, IcePop, MIS and their forms by
// sequence), and rejection by a statistic of rho. Source: objectives, section 8.
#pragma once

#include <span>
#include <vector>

#include "allot/objective/options.h"

namespace allot::objective {

// b of each token; `log_rho` clamped. A response without trained tokens gets ones.
std::vector<double> mismatch_weights(const MismatchOptions& options,
                                     std::span<const double> log_rho, std::span<const double> mask);

// 1 where the statistic lies within the bounds. `compat`: verl tests k1 on -log rho.
std::vector<double> rejection_mask(const RejectionOptions& options, Compat compat,
                                   std::span<const double> log_rho, std::span<const double> mask);

}  // namespace allot::objective
