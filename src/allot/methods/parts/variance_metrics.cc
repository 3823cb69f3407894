#include "allot/methods/parts/variance_metrics.h"

#include <cmath>
#include <vector>

#include "allot/methods/parts/advantages.h"
#include "allot/methods/parts/calibration.h"

namespace allot {

void set_variance_metrics(MetricList& metrics, VarianceRule rule, std::span<const Group> groups,
                          std::span<const double> predicted) {
  double requested = 0, spread = 0, wrong_by = 0, split = 0, uniform = 0;
  for (const Group& group : groups) requested += group.requested;
  const double mean_n = groups.empty() ? 0 : requested / static_cast<double>(groups.size());
  std::vector<double> believed, measured;
  std::vector<Prediction> predictions;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const double n = groups[i].scored_count(), right = groups[i].correct_count();
    spread += reward_spread(predicted[i]);
    if (n == 0) continue;
    believed.push_back(predicted[i]);
    measured.push_back(right / n);
    wrong_by += std::abs(predicted[i] - right / n);
    predictions.push_back({predicted[i], right, n});
    if (n < 2) continue;
    const double variance = right * (n - right) / (n * (n - 1));
    split += variance * estimator_variance(rule, groups[i].requested);
    uniform += variance * estimator_variance(rule, mean_n);
  }
  set_calibration(metrics, predictions);
  metrics.set_share("predicted_var", spread, groups.size());
  metrics.set_share("mae_pred", wrong_by, measured.size());
  metrics.set_share("realised_ratio_vs_uniform", split, uniform);
  const double deviations = standard_deviation(believed, 0) * standard_deviation(measured, 0);
  if (believed.size() < 3 || deviations <= 0) return;
  const double x = mean_of(believed), y = mean_of(measured);
  double together = 0;
  for (std::size_t i = 0; i < believed.size(); ++i)
    together += (believed[i] - x) * (measured[i] - y);
  metrics.set("corr_pred_acc", together / (static_cast<double>(believed.size()) * deviations));
}

}  // namespace allot
