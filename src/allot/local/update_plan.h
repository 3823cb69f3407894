// One optimizer update over rows that are normalised together: which of them are computed, and what
// the denominators count.
#pragma once

#include <cstdint>
#include <vector>

#include "allot/local/train_rows.h"
#include "allot/objective/normalizer.h"
#include "allot/objective/options.h"

namespace allot {

struct UpdatePlan {
  std::vector<std::uint32_t> counted;   // all rows with tokens, ascending
  std::vector<std::uint32_t> computed;  // those that a gradient may come from, ascending
  objective::Normalizer normalizer;
  objective::GlobalCounts counts;  // of losses that do not need the whole step (step_terms.h)
};

// A policy gradient, or a KL or entropy term that all rows have.
bool trains(const objective::LossOptions& loss, const TrainRow& row);

// Of the rows in `range`. `normalizer`: for these rows. `loss` expanded.
UpdatePlan plan_update(const TrainRows& rows, const RowRange& range,
                       const objective::Normalizer& normalizer, const objective::LossOptions& loss);

}  // namespace allot
