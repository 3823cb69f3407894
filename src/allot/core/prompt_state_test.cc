// States of prompts by hand, and what unanimous verdicts leave open against the binomial sum.
#include "allot/core/prompt_state.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace allot {
namespace {

using Visits = std::vector<std::pair<int, int>>;  // verdicts, right ones

PromptState after(const Visits& visits, std::uint64_t least = kLeastVerdicts) {
  VerdictStreak streak;
  for (const auto& [verdicts, right] : visits)
    streak.visit(static_cast<std::uint64_t>(verdicts), static_cast<std::uint64_t>(right));
  return streak.now(least);
}

TEST(PromptState, FollowsTheLatestVisits) {
  EXPECT_EQ(after({}), PromptState::Unseen);
  EXPECT_EQ(after({{0, 0}}), PromptState::Unseen);  // planned, but nothing was scored
  EXPECT_EQ(after({{4, 0}}), PromptState::Dead);
  EXPECT_EQ(after({{8, 8}}), PromptState::Solved);
  EXPECT_EQ(after({{8, 1}}), PromptState::Mixed);
  EXPECT_EQ(after({{8, 0}, {8, 3}, {8, 8}}), PromptState::Solved);  // learned
  EXPECT_EQ(after({{8, 8}, {8, 0}}), PromptState::Dead);            // forgotten
  EXPECT_EQ(after({{8, 8}, {0, 0}}), PromptState::Solved);          // a visit without verdicts
}

TEST(PromptState, NeedsEnoughEqualVerdicts) {
  EXPECT_EQ(after({{2, 0}}), PromptState::Mixed);
  EXPECT_EQ(after({{2, 0}, {2, 0}}), PromptState::Dead);
  EXPECT_EQ(after({{2, 0}, {2, 2}, {2, 2}}), PromptState::Solved);
  EXPECT_EQ(after({{2, 0}}, 1), PromptState::Dead);
  EXPECT_EQ(after({{8, 8}}, 9), PromptState::Mixed);
  EXPECT_EQ(after({{8, 8}}, 0), PromptState::Solved);
}

TEST(PromptState, TheBoundIsWhereUnanimityBecomesUnlikely) {
  EXPECT_EQ(pass_rate_bound(0), 1);
  for (const std::uint64_t n : {1u, 4u, 8u, 64u}) {
    double none = 1;  // probability of n wrong answers at that pass rate
    for (std::uint64_t i = 0; i < n; ++i) none *= 1 - pass_rate_bound(n);
    EXPECT_NEAR(none, 0.05, 1e-12);
  }
  EXPECT_NEAR(pass_rate_bound(4), 0.5271, 1e-4);
}

TEST(PromptState, HasNames) {
  EXPECT_STREQ(name(PromptState::Dead), "dead");
  EXPECT_STREQ(name(PromptState::Unseen), "unseen");
}

}  // namespace
}  // namespace allot
