// Golden cases of Reinforce-Ada with estimated pass rates (acceptance tests 6 and 7 of the method's
// specification).
#include <cmath>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/methods/enumeration.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::alloc_options;
using testing::budget_of;
using testing::controller_of;
using testing::play;
using testing::Played;
using testing::Settings;
using testing::verdicts;

const std::string kAt = "alloc.reinforce_ada_est.";

// Acceptance test 7: the counts before the third visit are K = .5 * 8 + 0, N = .5 * 8 + 8.
TEST(ReinforceAdaEst, CountsDecay) {
  Controller controller = controller_of("reinforce_ada_est", {{kAt + "decay", "0.5"}});
  const auto visit = [&](std::uint32_t right, Version policy) {
    return play(controller, {{7}, {}, {{7, verdicts(right, 8 - right)}}}, budget_of(1, 8), policy)
        .metrics.at("alloc/reinforce_ada_est/rate_mean");
  };
  EXPECT_EQ(visit(8, 0), .5);
  EXPECT_DOUBLE_EQ(visit(0, 0), .9);
  EXPECT_DOUBLE_EQ(visit(4, 0), 5.0 / 14);
}

TEST(ReinforceAdaEst, RolloutsFollowTheInverseRoot) {
  Controller controller =
      controller_of("reinforce_ada_est", {{kAt + "decay", "1"}, {kAt + "eps", "0.000001"}});
  testing::Script script{{1, 2}, {}, {{1, verdicts(8, 24)}, {2, verdicts(32, 0)}}};
  const Played first = play(controller, script, budget_of(2, 32), 0);
  EXPECT_EQ(first.requested(1), 16u);
  EXPECT_EQ(first.requested(2), 16u);
  const Played second = play(controller, script, budget_of(2, 32), 1);
  const double a = 1 / std::sqrt(9.0 / 18), b = 1 / std::sqrt(17.0 / 18);
  EXPECT_EQ(second.requested(1), static_cast<std::uint32_t>(std::lround(32 * a / (a + b))));
  EXPECT_EQ(second.requested(1) + second.requested(2), 32u);
  EXPECT_EQ(second.metrics.at("alloc/reinforce_ada_est/n_max"), second.requested(1));
}

TEST(ReinforceAdaEst, WeightIsTheOtherFactor) {
  Controller controller = controller_of("reinforce_ada_est");
  const Played p = play(controller, {{7}, {}, {{7, verdicts(2, 6)}}}, budget_of(1, 8));
  ASSERT_EQ(p.batch.items.size(), 8u);
  EXPECT_EQ(p.batch.norm, Norm::PerToken);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_FLOAT_EQ(p.batch.items[i].advantage, i < 2 ? .75f : -.25f);
    EXPECT_FLOAT_EQ(p.batch.items[i].weight, float(1 / std::sqrt(.26)));
  }
  Controller other = controller_of("reinforce_ada_est");
  const Played none = play(other, {{7}, {}, {{7, verdicts(0, 8)}}}, budget_of(1, 8));
  EXPECT_TRUE(none.batch.items.empty());
  EXPECT_EQ(none.report(7).cause, ZeroCause::AllWrong);
}

// With many rollouts the weights alone make the gradient of 2 sqrt(p).
TEST(ReinforceAdaEst, ScaleIsTheInverseRoot) {
  const auto all = courses_of(alloc_options("reinforce_ada_est", {{"alloc.group_size", "256"},
                                                                  {kAt + "eps", "0.000001"},
                                                                  {kAt + "n_max", "256"}}),
                              {});
  for (const double p : {.25, .5, .9}) EXPECT_NEAR(gradient_scale(all, p) * std::sqrt(p), 1, .01);
}

TEST(ReinforceAdaEst, BoundsAndSmallBudgets) {
  Controller controller = controller_of("reinforce_ada_est");
  Budget budget = budget_of(3, 24);
  budget.hard_rollouts = 5;
  const Played p =
      play(controller, {{1, 2, 3}, {}, {{1, verdicts(1, 7)}, {2, verdicts(1, 7)}}}, budget);
  EXPECT_EQ(p.requested(1) + p.requested(2), 5u);
  EXPECT_EQ(p.requested(3), 0u);
  // A source with fewer prompts than wanted gets their share of the budget.
  Controller few = controller_of("reinforce_ada_est");
  EXPECT_EQ(play(few, {{1}, {}, {{1, verdicts(1, 31)}}}, budget_of(10, 80)).requested(1), 8u);
  Controller bounded = controller_of("reinforce_ada_est");
  Budget at_most = budget_of(1, 8);
  at_most.n_max = 6;
  EXPECT_EQ(play(bounded, {{1}, {}, {{1, verdicts(1, 31)}}}, at_most).requested(1), 6u);
}

TEST(ReinforceAdaEst, RefusesBoundsThatDoNotFit) {
  EXPECT_THROW(controller_of("reinforce_ada_est", {{"alloc.group_size", "1"}}), Error);
  EXPECT_THROW(controller_of("reinforce_ada_est", {{kAt + "n_min", "9"}}), Error);
  EXPECT_THROW(controller_of("reinforce_ada_est", {{kAt + "n_max", "7"}}), Error);
}

}  // namespace
}  // namespace allot
