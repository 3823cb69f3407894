// Advantages and weights of a subset that was chosen from a pool by its rewards: a balanced few of
// the rollouts of one prompt (Reinforce-Ada, PODS).
//
// With p the share of positives in the pool, k+ and k- the kept ones and n = k+ + k-:
//
//   pool_mean   A = r - mean of the pool; weight 1
//   strata      the same; weight p / (k+/n) on positives, (1-p) / (k-/n) on negatives: that undoes
//               the selection, so that the sum estimates grad p
//   log_fix     A+ = 1 - p^2/(1-p), A- = -p k+/k- for p <= 1/2, above A+ = 1-p, A- = -(1-p) k+/k-;
//               with half of each kept it estimates grad log(p) / 2
//
// A pool without a positive or without a negative has no missing stratum to weigh: its weights are
// 1, and its advantages are 0 unless rewards differ within the class. Source: Reinforce-Ada, arXiv
// 2510.04996 and its released code (pool_mean); its fork Reinforce-Ada-HM (log_fix); contract,
// section 9 (strata).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "allot/core/options.h"
#include "allot/methods/parts/advantages.h"
#include "allot/methods/parts/ragged.h"

namespace allot {

enum class PoolEstimator { Strata, PoolMean, KeptNorm, LogFix };

struct PoolRow {
  double reward = 0;
  bool positive = false;
};
double positive_share(std::span<const PoolRow> rows);  // 0 of none

// All scored rollouts of a prompt.
struct RewardPool {
  std::span<const double> rewards;
  std::uint32_t positives = 0;  // among them

  double positive_share() const;  // 0 of none
};

// Adds a list: the advantages and weights of `kept`. Of KeptNorm nothing is computed here: it is a
// group advantage over the kept rows (parts/advantages.h). Advantages are exactly 0 if the pool's
// rewards differ by at most `resolution`, or by definition in a pool of one row.
void add_pool_advantages(PoolEstimator estimator, const RewardPool& pool,
                         std::span<const PoolRow> kept, double resolution,
                         Ragged<WeightedAdvantage>& out);

// The objective E[f(p)] has the gradient f'(p) grad p.
enum class RateObjective { PassRate, Log, Power };
// f'(p): 1, 1/p, or a p^(a-1). A pool of n without positives counts as one with 1/(n+1).
double objective_slope(RateObjective objective, double power, const RewardPool& pool);

struct EstimateOptions {
  PoolEstimator estimator = PoolEstimator::Strata;
  bool pool_std = false, inverse_root = false;
  RateObjective objective = RateObjective::PassRate;
  double power = 0.5;

  template <class V>
  void fields(V& v) {
    v("estimator", estimator,
      Choices<PoolEstimator>{{"strata", PoolEstimator::Strata},
                             {"pool_mean", PoolEstimator::PoolMean},
                             {"kept_norm", PoolEstimator::KeptNorm},
                             {"log_fix", PoolEstimator::LogFix}},
      "reward minus the pool's mean, weighted back to the pool; not weighted (released code); "
      "adv.* over the kept rollouts alone; or the log-objective correction of a fork");
    v("pool_std", pool_std, "pool_mean: divide by the standard deviation of the pool + 1e-6");
    v("inverse_root", inverse_root, "log_fix: a further weight 1 / sqrt(p), 4 for p <= 1/16");
    v("objective", objective,
      Choices<RateObjective>{{"pass_rate", RateObjective::PassRate},
                             {"log", RateObjective::Log},
                             {"power", RateObjective::Power}},
      "strata: f of the objective E[f(p)], f = p, log p or p^power; weights are multiplied by "
      "f'(p) of the pool");
    v("power", power, Range{1e-3, 10}, "exponent of objective=power");
  }
  // Throws Error(Config) for a setting that the estimator does not use: two corrections on top of
  // each other would be wrong by up to two orders of magnitude.
  void validate(std::string_view section) const;
};

// add_pool_advantages with the options' factors; KeptNorm excepted.
void add_estimates(const EstimateOptions& options, const RewardPool& pool,
                   std::span<const PoolRow> kept, double resolution,
                   Ragged<WeightedAdvantage>& out);

}  // namespace allot
