// Rows of a batch as the loss sees them (objective/loss_row.h), once a policy has scored them.
#pragma once

#include <vector>

#include "allot/local/row_scores.h"
#include "allot/local/train_rows.h"
#include "allot/objective/loss_row.h"

namespace allot {

// What the current policy makes of the row's tokens in the pass that has gradients.
objective::LossRow loss_row(const TrainRow& row, std::vector<double> logprob,
                            std::vector<double> entropy);

// With everything that masks may ask of the current policy: lists of likely tokens, those of
// TrainRow::top or else its own likeliest, and what `score` has of hidden states.
objective::LossRow loss_row(const TrainRow& row, RowScore score);

}  // namespace allot
