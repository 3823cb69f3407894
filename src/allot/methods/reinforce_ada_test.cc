// Golden cases of sequential Reinforce-Ada: the bias table by exact enumeration, kept subsets and
// weights, rounds (acceptance tests of the method's specification).
#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "allot/core/error.h"
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
using testing::verdicts;

const std::vector<double> kSolveRates = {.03, .0625, .125, .25, .5, .75, .9, .97};

std::vector<Course> courses(const Settings& settings) {
  return courses_of(alloc_options("reinforce_ada", settings), advantage_options(settings));
}

// `wanted` has three decimals, or four figures; `slack` widens that.
void expect_column(const std::vector<double>& got, const std::vector<double>& wanted,
                   double slack = 1) {
  for (std::size_t i = 0; i < kSolveRates.size(); ++i)
    EXPECT_NEAR(got[i], wanted[i], slack * std::max(.00051, 6e-4 * wanted[i]))
        << "p = " << kSolveRates[i];
}

template <class Value>
std::vector<double> column(const std::vector<Course>& all, Value value) {
  std::vector<double> out;
  for (const double p : kSolveRates)
    out.push_back(expectation(all, p, [&](const Course& c) { return value(c, p); }));
  return out;
}

const auto kScale = [](const Course& c, double p) { return c.scale(p); };

// Acceptance test 1, the bias table: N = 4, M = 8, n = 4 (the defaults at group_size 8).
TEST(ReinforceAda, BiasTable) {
  const auto pool_mean = courses({{"alloc.reinforce_ada.estimator", "pool_mean"}});
  expect_column(column(pool_mean, kScale),
                {6.753, 5.315, 3.269, 1.620, 1.000, 1.620, 3.946, 6.753});
  expect_column(column(courses({}), kScale),
                {1.170, 1.215, 1.151, 1.003, .905, 1.003, 1.185, 1.170});
  const auto log_fix = courses({{"alloc.reinforce_ada.estimator", "log_fix"}});
  expect_column(column(log_fix, kScale), {7.207, 5.819, 3.711, 1.879, .933, .744, .744, .753});
  expect_column(column(log_fix, [](const Course& c, double p) { return 2 * p * c.scale(p); }),
                {.432, .727, .928, .940, .933, 1.116, 1.339, 1.461},
                1.3);  // the specification multiplied the rounded column
  // 1/p on top of a subset that is already balanced; the options refuse it.
  expect_column(
      column(pool_mean, [](const Course& c,
                           double p) { return c.right > 0 ? c.scale(p) / c.pass_rate() : 0; }),
      {139.9, 77.39, 28.42, 7.292, 2.242, 2.300, 4.617, 7.292});
  const auto kept =
      courses({{"alloc.reinforce_ada.estimator", "kept_norm"}, {"adv.scale", "none"}});
  expect_column(column(kept, kScale), {4.548, 3.437, 2.217, 1.333, 1.000, 1.333, 2.598, 4.548});
}

TEST(ReinforceAda, RolloutsAndOneSidedPools) {
  const auto all = courses({});
  const auto n = column(all, [](const Course& c, double) { return double(c.rollouts()); });
  const auto one_sided =
      column(all, [](const Course& c, double) { return double(c.right == 0 || c.wrong == 0); });
  const std::vector<double> wanted_n = {29.88, 25.63, 18.43, 11.52, 8.57, 11.52, 20.96, 29.88};
  for (std::size_t i = 0; i < kSolveRates.size(); ++i) EXPECT_NEAR(n[i], wanted_n[i], .0051);
  expect_column(one_sided, {.377, .127, .014, .000, .000, .000, .034, .377});
  const auto total = column(all, [](const Course&, double) { return 1.0; });
  for (const double sum : total) EXPECT_NEAR(sum, 1, 1e-12);
}

// Acceptance test 2: without the stop, strata weights with the pool's mean are (64 - 1) / 64.
TEST(ReinforceAda, StrataWeightsAreUnbiasedWithoutTheStop) {
  const auto all = courses({{"alloc.reinforce_ada.rounds", "1"},
                            {"alloc.reinforce_ada.round_size", "64"},
                            {"alloc.reinforce_ada.kept", "16"}});
  for (const double p : kSolveRates) EXPECT_NEAR(gradient_scale(all, p), 63.0 / 64, 1e-6);
}

// With the weights of an objective f the scale follows f'(p) in the limit of a large pool.
TEST(ReinforceAda, ObjectivesMultiplyBySlope) {
  const Settings large = {{"alloc.reinforce_ada.rounds", "1"},
                          {"alloc.reinforce_ada.round_size", "256"},
                          {"alloc.reinforce_ada.kept", "64"}};
  Settings log = large, power = large;
  log.emplace_back("alloc.reinforce_ada.objective", "log");
  power.emplace_back("alloc.reinforce_ada.objective", "power");
  power.emplace_back("alloc.reinforce_ada.power", "0.5");
  const auto log_courses = courses(log), power_courses = courses(power);
  for (const double p : {.25, .5, .75}) {
    EXPECT_NEAR(gradient_scale(log_courses, p) * p, 1, .02);
    EXPECT_NEAR(gradient_scale(power_courses, p) * 2 * std::sqrt(p), 1, .02);
  }
}

// One prompt whose pool has these in order.
Played played(const std::vector<Outcome>& outcomes, const Settings& settings = {}) {
  Controller controller = controller_of("reinforce_ada", settings);
  return play(controller, {{7}, {}, {{7, outcomes}}}, budget_of(1, 8));
}

std::vector<Outcome> mixed(std::vector<int> right) { return rewards({right.begin(), right.end()}); }

// Acceptance test 3.
TEST(ReinforceAda, KeepsTheFirstOfEachSideWithStrataWeights) {
  const Played p = played(mixed({0, 1, 1, 1, 0, 1, 0, 1}));  // 5 positive, 3 negative
  EXPECT_EQ(p.requested(7), 8u);
  EXPECT_EQ(p.kept(7), (std::vector<std::uint32_t>{0, 1, 2, 4}));
  EXPECT_EQ(p.batch.norm, Norm::PerToken);
  const auto& items = p.batch.items;
  for (const std::size_t i : {1u, 2u}) {
    EXPECT_FLOAT_EQ(items[i].weight, 1.25f);
    EXPECT_FLOAT_EQ(items[i].advantage, 1 - .625f);
  }
  for (const std::size_t i : {0u, 3u}) {
    EXPECT_FLOAT_EQ(items[i].weight, .75f);
    EXPECT_FLOAT_EQ(items[i].advantage, -.625f);
  }
  EXPECT_EQ(p.batch.groups[0].pool_n, 8u);
  EXPECT_FLOAT_EQ(p.batch.groups[0].pool_mean, .625f);
}

TEST(ReinforceAda, UnfinishedPromptsFillFromTheOtherSide) {
  auto one = verdicts(0, 32);
  one[20] = verdicts(1, 0)[0];
  const Played p = played(one);
  EXPECT_EQ(p.requested(7), 32u);
  EXPECT_EQ(p.kept(7), (std::vector<std::uint32_t>{0, 1, 2, 20}));
  EXPECT_FLOAT_EQ(p.batch.items[3].weight, .125f);
  EXPECT_NEAR(p.batch.items[0].weight, 1.2917, 5e-5);
  EXPECT_EQ(p.report(7).counted_n, 8u);  // the first round alone feeds beliefs
  const Played none = played(verdicts(0, 32));
  EXPECT_TRUE(none.batch.items.empty());
  EXPECT_EQ(none.report(7).cause, ZeroCause::AllWrong);
  EXPECT_EQ(none.metrics.at("alloc/reinforce_ada/one_sided"), 1);
}

// Acceptance test 4.
TEST(ReinforceAda, FinishedPromptsAreNotAskedAgain) {
  Controller controller = controller_of("reinforce_ada");
  auto second = verdicts(1, 7);
  for (const Outcome& outcome : verdicts(1, 7)) second.push_back(outcome);
  const Played p =
      play(controller,
           {{1, 2, 3, 4},
            {},
            {{1, verdicts(2, 6)}, {2, second}, {3, verdicts(32, 0)}, {4, verdicts(6, 2)}}},
           budget_of(4, 32));
  EXPECT_EQ(p.requested(1), 8u);
  EXPECT_EQ(p.requested(2), 16u);
  EXPECT_EQ(p.requested(3), 32u);
  EXPECT_EQ(p.requested(4), 8u);
  EXPECT_EQ(p.metrics.at("alloc/reinforce_ada/rounds"), 2);
  EXPECT_EQ(p.metrics.at("alloc/reinforce_ada/pool_size"), 16);
  EXPECT_EQ(p.metrics.at("alloc/reinforce_ada/finished_by_round_1"), .5);
  EXPECT_EQ(p.metrics.at("alloc/reinforce_ada/finished_by_round_2"), .75);
  EXPECT_EQ(p.metrics.at("alloc/reinforce_ada/finished_by_round_4"), .75);
  EXPECT_EQ(p.metrics.at("alloc/reinforce_ada/one_sided"), .25);
  for (const Plan& plan : p.plans)
    for (const Issued& issued : plan.generate) EXPECT_EQ(issued.tag, issued.round);
}

// Acceptance test 5: one positive is wanted and there is none.
TEST(ReinforceAda, PositiveFocusedStopsAtOnePositive) {
  const Settings focused = {{"alloc.reinforce_ada.stop", "positive_focused"},
                            {"alloc.reinforce_ada.estimator", "pool_mean"}};
  EXPECT_EQ(played(verdicts(1, 7), focused).requested(7), 8u);
  EXPECT_EQ(played(verdicts(8, 0), focused).requested(7), 8u);
  const Played none = played(verdicts(0, 32), focused);
  EXPECT_EQ(none.requested(7), 32u);
  EXPECT_TRUE(none.batch.items.empty());
}

TEST(ReinforceAda, PoolDeviationOnRequest) {
  const Played p = played(verdicts(2, 6), {{"alloc.reinforce_ada.estimator", "pool_mean"},
                                           {"alloc.reinforce_ada.pool_std", "true"}});
  EXPECT_NEAR(p.batch.items[0].advantage, .75 / (std::sqrt(.1875) + 1e-6), 1e-6);
  EXPECT_EQ(p.batch.items[0].weight, 1.0f);
}

TEST(ReinforceAda, ThresholdDecidesWhatIsPositive) {
  auto shaped = rewards({.69, .71, .5, .9, .1, .8, .2, .3});  // three above .7
  EXPECT_EQ(played(shaped).kept(7), (std::vector<std::uint32_t>{0, 1, 2, 3}));
  EXPECT_EQ(played(shaped, {{"alloc.reinforce_ada.threshold", "0.45"}}).kept(7),
            (std::vector<std::uint32_t>{0, 1, 4, 6}));
}

TEST(ReinforceAda, InverseRootOfTheFork) {
  const Settings fix = {{"alloc.reinforce_ada.estimator", "log_fix"},
                        {"alloc.reinforce_ada.inverse_root", "true"}};
  EXPECT_FLOAT_EQ(played(verdicts(2, 6), fix).batch.items[0].weight, 2);  // 1 / sqrt(1/4)
  auto rare = verdicts(0, 32);
  rare[5] = verdicts(1, 0)[0];
  EXPECT_FLOAT_EQ(played(rare, fix).batch.items[0].weight, 4);  // 1/32 counts as 1/16
}

TEST(ReinforceAda, RefusesWhatDoesNotFit) {
  const auto refused = [](const Settings& settings, const std::string& key) {
    try {
      controller_of("reinforce_ada", settings);
    } catch (const Error& error) {
      return std::string(error.what()).find(key) != std::string::npos;
    }
    return false;
  };
  const std::string at = "alloc.reinforce_ada.";
  EXPECT_TRUE(refused({{at + "kept", "1"}}, at + "kept"));
  EXPECT_TRUE(refused({{at + "kept", "40"}}, at + "kept"));
  EXPECT_TRUE(refused({{at + "pool_std", "true"}}, at + "pool_std"));
  EXPECT_TRUE(refused({{at + "inverse_root", "true"}}, at + "inverse_root"));
  EXPECT_TRUE(
      refused({{at + "estimator", "pool_mean"}, {at + "objective", "log"}}, at + "objective"));
}

TEST(ReinforceAda, CapsEndTheRounds) {
  Controller controller = controller_of("reinforce_ada");
  Budget budget = budget_of(2, 16);
  budget.hard_rollouts = 27;
  const Played p =
      play(controller, {{1, 2}, {}, {{1, verdicts(0, 32)}, {2, verdicts(0, 32)}}}, budget);
  EXPECT_EQ(p.requested(1), 16u);
  EXPECT_EQ(p.requested(2), 11u);
}

}  // namespace
}  // namespace allot
