#include "allot/methods/parts/pool_estimators.h"

#include <algorithm>
#include <cmath>

#include "allot/core/error.h"

namespace allot {
namespace {

double share(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

double log_fix(double p, double right_per_wrong, bool positive) {
  if (p <= 0.5) return positive ? 1 - p * p / (1 - p) : -p * right_per_wrong;
  return positive ? 1 - p : -(1 - p) * right_per_wrong;
}

// The list that add_pool_advantages() adds, still open.
void push_advantages(PoolEstimator estimator, const RewardPool& pool, std::span<const PoolRow> kept,
                     double resolution, Ragged<WeightedAdvantage>& out) {
  const bool flat = degenerate(pool.rewards, resolution);
  const double mean = mean_of(pool.rewards), p = pool.positive_share(), k = positive_share(kept);
  const bool both = k > 0 && k < 1;
  for (const auto& [reward, positive] : kept) {
    WeightedAdvantage a{flat ? 0 : reward - mean};
    if (!flat && both && estimator == PoolEstimator::Strata)
      a.weight = positive ? p / k : (1 - p) / (1 - k);
    if (!flat && both && estimator == PoolEstimator::LogFix)
      a.advantage = log_fix(p, k / (1 - k), positive);
    out.push(a);
  }
}

}  // namespace

double positive_share(std::span<const PoolRow> rows) {
  const auto positives =
      std::count_if(rows.begin(), rows.end(), [](const PoolRow& row) { return row.positive; });
  return share(static_cast<std::size_t>(positives), rows.size());
}

double RewardPool::positive_share() const { return share(positives, rewards.size()); }

void add_pool_advantages(PoolEstimator estimator, const RewardPool& pool,
                         std::span<const PoolRow> kept, double resolution,
                         Ragged<WeightedAdvantage>& out) {
  push_advantages(estimator, pool, kept, resolution, out);
  out.close();
}

double objective_slope(RateObjective objective, double power, const RewardPool& pool) {
  double p = pool.positive_share();
  if (p == 0) p = 1 / (static_cast<double>(pool.rewards.size()) + 1);
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

void add_estimates(const EstimateOptions& options, const RewardPool& pool,
                   std::span<const PoolRow> kept, double resolution,
                   Ragged<WeightedAdvantage>& out) {
  push_advantages(options.estimator, pool, kept, resolution, out);
  double weight = objective_slope(options.objective, options.power, pool);
  if (options.inverse_root) weight /= std::sqrt(std::max(pool.positive_share(), 1.0 / 16));
  const double divisor = options.pool_std ? standard_deviation(pool.rewards, 0) + 1e-6 : 1;
  for (WeightedAdvantage& a : out.open()) {
    a.advantage /= divisor;
    a.weight *= weight;
  }
  out.close();
}

}  // namespace allot
