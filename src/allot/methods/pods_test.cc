// Golden cases of PODS: the kept subset, the effective scale by enumeration, the statistics
// (acceptance tests of the method's specification; those of the scan are with
// parts/max_variance.h).
#include <cmath>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/testing/outcome_stream.h"
#include "allot/methods/enumeration.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::advantage_options;
using testing::alloc_options;
using testing::budget_of;
using testing::controller_of;
using testing::play;
using testing::Played;
using testing::rewards;
using testing::Settings;
using testing::transcript;
using testing::verdicts;

const std::vector<double> kRates = {.03, .0625, .125, .25, .5, .75, .9, .97};
const Settings kPaper = {{"alloc.group_size", "16"}};  // 64 generated, 16 kept

Settings with(Settings settings, const Settings& more) {
  settings.insert(settings.end(), more.begin(), more.end());
  return settings;
}

void expect_scale(const Settings& more, const std::vector<double>& wanted) {
  const Settings settings = with(kPaper, more);
  const auto all = courses_of(alloc_options("pods", settings), advantage_options(settings));
  for (std::size_t i = 0; i < kRates.size(); ++i)
    EXPECT_NEAR(gradient_scale(all, kRates[i]), wanted[i], .0051) << kRates[i];
}

// Acceptance test 4.
TEST(Pods, EffectiveScale) {
  expect_scale({{"adv.scale", "none"}}, {3.38, 2.95, 2.17, 1.33, 1.00, 1.33, 2.46, 3.38});
  expect_scale({}, {9.75, 6.94, 4.45, 2.67, 2.00, 2.67, 5.20, 9.75});
  expect_scale({{"adv.ddof", "1"}}, {9.44, 6.72, 4.30, 2.58, 1.94, 2.58, 5.04, 9.44});
}

// The correction leaves (n - 1) / n of the true gradient.
TEST(Pods, StrataWeightsUndoTheSelection) {
  expect_scale({{"alloc.pods.statistics", "strata"}}, std::vector<double>(8, 63.0 / 64));
}

// Acceptance test 5.
TEST(Pods, NoSignalProbability) {
  const auto all = courses_of(alloc_options("pods", kPaper), {});
  const auto none = [](const Course& c) { return double(c.kept_right + c.kept_wrong == 0); };
  EXPECT_NEAR(expectation(all, .03, none), .142, 5e-4);
  EXPECT_NEAR(expectation(all, .0625, none), .016, 5e-4);
}

Played played(const std::vector<Outcome>& outcomes, const Settings& settings) {
  Controller controller = controller_of("pods", settings);
  return play(controller, {{7}, {}, {{7, outcomes}}}, budget_of(1, 64));
}

// Acceptance test 3, through the method.
TEST(Pods, KeepsTheExtremes) {
  const Played few = played(verdicts(3, 61), kPaper);
  EXPECT_EQ(few.requested(7), 64u);
  ASSERT_EQ(few.kept(7).size(), 16u);
  EXPECT_EQ(few.kept(7)[2], 2u);
  EXPECT_EQ(few.kept(7)[3], 51u);
  EXPECT_NEAR(few.metrics.at("alloc/pods/kept_std"), std::sqrt(.152344), 1e-6);
  EXPECT_NEAR(few.metrics.at("alloc/pods/kept_share_correct"), 3.0 / 16, 1e-12);
  EXPECT_EQ(few.batch.groups[0].pool_n, 64u);
  EXPECT_FLOAT_EQ(few.batch.groups[0].pool_mean, 3.0f / 64);
  const Played half = played(verdicts(20, 44), kPaper);
  EXPECT_EQ(half.metrics.at("alloc/pods/k_top"), 8);
  EXPECT_EQ(half.batch.norm, Norm::PerGroup);
  for (const float a : half.advantages(7)) EXPECT_EQ(std::abs(a), 1.0f);
  const Played none = played(verdicts(0, 64), kPaper);
  EXPECT_TRUE(none.batch.items.empty());
  EXPECT_EQ(none.report(7).cause, ZeroCause::AllWrong);
  EXPECT_EQ(none.metrics.at("alloc/pods/all_equal_share"), 1);
}

// Acceptance test 6.
TEST(Pods, KeepingAllIsGrpo) {
  const auto r = rewards({.3, 1, .2, .9, .5, 0, .1, .75});
  const Settings all = {{"alloc.pods.rollouts", "8"}, {"alloc.pods.kept", "8"}};
  const Settings same = {{"adv.ddof", "1"}, {"adv.eps", "0.0001"}};
  Controller grpo = controller_of("grpo");
  const Played plain = play(grpo, {{7}, {}, {{7, r}}}, budget_of(1, 8));
  EXPECT_EQ(transcript(played(r, with(all, same)).batch), transcript(plain.batch));
}

TEST(Pods, StatisticsOfThePool) {
  const Settings pool = {
      {"alloc.pods.rollouts", "6"}, {"alloc.pods.kept", "4"}, {"alloc.pods.statistics", "pool"}};
  const std::vector<double> r = {1, .7, .6, .2, .1, 0};
  const Played p = played(rewards(r), pool);
  EXPECT_EQ(p.kept(7), (std::vector<std::uint32_t>{0, 1, 4, 5}));
  const double mean = 2.6 / 6, std = std::sqrt((1.9 - 2.6 * 2.6 / 6) / 6);
  const auto got = p.advantages(7);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(got[i], (r[p.kept(7)[i]] - mean) / std, 1e-6);
}

TEST(Pods, DefaultsFollowTheGroupSize) {
  const Played p = played(verdicts(8, 24), {});
  EXPECT_EQ(p.requested(7), 32u);
  EXPECT_EQ(p.kept(7).size(), 8u);
}

TEST(Pods, RefusesSizesThatDoNotFit) {
  EXPECT_THROW(controller_of("pods", {{"alloc.pods.kept", "1"}}), Error);
  EXPECT_THROW(controller_of("pods", {{"alloc.pods.rollouts", "7"}}), Error);
  EXPECT_THROW(controller_of("pods", {{"alloc.group_size", "1"}}), Error);
}

}  // namespace
}  // namespace allot
