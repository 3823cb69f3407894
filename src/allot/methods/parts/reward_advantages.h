// From the rewards of a step to one advantage per rollout, for rewards with several components and
// with gaps: cleaning, aggregation (GDPO, arXiv 2601.05242), the estimators of adv.*.
//
// A row without any finite component of non-zero weight is not scorable: advantage 0, in no
// moment. A row with some counts the finite ones. Source: objectives, sections 4.1 to 4.3.
#pragma once

#include "allot/core/scalar_advantages.h"
#include "allot/methods/parts/advantages.h"

namespace allot {

// `options` outlive nothing: they are copied. Throws Error(Config) where adv.reward_weights and the
// rewards have different numbers of components (when it is called), Error(Data) for rewards that
// are infinite.
ScalarEstimator reward_estimator(const AdvantageOptions& options);

}  // namespace allot
