#include "allot/methods/parts/proportional.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace allot {
namespace {

// Acceptance test 6 of Reinforce-Ada's specification.
TEST(Proportional, InverseRootsOfPassRates) {
  std::vector<double> weights;
  for (const double p : {.05, .1, .25, .5, .75, .95}) weights.push_back(1 / std::sqrt(p));
  const auto shares = proportional_shares(weights, 48, 0, 1000);
  const std::vector<double> wanted = {16.23, 11.47, 7.26, 5.13, 4.19, 3.72};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(shares[i], wanted[i], .0051);
  EXPECT_EQ(proportional_counts(weights, 48, 0, 1000),
            (std::vector<std::uint32_t>{16, 12, 7, 5, 4, 4}));
}

TEST(Proportional, TiesGoToTheFirst) {
  const std::vector<double> equal(4, .3);
  EXPECT_EQ(proportional_counts(equal, 10, 2, 9), (std::vector<std::uint32_t>{3, 3, 2, 2}));
}

// Against bisection of the scale; the counts add up, keep to the bounds and are within one of the
// shares.
RC_GTEST_PROP(Proportional, SumsBoundsAndProportions, ()) {
  const auto size = *rc::gen::inRange<std::size_t>(1, 12);
  const auto low = *rc::gen::inRange<std::uint32_t>(0, 4);
  const auto high = low + *rc::gen::inRange<std::uint32_t>(0, 12);
  std::vector<double> weights;
  for (std::size_t i = 0; i < size; ++i) weights.push_back(*rc::gen::inRange(1, 1000) / 137.0);
  const auto total = *rc::gen::inRange<std::uint64_t>(low * size, high * size + 1);
  const auto counts = proportional_counts(weights, total, low, high);
  RC_ASSERT(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}) == total);

  const auto sum_at = [&](double s) {
    double sum = 0;
    for (const double w : weights) sum += std::clamp(s * w, double(low), double(high));
    return sum;
  };
  double below = 0, above = 1e5;
  for (int i = 0; i < 200; ++i) {
    const double middle = (below + above) / 2;
    (sum_at(middle) < double(total) ? below : above) = middle;
  }
  for (std::size_t i = 0; i < size; ++i) {
    const double share = std::clamp(above * weights[i], double(low), double(high));
    RC_ASSERT(counts[i] >= low && counts[i] <= high);
    RC_ASSERT(std::abs(counts[i] - share) < 1 + 1e-6);
  }
}

}  // namespace
}  // namespace allot
