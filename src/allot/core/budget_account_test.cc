#include "allot/core/budget_account.h"

#include <string>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "allot/core/error.h"
#include "allot/core/state.h"

namespace allot {
namespace {

BudgetAccount opened(const Budget& budget, std::uint64_t step = 0) {
  BudgetAccount account;
  account.open(budget, step, 0);
  return account;
}

TEST(BudgetAccount, SoftTargetsCountDownToZero) {
  BudgetAccount account = opened({.groups = 4, .rollouts = 10, .tokens = 100, .max_tokens = 50});
  account.reserve(8, "m");
  EXPECT_EQ(account.left().rollouts, 2u);
  EXPECT_EQ(account.left().tokens, 100u);
  account.reserve(8, "m");
  EXPECT_EQ(account.left().rollouts, 0u);
  for (int i = 0; i < 4; ++i) account.settle(50);
  EXPECT_EQ(account.left().tokens, 1u);  // used up; 0 would mean that there is no target
  EXPECT_EQ(account.left().groups, 4u);
  EXPECT_EQ(opened({.rollouts = 3}).left().tokens, 0u);
}

TEST(BudgetAccount, ReservesTheLongestAnswerAndReturnsTheUnusedPart) {
  BudgetAccount account = opened({.hard_tokens = 1000, .max_tokens = 100});
  account.reserve(10, "m");
  EXPECT_EQ(account.left().hard_tokens, 0u);
  EXPECT_THROW(account.reserve(1, "m"), Error);
  account.settle(30);
  EXPECT_EQ(account.left().hard_tokens, 70u);
  EXPECT_THROW(account.reserve(1, "m"), Error);
  account.settle(70);
  EXPECT_EQ(account.left().hard_tokens, 100u);
  account.reserve(1, "m");
  EXPECT_EQ(account.left().hard_tokens, 0u);
}

std::string refusal(BudgetAccount& account, std::uint32_t n) {
  try {
    account.reserve(n, "greedy");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Internal);
    return error.what();
  }
  return {};
}

TEST(BudgetAccount, BeyondAHardCapNamesTheMethodAndBothNumbers) {
  BudgetAccount account = opened({.hard_rollouts = 10});
  account.reserve(7, "greedy");
  const std::string message = refusal(account, 4);
  for (const char* part : {"greedy", "4 rollouts", "only 3 are left", "hard_rollouts"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
  EXPECT_EQ(account.left().hard_rollouts, 3u);  // nothing was booked
  account.reserve(3, "greedy");
  EXPECT_NE(refusal(account, 1).find("hard_rollouts"), std::string::npos);

  BudgetAccount run = opened({.run_rollouts = 5});
  EXPECT_NE(refusal(run, 6).find("run_rollouts"), std::string::npos);
  BudgetAccount tokens = opened({.hard_tokens = 99, .max_tokens = 50});
  EXPECT_NE(refusal(tokens, 2).find("hard_tokens"), std::string::npos);
}

TEST(BudgetAccount, HugeRequestsDoNotWrapAround) {
  BudgetAccount account = opened({.hard_tokens = 1000, .max_tokens = 0xffffffff});
  EXPECT_NE(refusal(account, 0xffffffff), "");
}

TEST(BudgetAccount, RunWideFieldsOutliveTheStep) {
  const Budget budget{.hard_rollouts = 8, .run_rollouts = 20, .run_steps = 3};
  BudgetAccount account = opened(budget);
  EXPECT_EQ(account.left().run_steps, 3u);
  account.reserve(8, "m");
  account.open(budget, 1, 0);
  EXPECT_EQ(account.left().hard_rollouts, 8u);
  EXPECT_EQ(account.left().run_rollouts, 12u);
  EXPECT_EQ(account.left().run_steps, 2u);
  account.reserve(8, "m");
  account.open(budget, 2, 0);
  EXPECT_EQ(account.left().run_rollouts, 4u);
  EXPECT_NE(refusal(account, 5).find("run_rollouts"), std::string::npos);
  account.open(budget, 3, 0);
  EXPECT_EQ(account.left().run_steps, 0u);
  account.open(budget, 4, 0);
  EXPECT_EQ(account.left().run_steps, 0u);  // past the horizon it stays at its end
}

TEST(BudgetAccount, TheLengthOfAnAnswerMustBeKnown) {
  BudgetAccount account;
  EXPECT_THROW(account.open({.hard_tokens = 10}, 0, 0), Error);
  account.open({.hard_tokens = 10}, 0, 5);
  EXPECT_EQ(account.max_tokens(), 5u);
  EXPECT_EQ(account.left().max_tokens, 5u);
  EXPECT_THROW(account.open({.max_tokens = 6}, 0, 5), Error);
  account.open({.max_tokens = 4}, 0, 5);
  EXPECT_EQ(account.max_tokens(), 4u);
}

// Whatever is asked for and settled, spending plus what is open stays within the caps, and a
// request passes exactly when it fits.
TEST(BudgetAccount, CapsHoldForEverySequence) {
  EXPECT_TRUE(rc::check([] {
    const std::uint64_t cap = *rc::gen::inRange(0, 60), token_cap = *rc::gen::inRange(0, 600);
    const auto longest = static_cast<std::uint32_t>(*rc::gen::inRange(1, 20));
    BudgetAccount account =
        opened({.hard_rollouts = cap, .hard_tokens = token_cap, .max_tokens = longest});
    std::uint64_t issued = 0, open = 0, used = 0;
    for (int i = 0; i < 60; ++i) {
      if (open > 0 && *rc::gen::arbitrary<bool>()) {
        const auto tokens = static_cast<std::uint32_t>(*rc::gen::inRange(0u, longest + 1));
        account.settle(tokens);
        --open;
        used += tokens;
      } else {
        const auto n = static_cast<std::uint32_t>(*rc::gen::inRange(1, 12));
        const bool fits = issued + n <= cap && used + (open + n) * longest <= token_cap;
        RC_ASSERT(refusal(account, n).empty() == fits);
        if (fits) {
          issued += n;
          open += n;
        }
      }
      RC_ASSERT(*account.left().hard_rollouts == cap - issued);
      RC_ASSERT(*account.left().hard_tokens == token_cap - used - open * longest);
    }
  }));
}

TEST(BudgetAccount, RoundTrip) {
  const Budget budget{.groups = 2,
                      .rollouts = 9,
                      .tokens = 70,
                      .hard_rollouts = 9,
                      .hard_tokens = 90,
                      .run_rollouts = 40,
                      .run_steps = 7,
                      .n_min = 1,
                      .n_max = 5,
                      .max_tokens = 10};
  BudgetAccount account = opened(budget, 2);
  account.reserve(4, "m");
  account.settle(3);
  BudgetAccount read;
  load_state("b", 1, save_state("b", 1, account), read);
  EXPECT_EQ(save_state("b", 1, read), save_state("b", 1, account));
  EXPECT_EQ(read.left().hard_tokens, account.left().hard_tokens);
  EXPECT_EQ(read.left().run_steps, 5u);
}

}  // namespace
}  // namespace allot
