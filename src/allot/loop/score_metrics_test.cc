#include "allot/loop/score_metrics.h"

#include <cmath>
#include <map>

#include <gtest/gtest.h>

namespace allot {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

class ScoreMetrics : public ::testing::Test {
 protected:
  void add(std::vector<float> parts, Scoring scoring = Scoring::Scored, double seconds = 0) {
    Rollout rollout;
    rollout.id = ids_.size() + 10;
    Score score;
    score.scoring = scoring;
    score.reward = parts[0];
    score.parts = std::move(parts);
    score.seconds = seconds;
    ids_.push_back(rollout.id);
    store_.add(std::move(rollout), std::move(score), 0);
  }
  std::map<std::string, double> metrics(std::vector<std::string> functions) const {
    std::map<std::string, double> all;
    for (const Metric& metric : score_metrics(store_, ids_, functions))
      all[metric.name] = metric.value;
    return all;
  }
  RolloutStore store_;
  std::vector<RolloutId> ids_;
};

TEST_F(ScoreMetrics, MeanAndDeviationByFunctionOverWhatHasAValue) {
  add({1, 0.5f});
  add({0, kNaN});
  add({1, 1.5f});
  add({7, 7}, Scoring::VerifierError);
  const auto m = metrics({"math", "format"});
  EXPECT_DOUBLE_EQ(m.at("reward/math/mean"), 2.0 / 3);
  EXPECT_NEAR(m.at("reward/math/std"), std::sqrt(2.0 / 9), 1e-15);
  EXPECT_EQ(m.at("reward/format/mean"), 1);
  EXPECT_EQ(m.at("reward/format/std"), 0.5);
  EXPECT_FALSE(m.contains("verifier/p99_us"));
}

TEST_F(ScoreMetrics, OneFunctionIsTheReward) {
  for (int i = 0; i < 7; ++i) add({0.1f});
  const auto m = metrics({"task"});
  EXPECT_EQ(m.at("reward/task/mean"), static_cast<double>(0.1f));  // exactly
  EXPECT_EQ(m.at("reward/task/std"), 0);
  EXPECT_TRUE(metrics({}).empty());
}

TEST_F(ScoreMetrics, WhatHasNoValueIsAbsent) {
  add({kNaN, kNaN}, Scoring::NotScorable);
  EXPECT_TRUE(metrics({"a", "b"}).empty());
}

TEST_F(ScoreMetrics, WhyAnAnswerCouldNotBeRead) {
  for (const char* reason : {"unparseable", "unparseable, two boxes", "limit", "no_answer", ""}) {
    Rollout rollout;
    rollout.id = ids_.size() + 10;
    Score score;
    score.parsed = false;
    score.reason = reason;
    ids_.push_back(rollout.id);
    store_.add(std::move(rollout), std::move(score), 0);
  }
  const auto m = metrics({});
  EXPECT_EQ(m.at("verifier/unparseable"), 2);
  EXPECT_EQ(m.at("verifier/limit"), 1);
}

TEST_F(ScoreMetrics, TheSlowestOfAHundred) {
  for (int i = 1; i <= 200; ++i) add({0}, Scoring::Scored, i * 1e-6);
  EXPECT_NEAR(metrics({}).at("verifier/p99_us"), 198, 1e-6);  // two of 200 are slower
}

}  // namespace
}  // namespace allot
