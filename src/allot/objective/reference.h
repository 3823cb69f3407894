// The policy loss in double precision, as loops: the oracle of every faster form, and what
// `allot objective` prints. Source: objectives, section 1 and sections 5 to 11.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/types.h"
#include "allot/objective/loss_row.h"
#include "allot/objective/loss_sums.h"
#include "allot/objective/normalizer.h"
#include "allot/objective/options.h"
#include "allot/objective/step_terms.h"

namespace allot::objective {

struct LossResult {
  double loss = 0;              // as written (value mode)
  double coefficient_loss = 0;  // same gradient: sum of sg(gradient) logprob, + KL and entropy
  std::vector<std::vector<double>> gradient;  // dL / d logprob, per row and token
  // dL / d entropy, per row and token; no rows without a bonus.
  std::vector<std::vector<double>> entropy_gradient;
  std::vector<double> log_partition;  // dL / d log Z, per row; 0 but for flow_balance
  std::vector<ItemRatio> items;       // per row
  LossSums sums;                      // over rows with advantage and weight other than 0
};

// The loss of any part of a step: `terms` belong to these rows. Throws Error(Data) for a missing
// field, lengths that differ, and numbers that are NaN; naming the row. `entropy_coef`: c_H.
LossResult reference_loss(const LossOptions& options, std::span<const LossRow> rows,
                          std::span<const RowTerms> terms, double entropy_coef);

// The value alone, with what is detached taken from `fixed`: the same rows before a small move of
// logprob. Its central differences are the gradient of reference_loss at `fixed`.
double reference_value(const LossOptions& options, std::span<const LossRow> rows,
                       std::span<const LossRow> fixed, std::span<const RowTerms> terms);

// For losses whose tokens all count: `omega` per row from token_weights().
LossResult reference_loss(const LossOptions& options, std::span<const LossRow> rows,
                          std::span<const double> omega);

// A whole step, with its terms from the rows themselves.
LossResult reference_loss(const LossOptions& options, const Normalizer& normalizer,
                          std::span<const LossRow> rows);

}  // namespace allot::objective
