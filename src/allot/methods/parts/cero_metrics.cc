#include "allot/methods/parts/cero_metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "allot/core/error.h"
#include "allot/methods/parts/calibration.h"

namespace allot {
namespace {

// The least number of units that `share` of the pool does not exceed.
double quantile(const std::vector<std::uint64_t>& histogram, double share, double prompts) {
  double seen = 0;
  for (std::size_t units = 0; units < histogram.size(); ++units) {
    seen += static_cast<double>(histogram[units]);
    if (seen >= share * prompts) return static_cast<double>(units);
  }
  return 0;
}

}  // namespace

MetricList cero_round_metrics(const CeroPool& pool, std::span<const CeroVisit> visits,
                              const GroupPool& groups) {
  std::array<double, CeroPool::kBins> chosen{};
  std::vector<Prediction> predictions;
  double executed = 0, rate = 0, predicted = 0, observed = 0, measured = 0;
  for (const CeroVisit& visit : visits) {
    if (visit.executed == 0) continue;
    const CeroRecord& record = *pool.find(visit.prompt);
    ++executed;
    ++chosen[CeroPool::bin_of(record.belief)];
    rate += record.belief.mean();
    predicted += record.belief.reward_variance();
    const double right = visit.right, n = right + visit.wrong;
    predictions.push_back({record.belief.mean(), right, n});
    if (n < 2) continue;
    ++measured;
    observed += right * visit.wrong / (n * (n - 1));
  }
  MetricList metrics;
  set_calibration(metrics, predictions);
  metrics.set_share("selected_p_mean", rate, executed);
  metrics.set_share("predicted_variance", predicted, executed);
  metrics.set_share("observed_variance", observed, measured);
  metrics.set_share("share_mixed",
                    std::count_if(groups.groups().begin(), groups.groups().end(),
                                  [](const Group& group) {
                                    const std::uint32_t right = group.correct_count();
                                    return right > 0 && right < group.scored_count();
                                  }),
                    executed);
  const double prompts = static_cast<double>(
      std::accumulate(pool.bins().begin(), pool.bins().end(), std::uint64_t{0}));
  for (std::size_t bin = 0; bin < chosen.size() && executed > 0; ++bin)
    metrics.set_share(concat("lift_", 100 * bin / CeroPool::kBins), chosen[bin] / executed,
                      static_cast<double>(pool.bins()[bin]) / prompts);
  return metrics;
}

void set_pool_metrics(MetricList& metrics, const CeroPool::Summary& summary,
                      const CeroScale& scale) {
  metrics.set("vartheta_mean", summary.slope_mean);
  metrics.set("vartheta_max", summary.slope_max);
  metrics.set_share("tied_share", summary.tied, scale.prompts);
  for (const int percent : {10, 50, 90})
    metrics.set_share(concat("exposure_q", percent),
                      quantile(summary.units, percent / 100., scale.prompts), scale.equal_share());
  constexpr std::size_t kMost = 8;
  std::array<std::uint64_t, kMost + 1> visits{};
  for (std::size_t units = 0; units < summary.units.size(); ++units) {
    const auto groups =
        static_cast<std::size_t>(std::ceil(static_cast<double>(units) / scale.per_prompt));
    visits[std::min(kMost, groups)] += summary.units[units];
  }
  for (std::size_t n = 0; n <= kMost; ++n)
    metrics.set_share(n < kMost ? concat("visits_hist/", n) : concat("visits_hist/", n, "_up"),
                      visits[n], scale.prompts);
}

}  // namespace allot
