// How well believed pass rates agree with what was then seen, as metrics.
#pragma once

#include <span>

#include "allot/methods/parts/metric_list.h"

namespace allot {

// One prompt: its pass rate as believed before the rollouts, and its first-round verdicts.
struct Prediction {
  double rate = 0;
  double right = 0, n = 0;
};

// belief/brier: mean over rollouts of (rate - verdict)^2. belief/calib_bins/{0..4}: share of right
// rollouts among prompts with a believed rate in [k/5, (k+1)/5).
// Bins and means of nothing are absent.
void set_calibration(MetricList& metrics, std::span<const Prediction> predictions);

}  // namespace allot
