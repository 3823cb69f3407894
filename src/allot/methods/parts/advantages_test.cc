#include "allot/methods/parts/advantages.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "allot/core/error.h"

namespace allot {
namespace {

using Lists = std::vector<std::vector<double>>;

Lists advantages_of(const Lists& rewards, const AdvantageRule& rule) {
  Ragged<double> groups;
  for (const std::vector<double>& group : rewards) groups.add(group);
  const Ragged<double> advantages = group_advantages(groups, rule);
  Lists out;
  for (std::size_t i = 0; i < advantages.size(); ++i)
    out.emplace_back(advantages[i].begin(), advantages[i].end());
  return out;
}

AdvantageRule rule(AdvantageEstimator estimator, AdvantageScale scale, double eps = 0,
                   int ddof = 0) {
  return {estimator, scale, eps, ddof, 1e-6};
}

const AdvantageRule kRules[] = {
    rule(AdvantageEstimator::GroupRelative, AdvantageScale::None),
    rule(AdvantageEstimator::GroupRelative, AdvantageScale::Group, 1e-4, 1),
    rule(AdvantageEstimator::GroupRelative, AdvantageScale::Group),
    rule(AdvantageEstimator::LeaveOneOut, AdvantageScale::None),
    rule(AdvantageEstimator::PassAtK, AdvantageScale::None),
    rule(AdvantageEstimator::PassAtK, AdvantageScale::Group, 1e-4, 1)};

// Rewards on a grid, so that groups are either clearly mixed or exactly equal.
rc::Gen<Lists> ragged() {
  const auto reward = rc::gen::map(rc::gen::inRange(-4, 5), [](int i) { return i * 0.25; });
  return rc::gen::container<Lists>(
      rc::gen::resize(9, rc::gen::container<std::vector<double>>(reward)));
}

// The textbook loops, written independently.
std::vector<double> slow(const std::vector<double>& r, const AdvantageRule& rule) {
  const double n = static_cast<double>(r.size());
  std::vector<double> out(r.size(), 0);
  if (r.size() < 2 ||
      *std::max_element(r.begin(), r.end()) == *std::min_element(r.begin(), r.end()))
    return out;
  double mean = 0, squares = 0;
  for (const double x : r) mean += x / n;
  for (const double x : r) squares += (x - mean) * (x - mean);
  const double std = std::sqrt(squares / (n - rule.ddof)) + rule.eps;
  for (std::size_t i = 0; i < r.size(); ++i) {
    double others = 0, best_other = -1e9;
    for (std::size_t j = 0; j < r.size(); ++j)
      if (j != i) others += r[j] / (n - 1), best_other = std::max(best_other, r[j]);
    if (rule.estimator == AdvantageEstimator::LeaveOneOut) out[i] = r[i] - others;
    if (rule.estimator == AdvantageEstimator::PassAtK) out[i] = std::max(0.0, r[i] - best_other);
    if (rule.estimator == AdvantageEstimator::GroupRelative) out[i] = r[i] - mean;
    if (rule.scale == AdvantageScale::Group) out[i] /= std;
  }
  return out;
}

RC_GTEST_PROP(Advantages, EqualTheTextbookLoopsGroupByGroup, ()) {
  const Lists groups = *ragged();
  for (const AdvantageRule& rule : kRules) {
    const Lists together = advantages_of(groups, rule);
    RC_ASSERT(together.size() == groups.size());
    for (std::size_t g = 0; g < groups.size(); ++g) {
      RC_ASSERT(together[g] == advantages_of({groups[g]}, rule)[0]);  // alone: the same bits
      const auto wanted = slow(groups[g], rule);
      RC_ASSERT(together[g].size() == wanted.size());
      for (std::size_t i = 0; i < wanted.size(); ++i)
        RC_ASSERT(std::abs(together[g][i] - wanted[i]) < 1e-9);
    }
  }
}

RC_GTEST_PROP(Advantages, PermutingRowsPermutesAdvantages, ()) {
  const Lists groups = *ragged();
  Lists reversed = groups;
  for (auto& group : reversed) std::reverse(group.begin(), group.end());
  for (const AdvantageRule& rule : kRules) {
    if (rule.estimator == AdvantageEstimator::PassAtK) continue;  // a tie is settled by order
    Lists expected = advantages_of(groups, rule);
    for (auto& group : expected) std::reverse(group.begin(), group.end());
    const Lists got = advantages_of(reversed, rule);
    for (std::size_t g = 0; g < got.size(); ++g)
      for (std::size_t i = 0; i < got[g].size(); ++i)
        RC_ASSERT(std::abs(got[g][i] - expected[g][i]) < 1e-12);
  }
}

TEST(Advantages, SizesOneTwoThreeEightInOneBatch) {
  const Lists groups = {{1}, {1, 0}, {1, 0, 0}, {1, 1, 1, 0, 0, 0, 0, 0}, {}};
  const Lists a =
      advantages_of(groups, rule(AdvantageEstimator::GroupRelative, AdvantageScale::Group));
  EXPECT_EQ(a[0], std::vector<double>{0});
  EXPECT_EQ(a[1], (std::vector<double>{1, -1}));
  EXPECT_NEAR(a[2][0], std::sqrt(2), 1e-12);
  EXPECT_NEAR(a[3][0], std::sqrt(5.0 / 3), 1e-12);
  EXPECT_TRUE(a[4].empty());
}

TEST(Advantages, EqualFloatsLeaveNoResidue) {
  const std::vector<double> same(8, 0.1f);
  for (const AdvantageRule& rule : kRules)
    EXPECT_EQ(advantages_of({same}, rule)[0], std::vector<double>(8, 0.0));
  // The residue that dividing would have amplified, in the float arithmetic it comes from.
  float sum = 0;
  for (int i = 0; i < 8; ++i) sum += 0.1f;
  EXPECT_NEAR(0.1f - sum / 8, -7.45e-9, 1e-10);
}

TEST(Advantages, DifferencesWithinTheResolutionCarryNoSignal) {
  AdvantageRule coarse = rule(AdvantageEstimator::GroupRelative, AdvantageScale::Group);
  coarse.resolution = 0.01;
  EXPECT_EQ(advantages_of({{1, 1.005}}, coarse)[0], (std::vector<double>{0, 0}));
  EXPECT_EQ(advantages_of({{1, 1.02}}, coarse)[0].size(), 2u);
  EXPECT_NE(advantages_of({{1, 1.02}}, coarse)[0][1], 0);
}

TEST(Advantages, BatchScaleDividesByTheSpreadOfAllRewards) {
  const Lists groups = {{1, 0}, {1, 1}, {3}};
  const Lists a = advantages_of(
      groups, rule(AdvantageEstimator::GroupRelative, AdvantageScale::Batch, 1e-4, 1));
  // All rewards 1 0 1 1 3: mean 1.2, squares 4.8, sample variance 1.2.
  EXPECT_NEAR(a[0][0], .5 / (std::sqrt(1.2) + 1e-4), 1e-12);
  EXPECT_NEAR(a[0][1], -.5 / (std::sqrt(1.2) + 1e-4), 1e-12);
  EXPECT_EQ(a[1], (std::vector<double>{0, 0}));
  EXPECT_EQ(a[2], std::vector<double>{0});
}

TEST(Advantages, WhitenScoresTheCentredRewards) {
  const Lists groups = {{1, 0}, {0, 0, 3}, {1, 1}};
  const Lists a =
      advantages_of(groups, rule(AdvantageEstimator::GroupRelative, AdvantageScale::Whiten));
  // Centred: .5 -.5 | -1 -1 2 | 0 0; mean 0, population variance 6.5 / 7.
  const double std = std::sqrt(6.5 / 7);
  EXPECT_NEAR(a[0][0], .5 / std, 1e-12);
  EXPECT_NEAR(a[1][2], 2 / std, 1e-12);
  EXPECT_EQ(a[2], (std::vector<double>{0, 0}));
}

TEST(Advantages, PassAtKRewardsTheBestAlone) {
  const auto a = advantages_of({{0, 3, 1}, {2, 2, 0}},
                               rule(AdvantageEstimator::PassAtK, AdvantageScale::None));
  EXPECT_EQ(a[0], (std::vector<double>{0, 2, 0}));
  EXPECT_EQ(a[1], (std::vector<double>{0, 0, 0}));
  EXPECT_FALSE(has_signal(a[1]));
}

TEST(Advantages, TheMethodDecidesWhatIsLeftToIt) {
  AdvantageOptions options;
  EXPECT_EQ(advantage_rule(options, GroupKind::Plain).ddof, 1);
  EXPECT_EQ(advantage_rule(options, GroupKind::Plain).eps, 1e-4);
  EXPECT_EQ(advantage_rule(options, GroupKind::Curated).ddof, 0);
  EXPECT_EQ(advantage_rule(options, GroupKind::Curated).eps, 0);
  options.ddof = 1;
  options.eps = 0.5;
  EXPECT_EQ(advantage_rule(options, GroupKind::Curated).ddof, 1);
  EXPECT_EQ(advantage_rule(options, GroupKind::Curated).eps, 0.5);
}

TEST(Advantages, OptionsWithoutMeaningAreRefused) {
  AdvantageOptions options;
  options.eps = -0.5;
  EXPECT_THROW(options.validate(), Error);
  options = {};
  options.estimator = AdvantageEstimator::LeaveOneOut;
  EXPECT_NO_THROW(options.validate());
  options.scale = AdvantageScale::Batch;
  EXPECT_THROW(options.validate(), Error);
}

TEST(Advantages, PosteriorOfOneSidedGroups) {
  for (const int n : {8, 16, 28}) {
    const double fail = posterior_mean(0, n, 1, 1), pass = posterior_mean(n, n, 1, 1);
    EXPECT_NEAR(bernoulli_advantage(false, fail), -1 / std::sqrt(n + 1.0), 1e-12);
    EXPECT_NEAR(bernoulli_advantage(true, pass), 1 / std::sqrt(n + 1.0), 1e-12);
  }
}

}  // namespace
}  // namespace allot
