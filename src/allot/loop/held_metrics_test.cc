#include "allot/loop/held_metrics.h"

#include <map>

#include <gtest/gtest.h>

namespace allot {
namespace {

class HeldMetrics : public ::testing::Test {
 protected:
  HeldMetrics() {
    // Rollout 10 s + i is of step s.
    for (const std::uint64_t step : {5, 7, 9})
      for (std::uint64_t i = 0; i < 3; ++i) {
        Rollout rollout;
        rollout.id = 10 * step + i;
        store_.add(std::move(rollout), {}, step);
      }
  }
  std::map<std::string, double> metrics(std::size_t evicted = 0) const {
    std::map<std::string, double> all;
    for (const Metric& metric : held_metrics(9, batch_, feedback_, store_, evicted))
      all[metric.name] = metric.value;
    return all;
  }
  RolloutStore store_;
  TrainBatch batch_;
  Feedback feedback_;
};

TEST_F(HeldMetrics, WhatCameFromEarlierSteps) {
  batch_.items = {{50, 1}, {71, -1}, {71, 1}, {90, 1}};
  feedback_.items = {{50, 0.5f, 0}, {71, 1.5f, 0}, {90, 100, 0}};
  const auto m = metrics();
  EXPECT_EQ(m.at("replay/rows"), 2);  // 71 twice is one rollout
  EXPECT_EQ(m.at("replay/age_mean"), (4 + 2) / 2.0);
  EXPECT_EQ(m.at("replay/ratio_mean"), 1);
}

TEST_F(HeldMetrics, WhatWasKeptAndGivenBack) {
  batch_.items = {{50, 1}};
  batch_.hold = {91, 92};
  batch_.release = {50, 51, 70};
  const auto m = metrics(4);
  EXPECT_EQ(m.at("alloc/surplus_kept"), 2);
  EXPECT_EQ(m.at("alloc/surplus_expired"), 2);  // 50 was trained on
  EXPECT_EQ(m.at("alloc/evicted"), 4);
}

TEST_F(HeldMetrics, WithoutAReplayThereIsNoAge) {
  batch_.items = {{90, 1}};
  const auto m = metrics();
  EXPECT_EQ(m.at("replay/rows"), 0);
  EXPECT_FALSE(m.contains("replay/age_mean") || m.contains("replay/ratio_mean"));
}

}  // namespace
}  // namespace allot
