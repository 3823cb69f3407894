// Knapsack RL through the Controller: which pass rates it plans with, and what it may spend.
#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::budget_of;
using testing::controller_of;
using testing::play;
using testing::Played;
using testing::Settings;
using testing::verdicts;

TEST(Knapsack, FirstVisitIsUniform) {
  Controller controller = controller_of("knapsack");
  const Played p = play(
      controller, {{1, 2, 3}, {}, {{1, verdicts(0, 8)}, {2, verdicts(8, 0)}, {3, verdicts(4, 4)}}},
      budget_of(3, 24));
  for (const PromptId id : {1, 2, 3}) EXPECT_EQ(p.requested(id), 8u);
  EXPECT_EQ(p.metrics.at("alloc/knapsack/covered_prompts"), 0);
  EXPECT_NEAR(p.metrics.at("alloc/knapsack/signal_share"), 8. / 24, 1e-12);
  EXPECT_EQ(p.batch.norm, Norm::PerToken);
}

// The example of the specification, from visits: one informative prompt, three failed, one solved.
TEST(Knapsack, SecondVisitFollowsTheFirst) {
  Controller controller = controller_of("knapsack");
  const std::vector<PromptId> ids = {1, 2, 3, 4, 5};
  std::map<PromptId, std::vector<Outcome>> first = {{1, verdicts(4, 4)}, {5, verdicts(8, 0)}};
  for (const PromptId failed : {2, 3, 4}) first[failed] = verdicts(0, 8);
  play(controller, {ids, {}, first}, budget_of(5, 40));
  auto second = first;
  for (auto& [id, outcomes] : second) outcomes = verdicts(6, 6);
  const Played p = play(controller, {ids, {}, second}, budget_of(5, 40), 1);
  EXPECT_EQ(p.requested(1), 5u);
  for (const PromptId failed : {2, 3, 4}) EXPECT_EQ(p.requested(failed), 11u);
  EXPECT_EQ(p.requested(5), 2u);
  EXPECT_EQ(p.metrics.at("alloc/knapsack/informative"), 1);
  EXPECT_EQ(p.metrics.at("alloc/knapsack/surplus"), 27);
  EXPECT_NEAR(p.metrics.at("alloc/knapsack/need_over_rest"), .1, 1e-12);
  EXPECT_EQ(p.metrics.at("alloc/knapsack/max_n"), 11);
  EXPECT_EQ(p.metrics.at("alloc/knapsack/min_n"), 2);
  EXPECT_EQ(p.plans[0].generate.front().n, 11u);  // long groups are started first
  EXPECT_EQ(p.plans[0].generate.back().n, 2u);
}

TEST(Knapsack, SmallVisitsAreJoinedToTheNewestSixteen) {
  // Prompt 1: 8 wrong, then 8 of which 4 are right: .25 over the newest 16, not .5. Prompt 2 had a
  // last visit of 16, which counts alone: 0, although it was right before.
  Controller controller = controller_of("knapsack");
  play(controller, {{1, 2}, {}, {{1, verdicts(0, 8)}, {2, verdicts(8, 0)}}}, budget_of(2, 16));
  play(controller, {{1}, {}, {{1, verdicts(4, 4)}}}, budget_of(1, 8), 0);
  play(controller, {{2}, {}, {{2, verdicts(0, 16)}}}, budget_of(1, 16), 1);
  // floor(log(.1) / log(.75)) = 8 rollouts beyond the base of 2; of 34 beyond the bases 26 are
  // surplus, which the failed prompt gets.
  const Played p = play(controller, {{1, 2}, {}, {{1, verdicts(5, 5)}, {2, verdicts(0, 28)}}},
                        budget_of(2, 38), 1);
  EXPECT_EQ(p.requested(1), 10u);
  EXPECT_EQ(p.requested(2), 28u);
}

TEST(Knapsack, SumIsTheHardBudget) {
  Controller controller = controller_of("knapsack");
  Budget budget = budget_of(3, 100);
  for (const std::uint64_t hard : {24u, 50u, 7u, 6u, 5u, 2u, 1u, 0u}) {
    budget.hard_rollouts = hard;
    std::map<PromptId, std::vector<Outcome>> outcomes;
    for (const PromptId id : {1, 2, 3}) outcomes[id] = verdicts(10, 40);
    const Played p = play(controller, {{1, 2, 3}, {}, outcomes}, budget, controller.step() ? 1 : 0);
    std::uint64_t sum = 0;
    for (const PromptId id : {1, 2, 3}) {
      sum += p.requested(id);
      EXPECT_NE(p.requested(id), 1u);
    }
    EXPECT_EQ(sum, hard == 1 ? 0 : hard);
  }
}

TEST(Knapsack, BoundsOfTheRunHold) {
  Controller controller = controller_of("knapsack");
  Budget budget = budget_of(2, 40);
  budget.n_max = 9;
  const Played p =
      play(controller, {{1, 2}, {}, {{1, verdicts(4, 5)}, {2, verdicts(9, 0)}}}, budget);
  EXPECT_EQ(p.requested(1), 9u);  // 18 of 40: n_max is not broken to spend the rest
  EXPECT_EQ(p.requested(2), 9u);
  EXPECT_EQ(p.metrics.at("alloc/knapsack/relaxed"), 1);
}

TEST(Knapsack, AdvantagesAreClipped) {
  Controller controller = controller_of("knapsack", {{"alloc.group_size", "64"}});
  const Played p = play(controller, {{1}, {}, {{1, verdicts(1, 63)}}}, budget_of(1, 64));
  EXPECT_FLOAT_EQ(p.advantages(1)[0], 5);
}

TEST(Knapsack, RefusesABaseAboveTheMost) {
  EXPECT_THROW(controller_of("knapsack",
                             {{"alloc.knapsack.max_n", "4"}, {"alloc.knapsack.negative_n", "5"}}),
               Error);
  EXPECT_THROW(controller_of("knapsack", {{"alloc.knapsack.history", "65"}}), Error);
}

}  // namespace
}  // namespace allot
