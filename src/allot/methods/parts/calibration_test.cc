#include "allot/methods/parts/calibration.h"

#include <gtest/gtest.h>

namespace allot {
namespace {

TEST(Calibration, BrierAndBins) {
  MetricList metrics;
  // Two rollouts at .5, one right: .25 each. Four at .9, all right: .01 each. At 1, two wrong: 1.
  const Prediction predictions[] = {{.5, 1, 2}, {.9, 4, 4}, {1, 0, 2}, {.1, 0, 0}};
  set_calibration(metrics, predictions);
  std::map<std::string, double> got;
  for (const Metric& metric : metrics.all()) got[metric.name] = metric.value;
  EXPECT_NEAR(got.at("belief/brier"), (.5 + .04 + 2) / 8, 1e-15);
  EXPECT_EQ(got.at("belief/calib_bins/2"), .5);
  EXPECT_NEAR(got.at("belief/calib_bins/4"), 4.0 / 6, 1e-15);
  for (const int empty : {0, 1, 3})
    EXPECT_FALSE(got.count("belief/calib_bins/" + std::to_string(empty))) << empty;
}

TEST(Calibration, OfNothingIsAbsent) {
  MetricList metrics;
  set_calibration(metrics, {});
  EXPECT_TRUE(metrics.all().empty());
}

}  // namespace
}  // namespace allot
