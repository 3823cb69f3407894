#include "allot/methods/parts/variance_split.h"

#include <algorithm>

namespace allot {

double estimator_variance(VarianceRule rule, double n) {
  return rule == VarianceRule::Rloo ? 1 / (n - 1) : (n - 1) / (n * n);
}

std::uint32_t least_rollouts(VarianceRule rule) { return rule == VarianceRule::Rloo ? 2 : 3; }

double reward_spread(double p) {
  const double inside = std::clamp(p, 1e-6, 1 - 1e-6);
  return inside * (1 - inside);
}

double variance_gain(VarianceRule rule, double spread, std::uint32_t n) {
  return spread * (estimator_variance(rule, n - 1.0) - estimator_variance(rule, n));
}

}  // namespace allot
