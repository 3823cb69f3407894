// Golden numbers of Knapsack RL (acceptance tests 1 to 6 of its specification).
#include "allot/methods/parts/knapsack_plan.h"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "allot/core/random.h"
#include "allot/methods/testing/split_oracle.h"

namespace allot {
namespace {

using Counts = std::vector<std::uint32_t>;
using Rates = std::vector<std::optional<double>>;

KnapsackPlan planned(const Rates& rates, const KnapsackRule& rule, std::uint64_t budget) {
  std::vector<std::uint64_t> order(rates.size());
  std::iota(order.begin(), order.end(), 0u);
  return knapsack_plan(rates, rule, budget, order);
}

double total_value(const Counts& n, const Rates& rates) {
  double sum = 0;
  for (std::size_t i = 0; i < n.size(); ++i) sum += knapsack_value(n[i], *rates[i]);
  return sum;
}

TEST(KnapsackPlan, GainIsTheDifferenceOfValues) {
  for (const double p : {.02, .3, .5, .77, .99})
    for (std::uint32_t n = 1; n < 60; ++n) {
      EXPECT_NEAR(knapsack_gain(n, p), knapsack_value(n, p) - knapsack_value(n - 1, p), 1e-15);
      EXPECT_LE(knapsack_gain(n + 1, p), knapsack_gain(n, p));
    }
}

TEST(KnapsackPlan, HeapEqualsTheDynamicProgramme) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    RandomStream random({seed, RandomUse::Test, 41, 0, 0});
    const std::size_t prompts = 1 + random.below(6);
    const KnapsackRule rule{.n = 4, .min_n = 1, .max_n = 16, .confidence = .9999};
    Rates rates;
    for (std::size_t i = 0; i < prompts; ++i) rates.push_back(random.uniform());
    const std::uint64_t budget = prompts + random.below(6 * prompts);
    const KnapsackPlan plan = planned(rates, rule, budget);
    const auto value = [&](std::size_t i, std::uint32_t n) { return knapsack_value(n, *rates[i]); };
    EXPECT_NEAR(total_value(plan.n, rates),
                testing::best_split_value(value, prompts, {1, 16}, budget), 1e-12);
  }
}

TEST(KnapsackPlan, EightPrompts) {
  const Rates rates = {.05, .1, .2, .3, .5, .7, .9, .95};
  const KnapsackPlan plan = planned(rates, {}, 64);
  EXPECT_EQ(plan.n, (Counts{7, 16, 13, 10, 7, 7, 2, 2}));
  EXPECT_NEAR(total_value(plan.n, rates), .5261033, 5e-8);
  EXPECT_EQ(planned(rates, {}, 24).n, (Counts{2, 2, 4, 5, 4, 3, 2, 2}));
  // The released dynamic programme.
  const KnapsackPlan released = planned(rates, {.released = true}, 64);
  EXPECT_EQ(released.n, (Counts{6, 16, 13, 10, 7, 7, 3, 2}));
  EXPECT_NEAR(total_value(released.n, rates), .5252548, 5e-8);
  EXPECT_EQ(planned(rates, {.released = true}, 24).n, (Counts{2, 3, 4, 4, 4, 3, 2, 2}));
}

TEST(KnapsackPlan, Ceilings) {
  for (const auto& [p, wanted] : std::vector<std::pair<double, double>>{
           {.5, 3.32}, {.3, 6.46}, {.2, 10.32}, {.1, 21.85}, {.05, 44.89}}) {
    EXPECT_NEAR(useful_ceiling(p, .9), wanted, .005);
    EXPECT_NEAR(useful_ceiling(1 - p, .9), wanted, .005);
  }
}

TEST(KnapsackPlan, SurplusGoesToFailedPrompts) {
  const KnapsackPlan plan = planned({.5, 0., 0., 0., 1.}, {}, 40);
  EXPECT_EQ(plan.rest, 30u);
  EXPECT_EQ(plan.need, 3u);
  EXPECT_EQ(plan.surplus, 27u);
  EXPECT_EQ(plan.n, (Counts{5, 11, 11, 11, 2}));
}

TEST(KnapsackPlan, WithoutInformationEverybodyGetsTheSame) {
  EXPECT_EQ(planned({1., 1., 1.}, {}, 24).n, (Counts{8, 8, 8}));
  EXPECT_EQ(planned({{}, {}, {}}, {}, 24).n, (Counts{8, 8, 8}));
  // Failed prompts take what the base leaves.
  EXPECT_EQ(planned({0., 1., {}}, {}, 24).n, (Counts{14, 2, 8}));
  EXPECT_TRUE(planned({}, {}, 0).n.empty());
}

TEST(KnapsackPlan, SurplusWithoutUninformativePrompts) {
  // Ceilings of 3 each, but 40 to spend: the informative ones get all of it.
  EXPECT_EQ(planned({.5, .5}, {}, 40).n, (Counts{20, 20}));
  EXPECT_EQ(planned({.5, .5}, {.max_n = 20}, 40).n, (Counts{20, 20}));
}

TEST(KnapsackPlan, SumIsTheBudgetForEveryMix) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    RandomStream random({seed, RandomUse::Test, 42, 0, 0});
    const std::size_t prompts = 1 + random.below(20);
    Rates rates;
    const std::uint64_t kinds = 1 + random.below(15);  // which of the four classes appear
    while (rates.size() < prompts) {
      const std::uint64_t kind = random.below(4);
      if (!(kinds >> kind & 1)) continue;
      rates.push_back(kind == 0   ? std::nullopt
                      : kind == 1 ? std::optional(0.)
                      : kind == 2 ? std::optional(1.)
                                  : std::optional(random.uniform()));
    }
    const KnapsackRule rule{.max_n = static_cast<std::uint32_t>(8 + random.below(60))};
    const std::uint64_t budget = 2 * prompts + random.below((rule.max_n - 2) * prompts + 1);
    const KnapsackPlan plan = planned(rates, rule, budget);
    EXPECT_EQ(std::accumulate(plan.n.begin(), plan.n.end(), std::uint64_t{0}), budget);
    for (const std::uint32_t n : plan.n) EXPECT_TRUE(n >= 2 && n <= rule.max_n);
  }
}

}  // namespace
}  // namespace allot
