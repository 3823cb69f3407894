#include "allot/methods/parts/run_horizon.h"

#include <gtest/gtest.h>

namespace allot {
namespace {

BatchView view_of(std::uint64_t step, std::optional<std::uint64_t> rollouts,
                  std::optional<std::uint64_t> steps) {
  BatchView view{.step = step};
  view.budget.groups = 4;
  view.budget.run_rollouts = rollouts;
  view.budget.run_steps = steps;
  return view;
}

TEST(RunHorizon, BothGiven) {
  RunHorizon horizon;
  horizon.open(view_of(0, 1000, 50), 8);
  EXPECT_TRUE(horizon.limited());
  EXPECT_EQ(horizon.rounds(), 50);
  EXPECT_EQ(horizon.mean(), 20);
  EXPECT_EQ(horizon.left(), 1000u);
  EXPECT_EQ(horizon.rounds_after_this(), 49);
  horizon.close(26);
  EXPECT_EQ(horizon.surplus(), 6);
  horizon.open(view_of(1, 970, 49), 8);  // something else spent four more
  EXPECT_EQ(horizon.rounds(), 50);
  EXPECT_EQ(horizon.rollouts(), 1000);
  EXPECT_EQ(horizon.left(), 970u);
  EXPECT_EQ(horizon.rounds_after_this(), 48);
}

TEST(RunHorizon, WithoutABudgetStepsOfTheUsualSizeCount) {
  RunHorizon horizon;
  horizon.open(view_of(0, {}, 10), 8);
  EXPECT_TRUE(horizon.limited());
  EXPECT_EQ(horizon.rollouts(), 320);
  horizon.close(300);
  horizon.open(view_of(1, {}, 9), 8);
  EXPECT_EQ(horizon.left(), 20u);
  horizon.close(20);
  horizon.open(view_of(2, {}, 8), 8);
  EXPECT_EQ(horizon.left(), 0u);
  // A longer run gets the budget of its further steps.
  horizon.open(view_of(11, {}, 0), 8);
  EXPECT_EQ(horizon.rounds(), 12);
  EXPECT_EQ(horizon.left(), 12u * 32 - 320);
}

TEST(RunHorizon, WithoutALengthTheBudgetGivesIt) {
  RunHorizon horizon;
  horizon.open(view_of(0, 1000, {}), 8);
  EXPECT_EQ(horizon.rounds(), 32);  // 31.25 steps of 32
  EXPECT_TRUE(horizon.limited());
}

TEST(RunHorizon, OpenEnded) {
  RunHorizon horizon;
  horizon.open(view_of(700, {}, {}), 8);
  EXPECT_FALSE(horizon.limited());
  EXPECT_EQ(horizon.rounds(), 500);
  EXPECT_EQ(horizon.mean(), 32);
  EXPECT_EQ(horizon.left(), std::numeric_limits<std::uint64_t>::max());
  BatchView empty;
  horizon.open(empty, 8);
  EXPECT_EQ(horizon.rollouts(), 0);
}

}  // namespace
}  // namespace allot
