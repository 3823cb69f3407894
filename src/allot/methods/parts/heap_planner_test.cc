#include "allot/methods/parts/heap_planner.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/methods/testing/split_oracle.h"

namespace allot {
namespace {

using testing::best_split_value;
using Counts = std::vector<std::uint32_t>;

RandomStream heap_stream(std::uint64_t seed) {
  return RandomStream({seed, RandomUse::Test, 31, 0, 0});
}

std::vector<std::uint64_t> in_order(std::size_t n) {
  std::vector<std::uint64_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  return order;
}

TEST(HeapPlanner, ConcaveValuesAreSplitAsTheDynamicProgrammeDoes) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    RandomStream random = heap_stream(seed);
    const std::size_t prompts = 1 + random.below(6);
    const PerPrompt bounds{static_cast<std::uint32_t>(random.below(4)),
                           static_cast<std::uint32_t>(4 + random.below(10))};
    std::vector<std::vector<double>> gains(prompts);  // falling, with ties
    for (auto& list : gains) {
      for (std::uint32_t n = 0; n <= bounds.most; ++n)
        list.push_back(static_cast<double>(random.below(12)));
      std::sort(list.rbegin(), list.rend());
    }
    const Gain gain = [&](std::size_t i, std::uint32_t n) { return gains[i][n]; };
    const std::uint64_t budget =
        bounds.least * prompts + random.below((bounds.most - bounds.least) * prompts + 1);
    const Counts n = split_budget(gain, bounds, budget, in_order(prompts));
    EXPECT_EQ(std::accumulate(n.begin(), n.end(), std::uint64_t{0}), budget);
    const auto value = [&](std::size_t i, std::uint32_t count) {
      double sum = 0;
      for (std::uint32_t k = bounds.least + 1; k <= count; ++k) sum += gains[i][k];
      return sum;
    };
    double got = 0;
    for (std::size_t i = 0; i < prompts; ++i) {
      EXPECT_TRUE(n[i] >= bounds.least && n[i] <= bounds.most);
      got += value(i, n[i]);
    }
    EXPECT_NEAR(got, best_split_value(value, prompts, bounds, budget), 1e-9);
  }
}

TEST(HeapPlanner, TiesFollowTheGivenOrder) {
  const Gain flat = [](std::size_t, std::uint32_t) { return 1.0; };
  const std::vector<std::uint64_t> order = {2, 0, 1};
  EXPECT_EQ(split_budget(flat, {1, 3}, 5, order), (Counts{1, 3, 1}));
  EXPECT_EQ(split_budget(flat, {2, 2}, 6, order), (Counts{2, 2, 2}));
  EXPECT_TRUE(split_budget(flat, {2, 4}, 0, {}).empty());
  EXPECT_THROW(split_budget(flat, {2, 4}, 5, order), Error);
  EXPECT_THROW(split_budget(flat, {2, 4}, 13, order), Error);
}

TEST(HeapPlanner, TieOrderIsAPermutationOfSeedAndIds) {
  const std::vector<PromptId> ids = {9, 4, 70, 1, 33};
  const auto order = fixed_tie_order(ids, 5);
  EXPECT_EQ(std::set<std::uint64_t>(order.begin(), order.end()).size(), ids.size());
  EXPECT_LT(*std::max_element(order.begin(), order.end()), ids.size());
  EXPECT_EQ(fixed_tie_order(ids, 5), order);
  std::set<std::vector<std::uint64_t>> distinct;
  for (std::uint64_t seed = 0; seed < 20; ++seed) distinct.insert(fixed_tie_order(ids, seed));
  EXPECT_GT(distinct.size(), 10u);
  // Which of two prompts comes first does not depend on the others beside them.
  const auto pair = fixed_tie_order(std::vector<PromptId>{9, 70}, 5);
  EXPECT_EQ(pair[0] < pair[1], order[0] < order[2]);
}

TEST(HeapPlanner, EvenSplit) {
  const std::vector<std::uint64_t> order = {2, 0, 1};
  EXPECT_EQ(even_split(8, order), (Counts{2, 3, 3}));
  EXPECT_EQ(even_split(9, order), (Counts{3, 3, 3}));
  EXPECT_TRUE(even_split(9, {}).empty());
}

TEST(HeapPlanner, UnknownPromptsGetTheMean) {
  const Gain gain = [](std::size_t i, std::uint32_t n) { return (i + 1.0) / n; };
  const auto split = [&](const std::vector<bool>& known, PerPrompt bounds, std::uint64_t budget) {
    return split_known(gain, known, bounds, budget, in_order(known.size()));
  };
  EXPECT_EQ(split({false, true, false, true}, {2, 20}, 32), (Counts{8, 5, 8, 11}));
  EXPECT_EQ(split({false, false, false}, {2, 20}, 10), (Counts{4, 3, 3}));
  EXPECT_EQ(split({true, true}, {2, 20}, 9), split_budget(gain, {2, 20}, 9, in_order(2)));
  EXPECT_TRUE(split({}, {2, 20}, 0).empty());
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    RandomStream random = heap_stream(seed);
    std::vector<bool> known(random.below(9));
    for (std::size_t i = 0; i < known.size(); ++i) known[i] = random.uniform() < .5;
    const PerPrompt bounds{2, static_cast<std::uint32_t>(2 + random.below(9))};
    const std::uint64_t budget =
        2 * known.size() + random.below((bounds.most - 2) * known.size() + 1);
    const Counts n = split(known, bounds, budget);
    EXPECT_EQ(std::accumulate(n.begin(), n.end(), std::uint64_t{0}), budget);
    for (const std::uint32_t count : n) EXPECT_TRUE(count >= 2 && count <= bounds.most);
  }
}

TEST(FeasibleStep, FitsAnyBudget) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    RandomStream random = heap_stream(seed);
    const auto upto = [&](std::uint64_t n) { return static_cast<std::uint32_t>(random.below(n)); };
    const std::size_t prompts = random.below(20);
    PerPrompt wanted{2 + upto(6), 0}, allowed{2 + upto(3), 0};
    wanted.most = wanted.least + upto(20);
    allowed.most = random.uniform() < .5 ? 1u << 31 : allowed.least + upto(20);
    const std::uint64_t budget = random.below(400);
    const FeasibleStep step = feasible_step(prompts, wanted, allowed, budget);
    EXPECT_LE(step.prompts, prompts);
    EXPECT_LE(step.budget, budget);
    EXPECT_LE(std::uint64_t{step.bounds.least} * step.prompts, step.budget);
    EXPECT_GE(std::uint64_t{step.bounds.most} * step.prompts, step.budget);
    EXPECT_GE(step.bounds.least, allowed.least);
    EXPECT_LE(step.bounds.most, allowed.most);
    // Nothing is left that could be spent.
    if (prompts > 0 && step.budget < budget) {
      EXPECT_TRUE(step.prompts == 0 ? budget < allowed.least
                                    : step.budget == std::uint64_t{allowed.most} * step.prompts);
    }
  }
  EXPECT_FALSE(feasible_step(4, {2, 8}, {2, 1000}, 32).relaxed);
  EXPECT_TRUE(feasible_step(4, {2, 8}, {2, 1000}, 33).relaxed);
  EXPECT_EQ(feasible_step(4, {2, 8}, {2, 1000}, 33).bounds.most, 9u);
  EXPECT_EQ(feasible_step(4, {3, 8}, {2, 1000}, 9).bounds.least, 2u);
  EXPECT_EQ(feasible_step(4, {3, 8}, {2, 1000}, 5).prompts, 2u);
}

TEST(StepRollouts, AimCapsAndFewerCandidates) {
  Budget budget;
  EXPECT_EQ(step_rollouts(budget, 10, 8), 80u);
  budget.groups = 10;
  budget.rollouts = 100;
  EXPECT_EQ(step_rollouts(budget, 10, 8), 100u);
  EXPECT_EQ(step_rollouts(budget, 4, 8), 40u);
  EXPECT_EQ(step_rollouts(budget, 12, 8), 100u);
  budget.hard_rollouts = 64;
  EXPECT_EQ(step_rollouts(budget, 10, 8), 64u);
  budget.run_rollouts = 50;
  EXPECT_EQ(step_rollouts(budget, 10, 8), 50u);
  budget = {};
  budget.n_min = 4, budget.n_max = 9;
  EXPECT_EQ(allowed_bounds(budget).least, 4u);
  EXPECT_EQ(allowed_bounds(budget).most, 9u);
  EXPECT_EQ(allowed_bounds({}).least, 2u);
}

}  // namespace
}  // namespace allot
