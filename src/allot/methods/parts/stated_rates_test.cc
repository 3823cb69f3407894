#include "allot/methods/parts/stated_rates.h"

#include <gtest/gtest.h>

namespace allot {
namespace {

void expect_beta(const BetaPrior& prior, double a, double b) {
  EXPECT_DOUBLE_EQ(prior.a, a);
  EXPECT_DOUBLE_EQ(prior.b, b);
}

TEST(StatedRates, ARateCountsForSoManyRollouts) {
  expect_beta(stated_prior(.75f, {1, 1}, 8), 6, 2);
  expect_beta(stated_prior(.25f, {3, 7}, 0), 2.5, 7.5);  // as many as the method's own prior
  expect_beta(stated_prior(std::nullopt, {3, 7}, 8), 3, 7);
}

TEST(StatedRates, NoRateMakesAnOutcomeImpossible) {
  expect_beta(stated_prior(1.f, {1, 1}, 100), 98, 2);
  expect_beta(stated_prior(0.f, {1, 1}, 100), 2, 98);
}

TEST(StatedRates, RemembersThoseThatHaveOne) {
  StatedRates rates(4);
  const PromptRef shown[] = {{.id = 1, .prior_pass_rate = .5f}, {.id = 2}};
  rates.show(shown);
  EXPECT_EQ(rates.rate(1), .5f);
  EXPECT_EQ(rates.rate(2), std::nullopt);
  expect_beta(rates.prior(1, {1, 9}), 2, 2);
  expect_beta(rates.prior(2, {1, 9}), 1, 9);
  rates.clear();
  EXPECT_EQ(rates.rate(1), std::nullopt);
}

}  // namespace
}  // namespace allot
