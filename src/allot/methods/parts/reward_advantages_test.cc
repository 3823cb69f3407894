#include "allot/methods/parts/reward_advantages.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "allot/core/error.h"
#include "allot/core/random.h"

namespace allot {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
using Rows = std::vector<std::vector<double>>;

AdvantageOptions options(std::initializer_list<std::pair<const char*, const char*>> settings) {
  AdvantageOptions o;
  OptionList list = OptionList::of(o, "adv");
  for (const auto& [key, value] : settings) list.set(std::string("adv.") + key, value, "test");
  return o;
}

ScalarAdvantages estimated(const AdvantageOptions& o, const Rows& rewards,
                           const std::vector<std::uint32_t>& groups) {
  return reward_estimator(o).estimate(rewards, groups, std::vector<double>(rewards.size(), 0));
}

// Golden G8: groups g0 to g7.
const std::vector<std::vector<double>> kGolden = {{1},
                                                  {1, 1, 1},
                                                  {1, 0, 0, 0, 0},
                                                  {1, kNan, 0, 0},
                                                  {.3, .7},
                                                  {0, 0, 1, 1, 1, 1, 1, 1},
                                                  {kNan, kNan},
                                                  {.5, .5000001, .5}};

void expect_golden(const AdvantageOptions& o, const std::vector<std::vector<double>>& expected) {
  Rows rewards;
  std::vector<std::uint32_t> groups;
  for (std::size_t g = 0; g < kGolden.size(); ++g)
    for (const double r : kGolden[g]) {
      rewards.push_back({r});
      groups.push_back(static_cast<std::uint32_t>(g));
    }
  const ScalarAdvantages found = estimated(o, rewards, groups);
  std::size_t i = 0;
  for (std::size_t g = 0; g < kGolden.size(); ++g)
    for (std::size_t j = 0; j < kGolden[g].size(); ++j, ++i) {
      const double wanted = expected[g].size() == 1 ? expected[g][0] : expected[g][j];
      EXPECT_NEAR(found.values[i], wanted, 1e-6) << "g" << g << ' ' << j;
      EXPECT_EQ(found.scorable[i], !std::isnan(kGolden[g][j]));
    }
}

TEST(RewardAdvantages, G8UnevenGroups) {
  expect_golden(options({{"scale", "group"}}),
                {{0},
                 {0},
                 {1.788454, -.447114, -.447114, -.447114, -.447114},
                 {1.154501, 0, -.577250, -.577250},
                 {-.706857, .706857},
                 {-1.619835, -1.619835, .539945, .539945, .539945, .539945, .539945, .539945},
                 {0},
                 {0}});
  expect_golden(options({{"scale", "none"}}), {{0},
                                               {0},
                                               {.8, -.2, -.2, -.2, -.2},
                                               {.666667, 0, -.333333, -.333333},
                                               {-.2, .2},
                                               {-.75, -.75, .25, .25, .25, .25, .25, .25},
                                               {0},
                                               {0}});
  expect_golden(options({{"estimator", "leave_one_out"}}),
                {{0},
                 {0},
                 {1, -.25, -.25, -.25, -.25},
                 {1, 0, -.5, -.5},
                 {-.4, .4},
                 {-.857143, -.857143, .285714, .285714, .285714, .285714, .285714, .285714},
                 {0},
                 {0}});
  expect_golden(options({{"scale", "batch"}}),
                {{0},
                 {0},
                 {1.766514, -.441629, -.441629, -.441629, -.441629},
                 {1.472095, 0, -.736048, -.736048},
                 {-.441629, .441629},
                 {-1.656107, -1.656107, .552036, .552036, .552036, .552036, .552036, .552036},
                 {0},
                 {0}});
}

TEST(RewardAdvantages, G8WhitenedOverTheStep) {
  const double sd = .35629264 + 1e-4;  // of the centred rewards
  expect_golden(options({{"scale", "whiten"}}),
                {{0},
                 {0},
                 {2.244715, -.561179, -.561179, -.561179, -.561179},
                 {2 / 3. / sd, 0, -1 / 3. / sd, -1 / 3. / sd},
                 {-.561179, .561179},
                 {-.75 / sd, -.75 / sd, .25 / sd, .25 / sd, .25 / sd, .25 / sd, .25 / sd, .25 / sd},
                 {0},
                 {0}});
}

TEST(RewardAdvantages, G8OneRightAnswerInMany) {
  const auto of = [](std::size_t n, const char* ddof) {
    Rows rewards(n, {0});
    rewards[0] = {1};
    return estimated(options({{"eps", "0"}, {"ddof", ddof}}), rewards,
                     std::vector<std::uint32_t>(n, 1))
        .values;
  };
  EXPECT_NEAR(of(8, "0")[0], 2.645751, 1e-6);
  EXPECT_NEAR(of(8, "0")[1], -.377964, 1e-6);
  EXPECT_NEAR(of(8, "1")[0], 2.474874, 1e-6);
  EXPECT_NEAR(of(8, "1")[1], -.353553, 1e-6);
  EXPECT_NEAR(of(16, "0")[0], 3.872983, 1e-6);
  EXPECT_NEAR(of(16, "0")[1], -.258199, 1e-6);
  EXPECT_NEAR(of(16, "1")[0], 3.75, 1e-6);
  EXPECT_NEAR(of(2, "1")[0], .707107, 1e-6);  // G10
}

TEST(RewardAdvantages, G10CopiesOfANumberHaveNoSignal) {
  const auto found =
      estimated(options({}), Rows(8, {static_cast<double>(.1F)}), std::vector<std::uint32_t>(8, 1));
  for (const double a : found.values) EXPECT_EQ(a, 0);
}

TEST(RewardAdvantages, G8WithoutAResolutionAResidueWouldBecomeAnAdvantage) {
  const auto found = estimated(options({{"resolution", "0"}}), {{.5}, {.5000001}, {.5}}, {1, 1, 1});
  EXPECT_NEAR(found.values[0], -.000333, 1e-6);
  EXPECT_NEAR(found.values[1], .000666, 1e-6);
}

const Rows kTwo = {{1, 0}, {0, 1}, {1, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}, {1, 1}};
const std::vector<std::uint32_t> kTwoGroups = {1, 1, 1, 1, 2, 2, 2, 2};

void expect_gdpo(std::initializer_list<std::pair<const char*, const char*>> settings,
                 const std::vector<double>& expected) {
  const auto found = estimated(options(settings), kTwo, kTwoGroups);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_NEAR(found.values[i], expected[i], 1e-6) << i;
}

TEST(RewardAdvantages, G2Gdpo) {
  const auto gdpo = std::pair{"reward_aggregation", "normalize_then_sum"};
  expect_gdpo({gdpo, {"gdpo_batch_norm", "false"}},
              {-.633825, -.365975, 1.365775, -.365975, -.4999, -.4999, -.4999, 1.4997});
  expect_gdpo({gdpo, {"gdpo_batch_norm", "false"}, {"eps", "1e-6"}},
              {-.633973, -.366025, 1.366023, -.366025, -.499999, -.499999, -.499999, 1.499997});
  expect_gdpo({gdpo},
              {-.712786, -.411569, 1.535924, -.411569, -.562178, -.562178, -.562178, 1.686533});
  expect_gdpo({}, {-.4999, -.4999, 1.4997, -.4999, -.4999, -.4999, -.4999, 1.4997});
}

TEST(RewardAdvantages, WithOneRewardGdpoIsGrpo) {
  Rows one;
  for (const auto& row : kTwo) one.push_back({row[0]});
  const auto gdpo =
      estimated(options({{"reward_aggregation", "normalize_then_sum"}}), one, kTwoGroups);
  EXPECT_EQ(gdpo.values, estimated(options({}), one, kTwoGroups).values);
}

TEST(RewardAdvantages, G10BaselineBySequence) {
  const auto found = estimated(options({{"estimator", "reinforce_plus_plus_baseline"}}),
                               {{1}, {0}, {1}, {0}}, {1, 1, 1, 1});
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(found.values[i], i % 2 == 0 ? .866025 : -.866025, 1e-6);
}

TEST(RewardAdvantages, G2G10WhatIsLeftToTheLoss) {
  const auto step = [](std::initializer_list<std::pair<const char*, const char*>> settings) {
    return reward_estimator(options(settings)).token_step;
  };
  EXPECT_EQ(step({}), TokenStep::None);
  EXPECT_EQ(step({{"estimator", "reinforce_plus_plus"}}), TokenStep::ReturnToGo);
  EXPECT_EQ(step({{"unit", "token"}, {"reward_aggregation", "normalize_then_sum"}}),
            TokenStep::WhitenByToken);
  EXPECT_EQ(step({{"unit", "token"}, {"scale", "whiten"}}), TokenStep::WhitenByToken);
  EXPECT_EQ(step({{"unit", "token"}}), TokenStep::None);
}

TEST(RewardAdvantages, CleaningCountsWhatIsMissing) {
  const auto found = estimated(options({{"reward_weights", "[1, 2, 0]"}}),
                               {{1, kNan, 0}, {kNan, kNan, 5}, {0, 1, kNan}}, {1, 1, 1});
  EXPECT_EQ(found.scorable, (std::vector<bool>{true, false, true}));
  EXPECT_EQ(found.values[1], 0);
  EXPECT_LT(found.values[0], found.values[2]);  // 1 against 2
  EXPECT_EQ(found.metrics[0].name, "reward/partial_nan");
  EXPECT_EQ(found.metrics[0].value, 1);
  EXPECT_NEAR(found.metrics[1].value, 1. / 3, 1e-15);
}

TEST(RewardAdvantages, RefusesWhatCannotBe) {
  EXPECT_THROW(estimated(options({{"reward_weights", "[1, 2]"}}), {{1}}, {1}), Error);
  EXPECT_THROW(estimated(options({}), {{1}, {1, 2}}, {1, 1}), Error);
  EXPECT_THROW(estimated(options({}), {{INFINITY}}, {1}), Error);
  EXPECT_THROW(estimated(options({{"estimator", "external"}}), {{1}}, {1}), Error);
  EXPECT_THROW(options({{"estimator", "external"}}).validate_for_methods(), Error);
  EXPECT_THROW(options({{"unit", "token"}}).validate_for_methods(), Error);
  EXPECT_NO_THROW(options({}).validate_for_methods());
}

struct Random {
  Rows rewards;
  std::vector<std::uint32_t> groups;
};

Random random_step(std::uint64_t seed) {
  RandomStream random({seed, RandomUse::Test});
  Random out;
  for (int i = 0; i < 12; ++i) {
    out.rewards.push_back({random.below(7) == 0 ? kNan : std::round(3 * random.normal()),
                           random.below(7) == 0 ? kNan : random.normal()});
    out.groups.push_back(static_cast<std::uint32_t>(random.below(4)));
  }
  return out;
}

std::vector<AdvantageOptions> all_options() {
  return {options({}),
          options({{"scale", "none"}}),
          options({{"scale", "batch"}}),
          options({{"scale", "whiten"}}),
          options({{"estimator", "leave_one_out"}}),
          options({{"estimator", "reinforce_plus_plus_baseline"}}),
          options({{"reward_aggregation", "normalize_then_sum"}})};
}

// T12: a row that cannot be scored changes no other row. T13: splitting a group changes it, and
// merging the halves back gives the same bits.
RC_GTEST_PROP(RewardAdvantages, T12T13, ()) {
  const Random step = random_step(*rc::gen::arbitrary<std::uint64_t>());
  for (const AdvantageOptions& o : all_options()) {
    const auto before = estimated(o, step.rewards, step.groups);
    Random more = step;
    more.rewards.push_back({kNan, kNan});
    more.groups.push_back(step.groups[0]);
    const auto after = estimated(o, more.rewards, more.groups);
    for (std::size_t i = 0; i < step.groups.size(); ++i)
      RC_ASSERT(after.values[i] == before.values[i]);
    RC_ASSERT(after.values.back() == 0);
    Random split = step;
    for (std::size_t i = 0; i < 6; ++i) split.groups[i] += 100;
    (void)estimated(o, split.rewards, split.groups);
    RC_ASSERT(estimated(o, step.rewards, step.groups).values == before.values);
  }
}

// T16: a shift of all rewards of a group changes nothing; a scale passes through None, and through
// Group only by way of eps.
RC_GTEST_PROP(RewardAdvantages, T16ShiftAndScale, ()) {
  const Random step = random_step(*rc::gen::arbitrary<std::uint64_t>());
  Rows one, shifted, scaled;
  for (std::size_t i = 0; i < step.rewards.size(); ++i) {
    const double r = step.rewards[i][0];
    one.push_back({r});
    shifted.push_back({r + 4.0 * step.groups[i]});
    scaled.push_back({r * 8});
  }
  for (const auto& o :
       {options({}), options({{"scale", "none"}}), options({{"estimator", "leave_one_out"}})}) {
    const auto a = estimated(o, one, step.groups), b = estimated(o, shifted, step.groups);
    for (std::size_t i = 0; i < one.size(); ++i)
      RC_ASSERT(std::abs(a.values[i] - b.values[i]) < 1e-9);
  }
  const auto none = estimated(options({{"scale", "none"}}), one, step.groups);
  const auto none8 = estimated(options({{"scale", "none"}}), scaled, step.groups);
  const auto group = estimated(options({{"eps", "0"}}), one, step.groups);
  const auto group8 = estimated(options({{"eps", "0"}}), scaled, step.groups);
  for (std::size_t i = 0; i < one.size(); ++i) {
    RC_ASSERT(std::abs(8 * none.values[i] - none8.values[i]) < 1e-9);
    RC_ASSERT(std::abs(group.values[i] - group8.values[i]) < 1e-9);
  }
}

}  // namespace
}  // namespace allot
