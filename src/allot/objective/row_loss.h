// The policy term of one response: value as written, and its derivative by each token's
// log-probability. Source: objectives, sections 5 and 6.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "allot/objective/loss_row.h"
#include "allot/objective/loss_sums.h"
#include "allot/objective/options.h"
#include "allot/objective/step_terms.h"

namespace allot::objective {

// One row with what does not change while its log-probabilities are moved.
struct RowView {
  const LossOptions& options;  // expanded
  const LossRow& row;          // what is detached comes from here
  const RowTerms& terms;
  std::size_t index = 0;

  // omega v k b m of token t.
  double scale(std::size_t t) const {
    return terms.omega * row.weight * terms.mask[t] * terms.factor[t];
  }
};

// - sum_t scale A f(r), with the gradient-carrying log-probabilities `logprob`.
double policy_value(const RowView& view, std::span<const double> logprob);

struct PolicyGradient {
  std::vector<double> gradient;  // by token
  LossSums sums;                 // of the tokens that count; no losses
  ItemRatio item;
};
PolicyGradient policy_gradient(const RowView& view);

}  // namespace allot::objective
