// Golden numbers of GRPO and of the estimators the other methods reuse (acceptance tests of the
// method's specification).
#include <cmath>

#include <gtest/gtest.h>

#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::budget_of;
using testing::controller_of;
using testing::play;
using testing::Played;
using testing::rewards;
using testing::Settings;
using testing::verdicts;

// Advantages of one group of these outcomes.
Played grpo(const std::vector<Outcome>& outcomes, Settings settings) {
  settings.emplace_back("alloc.group_size", std::to_string(outcomes.size()));
  Controller controller = controller_of("grpo", settings);
  return play(controller, {{7}, {}, {{7, outcomes}}}, budget_of(1, outcomes.size()));
}

void expect_advantages(const Played& played, const std::vector<double>& wanted) {
  const std::vector<float> got = played.advantages(7);
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 5e-7) << i;
}

TEST(Grpo, FourOfWhichTwoAreRight) {
  const auto r = rewards({1, 0, 1, 0});
  expect_advantages(grpo(r, {}), {.865875, -.865875, .865875, -.865875});
  expect_advantages(grpo(r, {{"adv.scale", "none"}}), {.5, -.5, .5, -.5});
  expect_advantages(grpo(r, {{"adv.estimator", "leave_one_out"}}),
                    {.666667, -.666667, .666667, -.666667});
}

TEST(Grpo, ThreeOfWhichOneIsRight) {
  const auto r = rewards({1, 0, 0});
  expect_advantages(grpo(r, {{"adv.ddof", "0"}, {"adv.eps", "0"}}), {1.414214, -.707107, -.707107});
  expect_advantages(grpo(r, {{"adv.ddof", "1"}, {"adv.eps", "0"}}), {1.154701, -.577350, -.577350});
  expect_advantages(grpo(r, {{"adv.estimator", "leave_one_out"}}), {1, -.5, -.5});
}

TEST(Grpo, MissingRewardIsLeftOut) {
  auto r = rewards({1, 0, 0});
  r[1].scoring = Scoring::NotScorable;
  const Played p = grpo(r, {{"adv.ddof", "0"}, {"adv.eps", "0"}});
  expect_advantages(p, {1, -1});
  EXPECT_EQ(p.kept(7), (std::vector<std::uint32_t>{0, 2}));
  EXPECT_EQ(p.report(7).counted_n, 2u);
  EXPECT_EQ(p.report(7).counted_sum, 1.0f);
  EXPECT_EQ(p.batch.groups.at(0).pool_n, 2u);
  EXPECT_FLOAT_EQ(p.batch.groups.at(0).pool_mean, .5f);
}

TEST(Grpo, EqualRewardsShipNothing) {
  auto r = rewards(std::vector<double>(8, 0.1f));
  const Played wrong = grpo(r, {});
  EXPECT_TRUE(wrong.batch.items.empty());
  EXPECT_EQ(wrong.report(7).cause, ZeroCause::AllWrong);
  EXPECT_FALSE(wrong.report(7).admitted);
  r[3].correct = true;
  EXPECT_EQ(grpo(r, {}).report(7).cause, ZeroCause::Tie);
  for (Outcome& outcome : r) outcome.correct = true;
  EXPECT_EQ(grpo(r, {}).report(7).cause, ZeroCause::AllRight);
}

TEST(Grpo, ShipZeroRestoresTheDilution) {
  const Played p = grpo(rewards(std::vector<double>(8, 0.1f)), {{"alloc.grpo.ship_zero", "true"}});
  ASSERT_EQ(p.batch.items.size(), 8u);
  for (const TrainItem& item : p.batch.items) EXPECT_EQ(item.advantage, 0.0f);  // exactly
  EXPECT_EQ(p.batch.groups.size(), 1u);
  EXPECT_EQ(p.report(7).cause, ZeroCause::AllWrong);
}

TEST(Grpo, OneScoredRolloutIsNeverTrainedOn) {
  auto r = rewards({1, 0});
  r[1].status = Status::Failed;
  for (const char* ship_zero : {"false", "true"}) {
    const Played p = grpo(r, {{"alloc.grpo.ship_zero", ship_zero}});
    EXPECT_TRUE(p.batch.items.empty());
    EXPECT_EQ(p.report(7).cause, ZeroCause::Single);
  }
}

TEST(Grpo, HardCapPlansFewerPrompts) {
  Controller controller = controller_of("grpo", {{"alloc.group_size", "8"}});
  Budget budget = budget_of(3, 24);
  budget.hard_rollouts = 11;
  const Played p =
      play(controller, {{1, 2, 3}, {}, {{1, verdicts(1, 7)}, {2, verdicts(1, 7)}}}, budget);
  EXPECT_EQ(p.requested(1), 8u);
  EXPECT_EQ(p.requested(2), 3u);
  EXPECT_EQ(p.requested(3), 0u);
  EXPECT_EQ(p.batch.reports.size(), 2u);
  EXPECT_EQ(p.batch.groups.size(), 2u);
}

TEST(Grpo, TokenCapReservesFullAnswers) {
  Controller controller = controller_of("grpo", {{"alloc.group_size", "4"}});
  Budget budget = budget_of(2, 8);
  budget.hard_tokens = 100;
  budget.max_tokens = 20;  // five rollouts
  const Played p =
      play(controller, {{1, 2}, {}, {{1, verdicts(1, 3)}, {2, verdicts(1, 3)}}}, budget);
  EXPECT_EQ(p.requested(1), 4u);
  EXPECT_EQ(p.requested(2), 0u);  // one rollout alone would have no baseline
}

TEST(Grpo, UnevenGroupsKeepEqualWeightUnderPerGroup) {
  // Groups of 2 and 8 scored rollouts: PerGroup divides each by its own count.
  auto few = verdicts(1, 7);
  for (std::size_t i = 1; i < 7; ++i) few[i].scoring = Scoring::NotScorable;
  Controller controller = controller_of("grpo", {});
  const Played p =
      play(controller, {{1, 2}, {}, {{1, few}, {2, verdicts(4, 4)}}}, budget_of(2, 16));
  ASSERT_EQ(p.batch.norm, Norm::PerGroup);
  ASSERT_EQ(p.batch.groups.size(), 2u);
  const double groups = 2, items = 10;
  double per_group[2] = {}, per_rollout[2] = {};
  for (int g = 0; g < 2; ++g)
    for (std::uint32_t i = 0; i < p.batch.groups[g].count; ++i) {
      per_group[g] += 1 / groups / p.batch.groups[g].count;
      per_rollout[g] += 1 / items;
    }
  EXPECT_DOUBLE_EQ(per_group[0], per_group[1]);
  EXPECT_DOUBLE_EQ(per_rollout[1] / per_rollout[0], 4);
}

TEST(Grpo, NoSignalProbability) {
  const auto none = [](double p) { return std::pow(p, 8) + std::pow(1 - p, 8); };
  // Share of groups without signal over all 2^8 outcome sequences, weighted, through the method.
  for (const auto& [p, wanted] :
       std::vector<std::pair<double, double>>{{.03, .784}, {.125, .344}, {.25, .100}, {.5, .008}}) {
    double share = 0;
    for (std::uint32_t right = 0; right <= 8; ++right) {
      const double ways = std::tgamma(9) / std::tgamma(right + 1.0) / std::tgamma(9.0 - right);
      const double mass = ways * std::pow(p, right) * std::pow(1 - p, 8.0 - right);
      if (grpo(verdicts(right, 8 - right), {}).batch.items.empty()) share += mass;
    }
    EXPECT_NEAR(share, wanted, 5e-4);
    EXPECT_NEAR(share, none(p), 1e-12);
  }
}

}  // namespace
}  // namespace allot
