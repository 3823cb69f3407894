// Golden numbers of CoBA (acceptance tests 1 to 4 of its specification).
#include "allot/methods/parts/capability.h"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "allot/core/random.h"
#include "allot/methods/testing/split_oracle.h"

namespace allot {
namespace {

using Counts = std::vector<std::uint32_t>;

Counts split(const Capability& capability, const std::vector<double>& rates, double tau,
             PerPrompt bounds, std::uint64_t budget) {
  std::vector<std::uint64_t> order(rates.size());
  std::iota(order.begin(), order.end(), 0u);
  return split_budget(
      [&](std::size_t i, std::uint32_t n) { return capability_gain(capability, n, rates[i], tau); },
      bounds, budget, order);
}

TEST(Capability, ShapeFollowsTheFailureRate) {
  const CapabilityOptions options;
  for (const auto& [failure, a] : std::vector<std::pair<double, double>>{{0, 1.554},
                                                                         {.2, 1.879},
                                                                         {.3, 2.454},
                                                                         {.4, 3.652},
                                                                         {.5, 5.5},
                                                                         {.6, 6.3},
                                                                         {.8, 7.9},
                                                                         {1, 9.5}}) {
    EXPECT_NEAR(capability_of(failure, options).a, a, 5e-4) << failure;
    EXPECT_DOUBLE_EQ(capability_of(failure, options).b, 11 - capability_of(failure, options).a);
  }
  EXPECT_NEAR(capability_of(.5 - 1e-9, options).a, capability_of(.5 + 1e-9, options).a, 1e-6);
}

TEST(Capability, DensityIntegratesToOneWithItsMode) {
  const Capability capability{2.5, 8.5};
  double mass = 0, best = 0, mode = 0;
  for (int i = 0; i < 100000; ++i) {
    const double p = (i + .5) / 100000, density = capability.density(p);
    mass += density / 100000;
    if (density > best) best = density, mode = p;
  }
  EXPECT_NEAR(mass, 1, 1e-8);
  EXPECT_NEAR(mode, capability.mode(), 1e-4);
}

TEST(Capability, EightPrompts) {
  const std::vector<double> rates = {.05, .1, .2, .3, .5, .7, .9, .95};
  const auto at = [&](double a, double tau) {
    return split({a, 11 - a}, rates, tau, {2, 128}, 128);
  };
  EXPECT_EQ(at(2.5, 4), (Counts{2, 44, 43, 31, 2, 2, 2, 2}));
  EXPECT_EQ(at(7.3, 4), (Counts{2, 2, 2, 2, 37, 54, 27, 2}));
  EXPECT_EQ(at(2.5, 1), (Counts{38, 34, 24, 18, 8, 2, 2, 2}));
  EXPECT_EQ(at(7.3, 1), (Counts{2, 2, 2, 12, 20, 27, 38, 25}));
}

TEST(Capability, HeapEqualsTheDynamicProgramme) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    RandomStream random({seed, RandomUse::Test, 51, 0, 0});
    const std::size_t prompts = 1 + random.below(6);
    std::vector<double> rates;
    for (std::size_t i = 0; i < prompts; ++i) rates.push_back(random.uniform());
    const Capability capability = capability_of(random.uniform(), {});
    const std::uint64_t budget = 2 * prompts + random.below(14 * prompts + 1);
    const auto value = [&](std::size_t i, std::uint32_t n) {
      return capability_value(capability, n, rates[i], 4);
    };
    const Counts n = split(capability, rates, 4, {2, 16}, budget);
    double got = 0;
    for (std::size_t i = 0; i < prompts; ++i) got += value(i, n[i]);
    EXPECT_NEAR(got, testing::best_split_value(value, prompts, {2, 16}, budget), 1e-12);
  }
}

TEST(Capability, SolvedAndFailedPromptsComeLast) {
  for (double a = 1.5; a <= 9.5; a += .5) {
    const Capability capability{a, 11 - a};
    for (const double p : {0., 1.})
      for (const std::uint32_t n : {1u, 8u}) {
        EXPECT_EQ(capability_gain(capability, n, p, 4), 0);
        EXPECT_EQ(capability_value(capability, n, p, 4), 0);
      }
    const Counts n = split(capability, {0, .4, 1, .6}, 4, {2, 10}, 20);
    EXPECT_EQ(n[0] + n[2], 4u);
  }
  // Surplus reaches them only when every other prompt has the most.
  EXPECT_EQ(split({5, 6}, {0, .4, 1}, 4, {2, 10}, 16), (Counts{4, 10, 2}));
}

TEST(Capability, GainIsTheDifferenceOfValues) {
  const Capability capability{3, 8};
  for (const double p : {.001, .2, .5, .999})
    for (std::uint32_t n = 1; n < 100; ++n)
      EXPECT_NEAR(capability_gain(capability, n, p, 4),
                  capability_value(capability, n, p, 4) - capability_value(capability, n - 1, p, 4),
                  1e-14);
}

TEST(MovingMean, ForgetsTheOldest) {
  MovingMean mean;
  EXPECT_TRUE(mean.empty());
  EXPECT_EQ(mean.mean(), 0);
  for (int i = 1; i <= 5; ++i) mean.add(i, 3);
  EXPECT_DOUBLE_EQ(mean.mean(), 4);
}

}  // namespace
}  // namespace allot
