// Intervals against published tables, closed forms, enumeration and simulated coverage.
#include "allot/report/intervals.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/random.h"

namespace allot {
namespace {

TEST(StudentT, EqualsPublishedQuantiles) {
  struct Row {
    double p, df, t;
  };
  // Percentage points of the t distribution, as printed in statistical tables.
  const Row rows[] = {{0.975, 1, 12.706},  {0.975, 2, 4.303},  {0.975, 3, 3.182},
                      {0.975, 4, 2.776},   {0.975, 5, 2.571},  {0.975, 9, 2.262},
                      {0.975, 10, 2.228},  {0.975, 20, 2.086}, {0.975, 30, 2.042},
                      {0.975, 120, 1.980}, {0.95, 5, 2.015},   {0.995, 9, 3.250},
                      {0.90, 7, 1.415},    {0.999, 4, 7.173}};
  for (const Row& row : rows) {
    EXPECT_NEAR(student_t_quantile(row.p, row.df), row.t, 5.1e-4) << row.p << " " << row.df;
    EXPECT_EQ(student_t_quantile(row.p, row.df), -student_t_quantile(1 - row.p, row.df))
        << "not symmetric";
  }
}

TEST(StudentT, EqualsTheClosedFormsOfOneAndTwoDegrees) {
  for (double p = 0.5; p < 0.9999; p += 0.00731) {
    const double one = std::tan(std::numbers::pi * (p - 0.5));
    EXPECT_NEAR(student_t_quantile(p, 1), one, 1e-9 * (1 + one));
    const double two = (2 * p - 1) / std::sqrt(2 * p * (1 - p));
    EXPECT_NEAR(student_t_quantile(p, 2), two, 1e-9 * (1 + two));
  }
  EXPECT_NEAR(student_t_quantile(0.975, 1e7), 1.959964, 1e-5);  // the normal distribution
}

TEST(StudentT, RefusesWhatIsNoProbability) {
  EXPECT_THROW(student_t_quantile(0, 3), Error);
  EXPECT_THROW(student_t_quantile(1, 3), Error);
  EXPECT_THROW(student_t_quantile(0.5, 0), Error);
  EXPECT_THROW(student_t_quantile(std::nan(""), 3), Error);
}

TEST(MeanEstimate, EqualsAWorkedExample) {
  // 2, 4, 4, 4, 5, 5, 7, 9: mean 5, sample variance 32/7; 2.364624 is the table's t(.975, 7).
  const std::vector<double> values = {2, 4, 4, 4, 5, 5, 7, 9};
  const Estimate estimate = mean_estimate(values);
  EXPECT_EQ(estimate.mean, 5);
  const double half = 2.364624 * std::sqrt(32.0 / 7 / 8);
  EXPECT_NEAR(estimate.interval->low, 5 - half, 1e-5);
  EXPECT_NEAR(estimate.interval->high, 5 + half, 1e-5);
}

TEST(MeanEstimate, OneValueHasNoInterval) {
  const std::vector<double> one = {0.3}, none;
  EXPECT_FALSE(mean_estimate(one).interval.has_value());
  EXPECT_EQ(mean_estimate(one).mean, 0.3);
  EXPECT_THROW(mean_estimate(none), Error);
}

TEST(MeanEstimate, CoversTheTrueMeanAsOftenAsItSays) {
  RandomStream random({11, RandomUse::Test});
  int covered = 0;
  constexpr int kTrials = 4000;
  for (int i = 0; i < kTrials; ++i) {
    std::vector<double> values(5);
    for (double& value : values) value = 3 + 2 * random.normal();
    const Interval interval = *mean_estimate(values).interval;
    covered += interval.low <= 3 && 3 <= interval.high;
  }
  // Binomial(4000, .95): standard deviation 13.8.
  EXPECT_NEAR(covered, 3800, 55);
}

TEST(PairedDifference, RemovesWhatPairsShare) {
  const std::vector<double> base = {0.1, 0.5, 0.9}, treated = {0.15, 0.56, 0.94};
  const Estimate difference = paired_difference(treated, base);
  EXPECT_NEAR(difference.mean, 0.05, 1e-12);
  // Differences .05 .06 .04: s = .01, t(.975, 2) = 4.302653.
  EXPECT_NEAR(difference.interval->high - difference.mean, 4.302653 * 0.01 / std::sqrt(3), 1e-7);
  const std::vector<double> shorter = {1};
  EXPECT_THROW(paired_difference(treated, shorter), Error);
}

TEST(PairedRatio, IsGeometric) {
  const std::vector<double> treated = {1, 4}, base = {2, 2};
  EXPECT_NEAR(paired_ratio(treated, base).mean, 1, 1e-12);
  const std::vector<double> half = {1, 1};
  EXPECT_NEAR(paired_ratio(half, base).mean, 0.5, 1e-12);
  EXPECT_NEAR(paired_ratio(half, base).interval->low, 0.5, 1e-12);
  const std::vector<double> zero = {0, 1};
  EXPECT_THROW(paired_ratio(zero, base), Error);
}

TEST(Bootstrap, EqualsTheEnumeratedDistribution) {
  const std::vector<double> values = {0, 1, 10, 100};
  std::vector<double> means;
  for (int i = 0; i < 256; ++i)
    means.push_back((values[i & 3] + values[i >> 2 & 3] + values[i >> 4 & 3] + values[i >> 6]) / 4);
  std::sort(means.begin(), means.end());
  const Interval interval = *bootstrap_mean(values, 1, 200000);
  // 2.5 % of 256 = 6.4 and 97.5 % = 249.6 fall inside steps of the distribution.
  EXPECT_EQ(interval.low, means[6]);
  EXPECT_EQ(interval.high, means[249]);
}

// Independent numbers: scipy.stats.t.interval and, for the ratio, of the logarithms.
TEST(MeanEstimate, EqualsAnotherLibrary) {
  const std::vector<double> own = {0.612, 0.655, 0.581, 0.640, 0.633},
                            base = {0.590, 0.641, 0.587, 0.611, 0.602};
  const Estimate difference = paired_difference(own, base);
  EXPECT_NEAR(difference.mean, 0.018, 1e-12);
  EXPECT_NEAR(difference.interval->low, -0.000604254063405436, 1e-12);
  EXPECT_NEAR(difference.interval->high, 0.0366042540634055, 1e-12);
  const Estimate ratio = paired_ratio(own, base);
  EXPECT_NEAR(ratio.mean, 1.02932693870146, 1e-12);
  EXPECT_NEAR(ratio.interval->low, 0.998449229726997, 1e-12);
  EXPECT_NEAR(ratio.interval->high, 1.0611595614393, 1e-12);
}

// With five values the percentile bootstrap is too narrow: with normal ones it covers the mean in
// about 84 %, which the texts beside it say. With thirty it is nearly right.
TEST(Bootstrap, CoversAsOftenAsItsTextSays) {
  const auto coverage = [](std::size_t n, int trials) {
    RandomStream random({12, RandomUse::Test, n});
    int covered = 0;
    for (int i = 0; i < trials; ++i) {
      std::vector<double> values(n);
      for (double& value : values) value = 3 + 2 * random.normal();
      const Interval interval = *bootstrap_mean(values, static_cast<std::uint64_t>(i), 400);
      covered += interval.low <= 3 && 3 <= interval.high;
    }
    return static_cast<double>(covered) / trials;
  };
  EXPECT_NEAR(coverage(5, 3000), 0.84, 0.03);
  EXPECT_NEAR(coverage(30, 1000), 0.935, 0.03);
}

TEST(PairedRatio, CoversTheTrueRatioAsOftenAsItSays) {
  RandomStream random({13, RandomUse::Test});
  int covered = 0;
  constexpr int kTrials = 4000;
  for (int i = 0; i < kTrials; ++i) {
    std::vector<double> own(4), base(4);
    for (std::size_t j = 0; j < own.size(); ++j) {
      const double seed = random.normal();  // what both share
      base[j] = std::exp(seed + 0.1 * random.normal());
      own[j] = 0.7 * std::exp(seed + 0.1 * random.normal());
    }
    const Interval interval = *paired_ratio(own, base).interval;
    covered += interval.low <= 0.7 && 0.7 <= interval.high;
  }
  EXPECT_NEAR(covered, 3800, 55);
}

TEST(Bootstrap, IsKeyed) {
  const std::vector<double> values = {0.1, 0.35, 0.2, 0.7, 0.43};
  const Interval a = *bootstrap_mean(values, 1, 500), b = *bootstrap_mean(values, 1, 500);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  const Interval c = *bootstrap_mean(values, 2, 500);
  EXPECT_TRUE(c.low != a.low || c.high != a.high);
  const std::vector<double> one = {1};
  EXPECT_FALSE(bootstrap_mean(one, 1).has_value());
}

}  // namespace
}  // namespace allot
