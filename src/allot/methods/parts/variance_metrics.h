// How good VIP's predictions were, and what its split was worth.
#pragma once

#include <span>

#include "allot/methods/parts/group_pool.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/variance_split.h"

namespace allot {

// `predicted`: pass rates, parallel to `groups`. Sets predicted_var (mean of p (1 - p)), mae_pred
// and corr_pred_acc (against the measured pass rates; the latter from three prompts on, if both
// vary), and realised_ratio_vs_uniform: the sum of measured variances (ddof 1) times f(n) over that
// with the mean n for every prompt.
void set_variance_metrics(MetricList& metrics, VarianceRule rule, std::span<const Group> groups,
                          std::span<const double> predicted);

}  // namespace allot
