#include "allot/methods/parts/arms.h"

#include <cmath>
#include <map>
#include <set>

#include <gtest/gtest.h>

namespace allot {
namespace {

using Positions = std::vector<std::uint32_t>;

RandomStream arms_stream(std::uint64_t seed) {
  return RandomStream({seed, RandomUse::Test, 41, 0, 0});
}

struct ArmChoice {
  Positions taken;
  std::uint32_t explored = 0;
};

// Of all arms; and the same, moved, where others stand before and behind them.
ArmChoice choose(std::vector<double> scores, std::uint32_t k, double epsilon, std::uint64_t seed) {
  const auto n = static_cast<std::uint32_t>(scores.size());
  Ragged<std::uint32_t> taken;
  const std::uint32_t explored = choose_arms(scores, {0, n}, k, epsilon, arms_stream(seed), taken);
  ArmChoice choice{{taken[0].begin(), taken[0].end()}, explored};
  scores.insert(scores.begin(), 2, 100);
  scores.push_back(100);
  EXPECT_EQ(choose_arms(scores, {2, n}, k, epsilon, arms_stream(seed), taken), explored);
  for (std::uint32_t i = 0; i < k; ++i) EXPECT_EQ(taken[1][i], choice.taken[i] + 2);
  return choice;
}

TEST(ChooseArms, HighestScoresAndIssueOrderOfTies) {
  const std::vector<double> scores = {.1, .9, .5, .9, .2, .5};
  EXPECT_EQ(choose(scores, 3, 0, 1).taken, (Positions{1, 2, 3}));
  EXPECT_EQ(choose(scores, 6, 0, 1).taken, (Positions{0, 1, 2, 3, 4, 5}));
  EXPECT_TRUE(choose({}, 0, 1, 1).taken.empty());
  // A constant scorer: issue order.
  EXPECT_EQ(choose(std::vector<double>(8, .3), 4, 0, 1).taken, (Positions{0, 1, 2, 3}));
}

// epsilon = 1 is the uniform choice: chi-square over all 70 subsets of four of eight.
TEST(ChooseArms, ExploringIsUniform) {
  const std::vector<double> scores = {8, 7, 6, 5, 4, 3, 2, 1};
  std::map<Positions, double> times;
  constexpr int kDraws = 70000;
  for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
    const ArmChoice choice = choose(scores, 4, 1, seed);
    EXPECT_EQ(choice.explored, 4u);
    ++times[choice.taken];
  }
  ASSERT_EQ(times.size(), 70u);
  double chi2 = 0;
  for (const auto& [subset, n] : times) chi2 += (n - 1000) * (n - 1000) / 1000;
  EXPECT_LT(chi2, 111.1);  // 69 degrees of freedom, p > .001
}

// A share epsilon of the places, each filled by an arm that no other place has.
TEST(ChooseArms, ExploresTheShareAskedFor) {
  const std::vector<double> scores = {4, 3, 2, 1, 0, -1, -2, -3};
  double explored = 0, worst = 0;
  constexpr int kDraws = 20000;
  for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
    const ArmChoice choice = choose(scores, 4, .1, seed);
    EXPECT_EQ(std::set<std::uint32_t>(choice.taken.begin(), choice.taken.end()).size(), 4u);
    explored += choice.explored;
    worst += choice.taken.back() == 7;
  }
  EXPECT_NEAR(explored / kDraws, .4, 4 * std::sqrt(.36 / kDraws));
  // The last arm is taken only by exploring: e places draw e of the 4 + e arms that are left.
  double chance = 0;
  const double ways[] = {1, 4, 6, 4, 1};
  for (int e = 0; e <= 4; ++e)
    chance += ways[e] * std::pow(.1, e) * std::pow(.9, 4 - e) * e / (4 + e);
  EXPECT_NEAR(worst / kDraws, chance, 4 * std::sqrt(chance / kDraws));
}

TEST(RunningMoments, AgreeWithTwoPasses) {
  RandomStream random = arms_stream(3);
  std::vector<ArmFeatures> all(50);
  for (ArmFeatures& features : all)
    for (std::size_t k = 0; k < kArmFeatures; ++k) features[k] = k == 4 ? 7 : random.normal() + 3;
  RunningMoments moments;
  for (const ArmFeatures& features : all) moments.add(features);
  for (std::size_t k = 0; k < kArmFeatures; ++k) {
    double mean = 0, variance = 0;
    for (const ArmFeatures& features : all) mean += features[k] / 50;
    for (const ArmFeatures& features : all)
      variance += (features[k] - mean) * (features[k] - mean) / 50;
    const double wanted = k == 4 ? 0 : (all[0][k] - mean) / std::sqrt(variance);
    EXPECT_NEAR(moments.standardised(all[0])[k], wanted, 1e-12);
  }
}

TEST(Arms, Features) {
  Arm arm;
  arm.round = 3, arm.reward = 1, arm.advantage = -.5, arm.pool_mean = .25, arm.entropy = .125;
  arm.clip_fraction = .0625, arm.drift = .03125, arm.length = .75, arm.truncated = true;
  arm.uses = 2;
  EXPECT_EQ(features_of(arm, 5), (ArmFeatures{1, -.5, .25, .125, .0625, .03125, .75, 1, 2, 2}));
}

TEST(Arms, Correlation) {
  const std::vector<double> a = {1, 2, 3}, b = {2, 4, 6}, c = {1, 1, 1}, d = {3, 1, 2};
  EXPECT_DOUBLE_EQ(correlation(a, b), 1);
  EXPECT_EQ(correlation(a, c), 0);
  EXPECT_DOUBLE_EQ(correlation(a, d), -.5);
}

}  // namespace
}  // namespace allot
