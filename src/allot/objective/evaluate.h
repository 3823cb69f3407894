// A whole step from rewards to gradient, in double precision: what `allot objective` and the
// Python function allot.objective.evaluate print. Source: objectives, sections 2 and 4 to 11.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "allot/core/scalar_advantages.h"
#include "allot/objective/reference.h"

namespace allot::objective {

struct Step {
  std::vector<LossRow> rows;
  std::vector<std::vector<double>> rewards;  // [rows][components]; empty: advantages as given
  std::uint64_t seed = 0, step = 0;          // of the draws of obrs
};

struct Evaluation {
  std::vector<std::vector<double>> advantages;  // by token
  std::vector<bool> scorable;
  std::vector<RowTerms> terms;
  LossResult loss;
  std::vector<Metric> metrics;
};

// `options` as they were given, not expanded; loss.aggregation `method` means token_mean here.
// Throws Error(Config) for contradicting options, Error(Data) for rows that lack what they need.
Evaluation evaluate(const LossOptions& options, const ScalarEstimator& estimator, Step step);

// Sets advantage, token_advantage and scorable of all rows from `step.rewards`, less the KL of
// loss.kl.placement in_reward. Returns the estimator's metrics. Errors as above.
std::vector<Metric> estimate_advantages(const LossOptions& options,
                                        const ScalarEstimator& estimator, Step& step);

// Section 16 of the objectives: policy/*, loss/*, kl/*, train/tokens. Losses are means over the
// `updates` that the sums are of.
std::vector<Metric> loss_metrics(const LossOptions& options, const LossSums& sums,
                                 double updates = 1);

// The options with the preset's aggregation, which applies where nobody else has one.
LossOptions whole_preset(LossOptions options);

}  // namespace allot::objective
