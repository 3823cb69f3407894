#include "allot/methods/parts/pool_estimators.h"

#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace allot {
namespace {

std::vector<PoolRow> rows(int right, int wrong) {
  std::vector<PoolRow> out;
  for (int i = 0; i < right + wrong; ++i) out.push_back({i < right ? 1.0 : 0.0, i < right});
  return out;
}

// The weighted kept rows are a pool of the same pass rate: weights average 1, and the weighted mean
// of the advantages is 0 whatever was kept of each side.
RC_GTEST_PROP(PoolEstimators, StrataWeightsRestoreThePool, ()) {
  const auto right = *rc::gen::inRange(1, 30), wrong = *rc::gen::inRange(1, 30);
  const auto kept_right = *rc::gen::inRange(1, right + 1);
  const auto kept_wrong = *rc::gen::inRange(1, wrong + 1);
  const auto pool = rows(right, wrong), kept = rows(kept_right, kept_wrong);
  double weights = 0, positives = 0, sum = 0;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const auto a = pool_advantages(PoolEstimator::Strata, pool, kept, 0)[i];
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
    double gradient = 0;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      const auto a = pool_advantages(PoolEstimator::LogFix, rows(right, 32 - right), kept, 0)[i];
      gradient += a.advantage * (kept[i].positive ? 1 - p : -p) / 16;
    }
    EXPECT_NEAR(gradient, .5 * (1 - p), 1e-12) << p;
  }
}

TEST(PoolEstimators, OneSideHasNoSignal) {
  for (const auto estimator :
       {PoolEstimator::Strata, PoolEstimator::PoolMean, PoolEstimator::LogFix})
    for (const auto& pool : {rows(0, 8), rows(8, 0), rows(1, 0), rows(0, 1)})
      for (const auto& a : pool_advantages(estimator, pool, pool, 0)) {
        EXPECT_EQ(a.advantage, 0.0);
        EXPECT_EQ(a.weight, 1.0);
      }
}

TEST(PoolEstimators, Slopes) {
  EXPECT_EQ(objective_slope(RateObjective::PassRate, 2, rows(1, 3)), 1);
  EXPECT_EQ(objective_slope(RateObjective::Log, 2, rows(1, 3)), 4);
  EXPECT_EQ(objective_slope(RateObjective::Power, 2, rows(1, 3)), .5);
  EXPECT_EQ(objective_slope(RateObjective::Log, 2, rows(0, 7)), 8);  // as 1/8, not 0
}

}  // namespace
}  // namespace allot
