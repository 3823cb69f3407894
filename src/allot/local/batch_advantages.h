// Advantages of a batch from its rewards, by an estimator that stands in for the allocation
// method's own (core/scalar_advantages.h).
#pragma once

#include <vector>

#include "allot/core/scalar_advantages.h"
#include "allot/local/train_rows.h"
#include "allot/objective/options.h"

namespace allot {

// Sets advantage and token_advantage of all rows. Rewards are the components that the verifier
// gave, or the reward itself. A KL in the reward reads TrainRow::old and reference, which every row
// with tokens must have. Returns the estimator's metrics.
std::vector<Metric> estimate_advantages(const objective::LossOptions& loss,
                                        const ScalarEstimator& estimator, TrainRows& rows);

}  // namespace allot
