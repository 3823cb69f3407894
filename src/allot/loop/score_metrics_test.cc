#include "allot/loop/score_metrics.h"

#include <cmath>
#include <map>

#include <gtest/gtest.h>

namespace allot {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

class ScoreMetrics : public ::testing::Test {
 protected:
  void add(Score score) {
    Rollout rollout;
    rollout.id = ids_.size() + 10;
    ids_.push_back(rollout.id);
    store_.add(std::move(rollout), std::move(score), 0);
  }
  void add(std::vector<float> parts, Scoring scoring = Scoring::Scored) {
    Score score;
    score.scoring = scoring;
    score.reward = parts[0];
    score.parts = std::move(parts);
    add(std::move(score));
  }
  std::map<std::string, double> metrics(std::vector<std::string> functions,
                                        std::vector<std::string> marks = {}) const {
    std::map<std::string, double> all;
    for (const Metric& metric : score_metrics(store_, ids_, functions, marks))
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

TEST_F(ScoreMetrics, MarksAreCountedByTheirNames) {
  for (const std::uint32_t marks : {0b001u, 0b101u, 0b1000u, 0u}) {
    Score score;
    score.scoring = marks == 0b101u ? Scoring::NotScorable : Scoring::Scored;  // counts as well
    score.marks = marks;
    add(std::move(score));
  }
  const auto m = metrics({}, {"limit", "tier/0", "flag/conflict"});
  EXPECT_EQ(m,
            (std::map<std::string, double>{{"verifier/limit", 2}, {"verifier/flag/conflict", 1}}))
      << "a mark that no rollout has, and a bit without a name, are absent";
}

TEST_F(ScoreMetrics, TheMiddleAndTheSlowestOfAHundred) {
  for (int i = 1; i <= 200; ++i) {
    Score score;
    score.seconds = i * 1e-6;
    if (i % 2 == 1) score.steps = static_cast<std::uint32_t>(1000 - i);
    add(std::move(score));
  }
  const auto m = metrics({});
  EXPECT_NEAR(m.at("verifier/p50_us"), 100, 1e-6);
  EXPECT_NEAR(m.at("verifier/p99_us"), 198, 1e-6);  // two of 200 are slower
  // 801, 803, .. 999: a hundred values.
  EXPECT_EQ(m.at("verifier/p50_steps"), 899);
  EXPECT_EQ(m.at("verifier/p99_steps"), 997);
}

TEST_F(ScoreMetrics, AVerdictWithoutWorkCountsAndOneThatIsNotCountedDoesNot) {
  Score score;
  score.steps = 0;
  add(score);
  add(Score{});
  const auto m = metrics({});
  EXPECT_EQ(m.at("verifier/p99_steps"), 0);
  EXPECT_FALSE(m.contains("verifier/p50_us"));
}

}  // namespace
}  // namespace allot
