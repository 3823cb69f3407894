// The gradients of single groups, for methods that ask how much prompts and rollouts differ
// (core/types.h, TrainBatch::probe).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "allot/core/types.h"
#include "allot/lm/model.h"
#include "allot/local/policy_gradient.h"
#include "allot/local/train_rows.h"

namespace allot {

struct ProbedGradients {
  GradientProbe probe;
  std::uint64_t positions = 0;  // run forward and backward
};

// What the weights' gradients are to what is trained, say an adapter.
using GradientView = std::function<std::vector<at::Tensor>(std::vector<at::Tensor>)>;

// Of the groups at `places`: the gradient of sum A log-probability, to which every loss without
// further terms comes down where its ratios are 1. Every half is a pass of its own, beside the
// update; rows' weights are left out. `view`, if any, is applied to every half's gradient.
ProbedGradients probe_gradients(const lm::Model& model, const TrainRows& rows,
                                std::span<const std::uint32_t> places, Version version,
                                const PolicyGradientSettings& settings,
                                const GradientView& view = {});

}  // namespace allot
