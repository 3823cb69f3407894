// VIP's split of a step: the variance of the gradient estimate, as it depends on the rollouts of a
// prompt with pass rate p, made small. Source: arXiv 2602.01601, its independence assumption 4.1.
#pragma once

#include <cstdint>

namespace allot {

enum class VarianceRule { Rloo, DrGrpo };

// f(n) over the common 4 sigma^2 p (1 - p): 1 / (n - 1) for leave-one-out, (n - 1) / n^2 for the
// plain mean baseline.
double estimator_variance(VarianceRule rule, double n);

// From here on f falls ever more slowly, so that the heap is optimal: 2 and 3. (Dr.GRPO's f rises
// from 1 to 2 and is convex from 3 on.)
std::uint32_t least_rollouts(VarianceRule rule);

// p (1 - p) with p kept within [1e-6, 1 - 1e-6].
double reward_spread(double p);

// What the n-th rollout takes off: spread * (f(n - 1) - f(n)), n > least_rollouts.
double variance_gain(VarianceRule rule, double spread, std::uint32_t n);

}  // namespace allot
