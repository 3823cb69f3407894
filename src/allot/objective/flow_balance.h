// Flow balance (FlowRL, arXiv 2509.15207), the one loss that is no surrogate of a ratio:
//
//   delta_i = log Z + mean_t log pi - beta Rhat_i - mean_t log ref
//   L       = (1/B) sum_i w_i delta_i^2,     w_i = sg[clip(prod_t r, 1 - clip_low, 1 + clip_high)]
//
// Rhat is the row's advantage. The published code multiplies by the unclipped product; this follows
// the paper. Source: objectives, section 11.
#pragma once

#include <cstddef>
#include <span>

#include "allot/objective/loss_row.h"
#include "allot/objective/options.h"

namespace allot::objective {

struct FlowTerm {
  double weight = 1;  // w
  double delta = 0;
  double value = 0;          // w delta^2
  double per_token = 0;      // d value / d logprob of one token with mask 1
  double log_partition = 0;  // d value / d log Z
};

// `log_ratios`: of the weight anchor, detached. `mask`: trained tokens. Zero for a row without any.
FlowTerm flow_term(const LossOptions& options, const LossRow& row, std::size_t index,
                   std::span<const double> logprob, std::span<const double> log_ratios,
                   std::span<const double> mask);

}  // namespace allot::objective
