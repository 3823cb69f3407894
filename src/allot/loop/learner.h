// What learns from a batch: one of the five interfaces of the training step.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "allot/core/types.h"
#include "allot/loop/rollout_store.h"

namespace allot {

// What was really computed since construction.
struct LearnerCost {
  std::uint64_t trained = 0;  // positions (prompt and response rows) run forward and backward
  std::uint64_t scored = 0;   // positions run forward only, e.g. for anchor log-probabilities
};

class Learner {
 public:
  virtual ~Learner() = default;

  // One or more optimizer updates; `batch` is not empty. Items name rollouts of `store`.
  // Feedback::step is filled in by the caller.
  virtual Feedback update(const TrainBatch& batch, const RolloutStore& store) = 0;

  virtual Version version() const = 0;  // updates applied so far
  virtual LearnerCost cost() const = 0;
  // Of the last update: loss/*, policy/*, optim/*, mismatch/*.
  virtual std::vector<Metric> metrics() const = 0;
};

}  // namespace allot
