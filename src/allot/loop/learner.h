// What learns from a batch: one of the five interfaces of the training step.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "allot/core/types.h"
#include "allot/loop/rollout_store.h"

namespace allot {

class Learner {
 public:
  virtual ~Learner() = default;

  // One or more optimizer updates; `batch` is not empty. Items name rollouts of `store`.
  // Feedback::step is filled in by the caller.
  virtual Feedback update(const TrainBatch& batch, const RolloutStore& store) = 0;

  virtual Version version() const = 0;  // updates applied so far
  // Of the last update: loss/*, policy/*, optim/*, "train/positions" (positions really computed
  // with gradient), "train/updates".
  virtual std::vector<Metric> metrics() const = 0;
};

}  // namespace allot
