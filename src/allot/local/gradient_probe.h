// The gradients of single groups, for methods that ask how much prompts and rollouts differ
// (core/types.h, TrainBatch::probe).
#pragma once

#include <cstdint>
#include <span>

#include "allot/core/types.h"
#include "allot/lm/model.h"
#include "allot/local/policy_gradient.h"
#include "allot/local/train_rows.h"

namespace allot {

struct ProbedGradients {
  GradientProbe probe;
  std::uint64_t positions = 0;  // run forward and backward
};

// Of the groups at `places`. Every half is a pass of its own, beside the update; rows' weights are
// left out. At the current weights the ratio is 1, so that the loss's gradient is that of sum A
// log-probability for every loss without further terms.
ProbedGradients probe_gradients(const lm::Model& model, const TrainRows& rows,
                                std::span<const std::uint32_t> places, Version version,
                                const PolicyGradientSettings& settings);

}  // namespace allot
