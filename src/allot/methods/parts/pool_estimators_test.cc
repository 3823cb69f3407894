#include "allot/methods/parts/pool_estimators.h"

#include <cmath>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace allot {
namespace {

std::vector<PoolRow> rows(int right, int wrong) {
  std::vector<PoolRow> out;
  for (int i = 0; i < right + wrong; ++i) out.push_back({i < right ? 1.0 : 0.0, i < right});
  return out;
}

// Of a pool with so many right and wrong ones; refers to its rewards.
struct Pool {
  Pool(int right, int wrong) : positives(static_cast<std::uint32_t>(right)) {
    for (const PoolRow& row : rows(right, wrong)) rewards.push_back(row.reward);
  }
  RewardPool all() const { return {rewards, positives}; }

  std::vector<double> rewards;
  std::uint32_t positives;
};

std::vector<WeightedAdvantage> pool_advantages(PoolEstimator estimator, const Pool& pool,
                                               const std::vector<PoolRow>& kept) {
  Ragged<WeightedAdvantage> out;
  add_pool_advantages(estimator, pool.all(), kept, 0, out);
  return {out.values().begin(), out.values().end()};
}

// The weighted kept rows are a pool of the same pass rate: weights average 1, and the weighted mean
// of the advantages is 0 whatever was kept of each side.
RC_GTEST_PROP(PoolEstimators, StrataWeightsRestoreThePool, ()) {
  const auto right = *rc::gen::inRange(1, 30), wrong = *rc::gen::inRange(1, 30);
  const auto kept_right = *rc::gen::inRange(1, right + 1);
  const auto kept_wrong = *rc::gen::inRange(1, wrong + 1);
  const auto kept = rows(kept_right, kept_wrong);
  const auto advantages = pool_advantages(PoolEstimator::Strata, Pool(right, wrong), kept);
  double weights = 0, positives = 0, sum = 0;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const auto& a = advantages[i];
    weights += a.weight / double(kept.size());
    positives += kept[i].positive * a.weight / double(kept.size());
    sum += a.weight * a.advantage;
  }
  RC_ASSERT(std::abs(weights - 1) < 1e-12);
  RC_ASSERT(std::abs(positives - double(right) / (right + wrong)) < 1e-12);
  RC_ASSERT(std::abs(sum) < 1e-12);
}

// Half of each in the one-logit model: (1/2) (1 - p), that is 1/(2p) times grad p = p (1 - p).
TEST(PoolEstimators, LogCorrectionOfHalves) {
  for (const int right : {1, 8, 16, 24, 31}) {
    const double p = right / 32.0;
    const auto kept = rows(8, 8);
    const auto advantages = pool_advantages(PoolEstimator::LogFix, Pool(right, 32 - right), kept);
    double gradient = 0;
    for (std::size_t i = 0; i < kept.size(); ++i)
      gradient += advantages[i].advantage * (kept[i].positive ? 1 - p : -p) / 16;
    EXPECT_NEAR(gradient, .5 * (1 - p), 1e-12) << p;
  }
}

TEST(PoolEstimators, OneSideHasNoSignal) {
  for (const auto estimator :
       {PoolEstimator::Strata, PoolEstimator::PoolMean, PoolEstimator::LogFix})
    for (const auto& [right, wrong] : {std::pair(0, 8), {8, 0}, {1, 0}, {0, 1}})
      for (const auto& a : pool_advantages(estimator, Pool(right, wrong), rows(right, wrong))) {
        EXPECT_EQ(a.advantage, 0.0);
        EXPECT_EQ(a.weight, 1.0);
      }
}

TEST(PoolEstimators, Slopes) {
  EXPECT_EQ(objective_slope(RateObjective::PassRate, 2, Pool(1, 3).all()), 1);
  EXPECT_EQ(objective_slope(RateObjective::Log, 2, Pool(1, 3).all()), 4);
  EXPECT_EQ(objective_slope(RateObjective::Power, 2, Pool(1, 3).all()), .5);
  EXPECT_EQ(objective_slope(RateObjective::Log, 2, Pool(0, 7).all()), 8);  // as 1/8, not 0
}

}  // namespace
}  // namespace allot
