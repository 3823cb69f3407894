#include "allot/lm/decode_plan.h"

#include <gtest/gtest.h>

namespace allot::lm {
namespace {

constexpr std::size_t kSmall = 1 << 20, kLarge = std::size_t{1} << 30;

void expect_plan(const DecodePlan& plan, int workers, int members, int slots) {
  EXPECT_EQ(plan.workers, workers);
  EXPECT_EQ(plan.members, members);
  EXPECT_EQ(plan.slots, slots);
  EXPECT_GE(plan.rows(), plan.slots);
}

TEST(DecodePlan, GivesEveryWorkerSequencesOfItsOwnWhereWeightsAreSmall) {
  expect_plan(plan_decoding({4, 64}, 1000, kSmall), 4, 1, 64);
  expect_plan(plan_decoding({2, 512}, 1000, kSmall), 2, 1, 500);
}

TEST(DecodePlan, MakesOneTeamWhereWeightsAreLarge) {
  expect_plan(plan_decoding({4, 64}, 1000, kLarge), 1, 4, 256);
  expect_plan(plan_decoding({1, 64}, 1000, kLarge), 1, 1, 64);
}

TEST(DecodePlan, SharesFewSequencesEqually) {
  expect_plan(plan_decoding({4, 64}, 10, kSmall), 4, 1, 3);
  expect_plan(plan_decoding({4, 64}, 3, kSmall), 3, 1, 1);
  expect_plan(plan_decoding({4, 64}, 3, kLarge), 1, 3, 3);
  expect_plan(plan_decoding({4, 64}, 0, kSmall), 1, 1, 1);
}

}  // namespace
}  // namespace allot::lm
