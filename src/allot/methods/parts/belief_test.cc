#include "allot/methods/parts/belief.h"

#include <cmath>
#include <deque>

#include <gtest/gtest.h>

#include "allot/core/random.h"

namespace allot {
namespace {

TEST(BetaBelief, ClosedFormsAgreeWithIntegration) {
  for (const auto& [a, b] : {std::pair{1., 1.}, {5., 2.}, {2.5, 7.5}, {30., 1.}}) {
    BetaBelief belief;
    belief.a = a, belief.b = b;
    double mass = 0, first = 0, second = 0;
    constexpr int kCells = 200000;
    for (int i = 0; i < kCells; ++i) {
      const double p = (i + .5) / kCells;
      const double density = std::pow(p, a - 1) * std::pow(1 - p, b - 1);
      mass += density, first += density * p, second += density * p * p;
    }
    const double mean = first / mass, square = second / mass;
    EXPECT_NEAR(belief.mean(), mean, 1e-8);
    EXPECT_NEAR(belief.variance(), square - mean * mean, 1e-8);
    EXPECT_NEAR(belief.reward_variance(), mean - square, 1e-8);
  }
}

TEST(BetaBelief, RewardVarianceIsTheMeanOfTheUnbiasedGroupVariance) {
  // Drawn P, then a group: the mean of its sample variance (ddof 1) for sizes 2 and 8.
  const BetaBelief belief(BetaPrior{2, 5});
  RandomStream random({3, RandomUse::Test, 0, 0, 0});
  for (const int n : {2, 8}) {
    constexpr int kDraws = 200000;
    double sum = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double p = random.beta(2, 5);
      double right = 0;
      for (int j = 0; j < n; ++j) right += random.uniform() < p;
      sum += right * (n - right) / (n * (n - 1.0));
    }
    EXPECT_NEAR(sum / kDraws, belief.reward_variance(), 0.002);
  }
}

TEST(BetaBelief, ForgetsTowardsThePrior) {
  const BetaPrior prior{2, 3};
  BetaBelief belief(prior);
  belief.add(4, 8);
  belief.forget(.5, prior);
  EXPECT_DOUBLE_EQ(belief.a, 4);
  EXPECT_DOUBLE_EQ(belief.b, 7);
  belief.forget(1, prior);
  EXPECT_DOUBLE_EQ(belief.a, 4);
  belief.forget(0, prior);
  EXPECT_DOUBLE_EQ(belief.a, 2);
  EXPECT_DOUBLE_EQ(belief.b, 3);
}

TEST(DecayedCounts, OlderVisitsWeighLess) {
  DecayedCounts counts;
  EXPECT_TRUE(counts.empty());
  EXPECT_EQ(counts.rate(), 0);
  counts.add(8, 8, .5);
  counts.add(0, 8, .5);
  counts.add(2, 4, .5);
  EXPECT_DOUBLE_EQ(counts.trials, 8 * .25 + 8 * .5 + 4);
  EXPECT_DOUBLE_EQ(counts.rate(), (8 * .25 + 2) / 10);
}

TEST(RecentVerdicts, AgreeWithAListOfAllVerdicts) {
  RandomStream random({4, RandomUse::Test, 0, 0, 0});
  RecentVerdicts recent;
  std::deque<bool> all;  // newest first
  EXPECT_EQ(recent.last_rate(), 0);
  EXPECT_EQ(recent.rate_of_newest(16), 0);
  for (std::uint64_t visit = 0; visit < 60; ++visit) {
    recent.start_visit(visit);
    const std::uint64_t n = random.below(20);
    double right_now = 0;
    for (std::uint64_t i = 0; i < n; ++i) {
      const bool right = random.uniform() < .4;
      recent.add(right);
      all.push_front(right);
      right_now += right;
    }
    EXPECT_DOUBLE_EQ(recent.last_rate(), n ? right_now / static_cast<double>(n) : 0);
    EXPECT_EQ(recent.last_step, visit);
    for (const std::size_t window : {1u, 7u, 16u, 64u}) {
      const std::size_t known = std::min(window, all.size());
      double right = 0;
      for (std::size_t i = 0; i < known; ++i) right += all[i];
      EXPECT_DOUBLE_EQ(recent.rate_of_newest(static_cast<std::uint32_t>(window)),
                       known ? right / static_cast<double>(known) : 0);
    }
  }
}

}  // namespace
}  // namespace allot
