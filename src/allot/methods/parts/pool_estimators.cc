#include "allot/methods/parts/pool_estimators.h"

#include <algorithm>
#include <cmath>

#include "allot/core/error.h"
#include "allot/methods/parts/advantages.h"

namespace allot {
namespace {

std::vector<double> rewards_of(std::span<const PoolRow> rows) {
  std::vector<double> rewards;
  rewards.reserve(rows.size());
  for (const PoolRow& row : rows) rewards.push_back(row.reward);
  return rewards;
}

double log_fix(double p, double right_per_wrong, bool positive) {
  if (p <= 0.5) return positive ? 1 - p * p / (1 - p) : -p * right_per_wrong;
  return positive ? 1 - p : -(1 - p) * right_per_wrong;
}

}  // namespace

double positive_share(std::span<const PoolRow> rows) {
  const auto positives =
      std::count_if(rows.begin(), rows.end(), [](const PoolRow& row) { return row.positive; });
  return rows.empty() ? 0 : static_cast<double>(positives) / static_cast<double>(rows.size());
}

std::vector<WeightedAdvantage> pool_advantages(PoolEstimator estimator,
                                               std::span<const PoolRow> pool,
                                               std::span<const PoolRow> kept, double resolution) {
  std::vector<WeightedAdvantage> out(kept.size());
  const std::vector<double> rewards = rewards_of(pool);
  if (degenerate(rewards, resolution)) return out;
  const double mean = mean_of(rewards), p = positive_share(pool), share = positive_share(kept);
  const bool both = share > 0 && share < 1;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const bool positive = kept[i].positive;
    out[i].advantage = kept[i].reward - mean;
    if (!both) continue;
    if (estimator == PoolEstimator::Strata)
      out[i].weight = positive ? p / share : (1 - p) / (1 - share);
    if (estimator == PoolEstimator::LogFix)
      out[i].advantage = log_fix(p, share / (1 - share), positive);
  }
  return out;
}

double objective_slope(RateObjective objective, double power, std::span<const PoolRow> pool) {
  double p = positive_share(pool);
  if (p == 0) p = 1 / (static_cast<double>(pool.size()) + 1);
  switch (objective) {
    case RateObjective::Log:
      return 1 / p;
    case RateObjective::Power:
      return power * std::pow(p, power - 1);
    case RateObjective::PassRate:
      break;
  }
  return 1;
}

void EstimateOptions::validate(std::string_view section) const {
  const auto only_with = [&](bool set, const char* key, PoolEstimator needed, const char* name) {
    if (set && estimator != needed)
      throw Error(ErrorKind::Config, concat(section, ".", key),
                  concat("it is set, but only estimator=", name, " uses it"),
                  concat("set ", section, ".estimator=", name));
  };
  only_with(pool_std, "pool_std", PoolEstimator::PoolMean, "pool_mean");
  only_with(inverse_root, "inverse_root", PoolEstimator::LogFix, "log_fix");
  only_with(objective != RateObjective::PassRate, "objective", PoolEstimator::Strata, "strata");
}

std::vector<WeightedAdvantage> estimate(const EstimateOptions& options,
                                        std::span<const PoolRow> pool,
                                        std::span<const PoolRow> kept, double resolution) {
  auto out = pool_advantages(options.estimator, pool, kept, resolution);
  double weight = objective_slope(options.objective, options.power, pool);
  if (options.inverse_root) weight /= std::sqrt(std::max(positive_share(pool), 1.0 / 16));
  const double divisor = options.pool_std ? standard_deviation(rewards_of(pool), 0) + 1e-6 : 1;
  for (WeightedAdvantage& a : out) {
    a.advantage /= divisor;
    a.weight *= weight;
  }
  return out;
}

}  // namespace allot
