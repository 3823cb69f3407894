// Curves against scans by brute force.
#include "allot/report/curves.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "allot/report/intervals.h"

namespace allot {
namespace {

const Curve kRise = {{0, 0.2}, {10, 0.4}, {20, 0.3}, {40, 0.7}};

// A curve with ascending x from whole numbers, so that every value is exact enough to compare.
Curve arbitrary_curve() {
  const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 9));
  Curve curve;
  double x = 0;
  for (const int step : steps) {
    curve.push_back({x, static_cast<double>(*rc::gen::inRange(-50, 50))});
    x += step;
  }
  return curve;
}

TEST(Curves, InterpolateInsideAndSayNothingOutside) {
  EXPECT_EQ(value_at(kRise, 0), 0.2);
  EXPECT_EQ(value_at(kRise, 40), 0.7);
  EXPECT_NEAR(*value_at(kRise, 5), 0.3, 1e-12);
  EXPECT_NEAR(*value_at(kRise, 30), 0.5, 1e-12);
  EXPECT_FALSE(value_at(kRise, -0.001).has_value());
  EXPECT_FALSE(value_at(kRise, 40.001).has_value());
  EXPECT_FALSE(value_at(kRise, std::nan("")).has_value());
  EXPECT_FALSE(value_at({}, 0).has_value());
  const Curve twice = {{0, 1}, {5, 2}, {5, 3}, {6, 4}};
  EXPECT_EQ(value_at(twice, 5), 2);
  EXPECT_EQ(value_at(twice, 5.5), 3.5);
}

TEST(Curves, CrossFirstWhereAScanDoes) {
  EXPECT_NEAR(*first_crossing(kRise, 0.35), 7.5, 1e-12);  // not the later crossing
  EXPECT_NEAR(*first_crossing(kRise, 0.5), 30, 1e-12);
  EXPECT_EQ(*first_crossing(kRise, 0.1), 0);
  EXPECT_EQ(*first_crossing(kRise, 0.7), 40);
  EXPECT_FALSE(first_crossing(kRise, 0.7001).has_value());  // never extrapolated
  EXPECT_FALSE(first_crossing(kRise, std::nan("")).has_value());
}

RC_GTEST_PROP(Curves, CrossingIsTheFirstPointNotBelow, ()) {
  const Curve curve = arbitrary_curve();
  const double target = *rc::gen::inRange(-60, 60) + 0.5;
  const auto crossing = first_crossing(curve, target);
  double scanned = -1;
  for (double x = 0; !curve.empty() && x <= curve.back().x; x += 1.0 / 64)
    if (*value_at(curve, x) >= target) {
      scanned = x;
      break;
    }
  if (!crossing) {
    // Every point is below: the highest is one of the points themselves.
    for (const CurvePoint& p : curve) RC_ASSERT(p.y < target);
  } else {
    RC_ASSERT(std::abs(*value_at(curve, *crossing) - target) < 1e-9 || *crossing == 0);
    RC_ASSERT(scanned < 0 ||
              (scanned >= *crossing - 1e-9 && scanned <= *crossing + 1.0 / 64 + 1e-9));
  }
}

TEST(Curves, BandsAreTheEstimateAtEachPlace) {
  const std::vector<Curve> curves = {{{0, 0}, {10, 1}}, {{2, 0.5}, {12, 0.5}}, {{0, 1}, {20, 0}}};
  const auto band = band_over(curves, 5);
  ASSERT_EQ(band.size(), 5u);
  EXPECT_EQ(band.front().x, 2);
  EXPECT_EQ(band.back().x, 10);
  for (const BandPoint& p : band) {
    const std::vector<double> values = {p.x / 10, 0.5, 1 - p.x / 20};
    const Estimate expected = mean_estimate(values);
    EXPECT_NEAR(p.mean, expected.mean, 1e-12);
    EXPECT_NEAR(*p.low, expected.interval->low, 1e-12);
    EXPECT_NEAR(*p.high, expected.interval->high, 1e-12);
  }
}

TEST(Curves, BandsNeedACommonRange) {
  const std::vector<Curve> apart = {{{0, 0}, {1, 1}}, {{2, 0}, {3, 1}}};
  EXPECT_TRUE(band_over(apart, 10).empty());
  const std::vector<Curve> with_empty = {{{0, 0}}, {}};
  EXPECT_TRUE(band_over(with_empty, 10).empty());
  EXPECT_TRUE(band_over({}, 10).empty());
  const std::vector<Curve> touching = {{{0, 0.25}, {1, 1}}, {{1, 0}, {3, 1}}};
  ASSERT_EQ(band_over(touching, 10).size(), 1u);
  EXPECT_EQ(band_over(touching, 10)[0].mean, 0.5);
  const std::vector<Curve> one = {kRise};
  const auto line = band_over(one, 10);
  ASSERT_EQ(line.size(), kRise.size());
  EXPECT_FALSE(line[0].low.has_value());
}

RC_GTEST_PROP(Curves, ThinningKeepsEndsAndExtremes, ()) {
  const Curve curve = arbitrary_curve();
  const auto limit = static_cast<std::size_t>(*rc::gen::inRange(4, 40));
  const Curve thin = thinned(curve, limit);
  RC_ASSERT(thin.size() <= std::max(limit, std::size_t{0}));
  if (curve.empty()) return;
  const auto lower = [](const CurvePoint& p, const CurvePoint& q) { return p.y < q.y; };
  RC_ASSERT(thin.front().x == curve.front().x && thin.back().x == curve.back().x);
  RC_ASSERT(std::min_element(thin.begin(), thin.end(), lower)->y ==
            std::min_element(curve.begin(), curve.end(), lower)->y);
  RC_ASSERT(std::max_element(thin.begin(), thin.end(), lower)->y ==
            std::max_element(curve.begin(), curve.end(), lower)->y);
  for (std::size_t i = 1; i < thin.size(); ++i) RC_ASSERT(thin[i - 1].x < thin[i].x);
}

TEST(Curves, SmoothingIsAMovingMean) {
  const Curve smooth = smoothed({{0, 1}, {1, 4}, {2, 7}, {3, 1}}, 3);
  const double expected[] = {2.5, 4, 4, 4};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(smooth[i].y, expected[i], 1e-12);
  EXPECT_EQ(smoothed(kRise, 1)[2].y, kRise[2].y);
  EXPECT_TRUE(smoothed({}, 5).empty());
}

}  // namespace
}  // namespace allot
