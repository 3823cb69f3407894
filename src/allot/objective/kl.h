// KL to the reference policy: estimators of one token and their gradient. d = log pi - log ref,
// kept within +-20. Source: objectives, section 9.1; Schulman, "Approximating KL divergence".
#pragma once

#include <span>

#include "allot/objective/options.h"

namespace allot::objective {

struct KlTerm {
  double value = 0;
  double coefficient = 0;  // d value / d log pi
};

// k1 d, abs |d|, k2 d^2/2, k3 exp(-d) - 1 + d. straight_through: coefficient d.
// importance_weighted: k3 times `ratio`, which carries a gradient: coefficient ratio d.
KlTerm kl_term(const KlOptions& options, double difference, double ratio);

// Value with the detached parts taken at `fixed` (the same token before a small move): what
// central differences of the value differentiate.
double kl_value(const KlOptions& options, double difference, double fixed, double ratio);

// KL taken from the reward: the k1 of each token, log old - log ref.
double k1(double difference);

}  // namespace allot::objective
