#include "allot/methods/parts/max_variance.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "allot/core/random.h"
#include "allot/methods/parts/advantages.h"

namespace allot {
namespace {

struct VarianceSubset {
  std::vector<std::uint32_t> kept;
  std::uint32_t from_top = 0;
};

VarianceSubset max_variance_subset(const std::vector<double>& rewards, std::uint32_t m) {
  Ragged<std::uint32_t> kept;
  kept.add(std::vector<std::uint32_t>{7});  // what is there already stays
  const std::uint32_t from_top = add_max_variance_subset(rewards, m, kept);
  EXPECT_TRUE(kept.size() == 2 && kept[0].size() == 1 && kept[0][0] == 7);
  return {{kept[1].begin(), kept[1].end()}, from_top};
}

double variance(const std::vector<double>& values) {
  const double deviation = standard_deviation(values, 0);
  return deviation * deviation;
}

std::vector<double> picked(const std::vector<double>& rewards,
                           const std::vector<std::uint32_t>& indices) {
  std::vector<double> out;
  for (const std::uint32_t i : indices) out.push_back(rewards[i]);
  return out;
}

// Over all subsets of m.
double largest_variance(const std::vector<double>& rewards, std::uint32_t m) {
  double best = 0;
  for (std::uint32_t mask = 0; mask < (1u << rewards.size()); ++mask) {
    if (static_cast<std::uint32_t>(std::popcount(mask)) != m) continue;
    std::vector<double> subset;
    for (std::size_t i = 0; i < rewards.size(); ++i)
      if (mask >> i & 1) subset.push_back(rewards[i]);
    best = std::max(best, variance(subset));
  }
  return best;
}

// Acceptance test 1: scan = brute force, 400 instances with and without ties.
TEST(MaxVariance, ScanEqualsBruteForce) {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    RandomStream random({seed, RandomUse::Test, 0, 0, 0});
    const auto n = 1 + static_cast<std::uint32_t>(random.below(12));
    const auto m = 1 + static_cast<std::uint32_t>(random.below(std::min(6u, n)));
    const bool ties = random.uniform() < .5;
    const double offset = random.uniform() < .3 ? 1000 : 0;
    std::vector<double> rewards;
    for (std::uint32_t i = 0; i < n; ++i)
      rewards.push_back(offset + (ties ? double(random.below(4)) / 3 : random.normal()));
    const VarianceSubset got = max_variance_subset(rewards, m);
    ASSERT_EQ(got.kept.size(), m);
    EXPECT_TRUE(std::is_sorted(got.kept.begin(), got.kept.end()));
    EXPECT_EQ(std::adjacent_find(got.kept.begin(), got.kept.end()), got.kept.end());
    EXPECT_NEAR(variance(picked(rewards, got.kept)), largest_variance(rewards, m),
                offset > 0 ? 1e-9 : 1e-12);
  }
}

std::vector<double> kept_rewards(const std::vector<double>& rewards, std::uint32_t m) {
  auto kept = picked(rewards, max_variance_subset(rewards, m).kept);
  std::sort(kept.rbegin(), kept.rend());
  return kept;
}

// Acceptance test 2.
TEST(MaxVariance, WorkedExamples) {
  const auto a = kept_rewards({1, .7, .6, .2, .1, 0}, 4);
  EXPECT_EQ(a, (std::vector<double>{1, .7, .1, 0}));
  EXPECT_NEAR(variance(a), .1725, 1e-12);
  const auto b = kept_rewards({1, 1, .9, .9, .1, 0}, 3);
  EXPECT_EQ(b, (std::vector<double>{1, 1, 0}));
  EXPECT_NEAR(variance(b), .222222, 5e-7);
}

// Acceptance test 3.
TEST(MaxVariance, BinaryRewards) {
  std::vector<double> rewards(64, 0);
  for (const std::size_t i : {5u, 20u, 63u}) rewards[i] = 1;
  const auto few = kept_rewards(rewards, 16);
  EXPECT_EQ(std::accumulate(few.begin(), few.end(), 0.0), 3);
  EXPECT_NEAR(variance(few), .152344, 5e-7);
  for (std::size_t i = 30; i < 47; ++i) rewards[i] = 1;
  const auto half = kept_rewards(rewards, 16);
  EXPECT_EQ(std::accumulate(half.begin(), half.end(), 0.0), 8);
}

TEST(MaxVariance, TiesTakeTheSmallestCountFromTheTop) {
  for (const std::uint32_t m : {3u, 5u, 7u}) {
    const std::vector<double> binary = {1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0};
    EXPECT_EQ(max_variance_subset(binary, m).from_top, (m - 1) / 2);
    std::vector<double> moved;  // the same with rewards that binary fractions cannot hold
    for (const double r : binary) moved.push_back(.1 + .3 * r);
    EXPECT_EQ(max_variance_subset(moved, m).from_top, (m - 1) / 2);
  }
  // Among equal rewards the first count as larger.
  EXPECT_EQ(max_variance_subset(std::vector<double>{0, 1, 1, 0, 1, 0}, 2).kept,
            (std::vector<std::uint32_t>{1, 5}));
}

// Acceptance test 6.
TEST(MaxVariance, OrderOfDistinctRewardsDoesNotMatter) {
  RandomStream random({1, RandomUse::Test, 1, 0, 0});
  std::vector<double> rewards;
  for (int i = 0; i < 20; ++i) rewards.push_back(random.normal());
  const auto first = kept_rewards(rewards, 7);
  for (int i = 0; i < 20; ++i) {
    random.shuffle(std::span(rewards));
    EXPECT_EQ(kept_rewards(rewards, 7), first);
  }
}

TEST(MaxVariance, SmallPools) {
  EXPECT_TRUE(max_variance_subset({}, 4).kept.empty());
  EXPECT_TRUE(max_variance_subset(std::vector<double>{1}, 0).kept.empty());
  EXPECT_EQ(max_variance_subset(std::vector<double>{1, 0}, 4).kept,
            (std::vector<std::uint32_t>{0, 1}));
}

}  // namespace
}  // namespace allot
