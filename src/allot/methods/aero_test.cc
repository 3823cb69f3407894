// Golden cases of AERO: strata, one-sided groups, rescue and its pool (acceptance tests of the
// method's specification).
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/core/testing/outcome_stream.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::budget_of;
using testing::controller_of;
using testing::drive_step;
using testing::play;
using testing::Played;
using testing::Script;
using testing::Settings;
using testing::StreamWorld;
using testing::verdicts;

Settings with_paper(Settings settings) {  // the paper's sizes: 8 of 16 explored
  settings.emplace_back("alloc.group_size", "16");
  return settings;
}

// One prompt; the pool allows a full rescue.
Played played(const std::vector<Outcome>& outcomes, const Settings& settings = {},
              std::uint64_t seed = 1) {
  Controller controller = controller_of("aero", with_paper(settings), seed);
  return play(controller, {{7}, {}, {{7, outcomes}}}, budget_of(1, 1000));
}

void expect_counts(const Played& p, std::size_t positive, double a, std::size_t negative,
                   double b) {
  std::vector<float> got = p.advantages(7);
  std::sort(got.rbegin(), got.rend());
  ASSERT_EQ(got.size(), positive + negative);
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], i < positive ? a : b, 5e-7) << i;
}

const Settings kNoRescue = {{"alloc.aero.rescue_rounds", "0"}};

TEST(Aero, PartialStratumIsExactlyPlusMinusOne) {
  for (const std::uint32_t right : {1u, 3u, 4u}) {
    const Played p = played(verdicts(right, 8 - right));
    const std::vector<float> got = p.advantages(7);
    ASSERT_EQ(got.size(), 2 * right);
    EXPECT_EQ(std::count(got.begin(), got.end(), 1.0f), right);
    EXPECT_EQ(std::count(got.begin(), got.end(), -1.0f), right);
    EXPECT_EQ(p.requested(7), 8u);
    EXPECT_EQ(p.batch.norm, Norm::PerGroup);
  }
}

TEST(Aero, HighStratumKeepsAll) { expect_counts(played(verdicts(5, 3)), 5, .774597, 3, -1.290994); }

TEST(Aero, BoundaryOfTheHighStratumBelongsToIt) {
  const Settings quarter = {{"alloc.aero.high", "0.25"}};
  EXPECT_EQ(played(verdicts(1, 7), quarter).kept(7).size(), 2u);
  EXPECT_EQ(played(verdicts(2, 6), quarter).kept(7).size(), 8u);
}

TEST(Aero, MoreWrongRolloutsPerCorrectOne) {
  const Settings three = {{"alloc.aero.kept_wrong", "3"}};
  expect_counts(played(verdicts(1, 7), three), 1, std::sqrt(3), 3, -1 / std::sqrt(3));
  EXPECT_EQ(played(verdicts(3, 5), three).kept(7).size(), 8u);  // there are only five
}

TEST(Aero, OneSidedGroupsUseThePosterior) {
  const Played none = played(verdicts(0, 8), kNoRescue);
  expect_counts(none, 0, 0, 4, -1.0 / 3);
  EXPECT_EQ(none.report(7).cause, ZeroCause::AllWrong);
  EXPECT_TRUE(none.report(7).admitted);
  expect_counts(played(verdicts(8, 0)), 4, 1.0 / 3, 0, 0);
  // After rescues the posterior counts all rollouts, the kept ones or not.
  expect_counts(played(verdicts(0, 28)), 0, 0, 4, -.185695);
  expect_counts(played(verdicts(0, 16), {{"alloc.aero.rescue_rounds", "4"}}), 0, 0, 4, -.242536);
}

TEST(Aero, OneSidedGroupsOnRequest) {
  const Settings plain = {{"alloc.aero.rescue_rounds", "0"}, {"alloc.aero.degenerate", "none_std"}};
  expect_counts(played(verdicts(0, 8), plain), 0, 0, 4, -.1);
  expect_counts(played(verdicts(8, 0), plain), 4, .1, 0, 0);
  const Settings off = {{"alloc.aero.rescue_rounds", "0"}, {"alloc.aero.degenerate", "off"}};
  EXPECT_TRUE(played(verdicts(0, 8), off).batch.items.empty());
  EXPECT_TRUE(played(verdicts(8, 0), off).batch.items.empty());
  const Settings prior = {{"alloc.aero.rescue_rounds", "0"},
                          {"alloc.aero.prior_a", "2"},
                          {"alloc.aero.prior_b", "6"},
                          {"alloc.aero.kept_one_sided", "3"}};
  const double u = 2.0 / 16;
  expect_counts(played(verdicts(0, 8), prior), 0, 0, 3, -u / std::sqrt(u * (1 - u)));
}

TEST(Aero, RescueStopsAtTheFirstSuccess) {
  auto outcomes = verdicts(0, 28);
  outcomes[12].reward = 1;  // in the third rescue: positions 12 and 13
  outcomes[12].correct = true;
  const Played p = played(outcomes);
  EXPECT_EQ(p.requested(7), 14u);
  expect_counts(p, 1, 1, 1, -1);
  EXPECT_EQ(p.kept(7).size(), 2u);
  EXPECT_TRUE(p.kept(7)[0] == 12 || p.kept(7)[1] == 12);
  // The belief counts the exploration alone.
  EXPECT_EQ(p.report(7).counted_n, 8u);
  EXPECT_EQ(p.report(7).counted_sum, 0);
  EXPECT_EQ(p.batch.groups[0].pool_n, 14u);
  EXPECT_FLOAT_EQ(p.batch.groups[0].pool_mean, 1.0f / 14);
  for (const Plan& plan : p.plans)
    for (const Issued& issued : plan.generate) EXPECT_EQ(issued.tag, issued.round == 0 ? 0u : 1u);
  EXPECT_EQ(p.metrics.at("alloc/aero/pool_used"), 6);
  EXPECT_EQ(p.metrics.at("alloc/aero/rescued"), 1);
  EXPECT_EQ(p.metrics.at("alloc/aero/rescue_rounds"), 3);
  EXPECT_EQ(p.metrics.at("alloc/aero/zero_ratio_explore"), 1);
  EXPECT_EQ(p.metrics.at("alloc/aero/zero_ratio_after_rescue"), 0);
}

TEST(Aero, FullRescueReaches28AndTheCodeSettingReaches20) {
  EXPECT_EQ(played(verdicts(0, 28)).requested(7), 28u);
  const Settings code = {{"alloc.aero.rescue_size", "4"}, {"alloc.aero.rescue_rounds", "3"}};
  EXPECT_EQ(played(verdicts(0, 20), code).requested(7), 20u);
  EXPECT_EQ(played(verdicts(0, 13), {{"alloc.aero.n_max", "13"}}).requested(7), 13u);
}

TEST(Aero, PoolIsSharedInADrawnOrder) {
  Script script{{1, 2, 3, 4}, {}, {}};
  for (PromptId id = 1; id <= 4; ++id) script.outcomes[id] = verdicts(0, 40);
  std::set<std::vector<PromptId>> orders;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Controller controller = controller_of("aero", with_paper({}), seed);
    const Played p = play(controller, script, budget_of(4, 38));
    ASSERT_EQ(p.plans[1].generate.size(), 3u);
    std::vector<PromptId> order;
    for (const Issued& issued : p.plans[1].generate) {
      EXPECT_EQ(issued.n, 2u);
      order.push_back(issued.prompt);
    }
    orders.insert(order);
    EXPECT_TRUE(p.plans[2].done);
    EXPECT_EQ(p.metrics.at("alloc/aero/pool_used"), 6);
    Controller again = controller_of("aero", with_paper({}), seed);
    const Played q = play(again, script, budget_of(4, 38));
    for (std::size_t i = 0; i < order.size(); ++i)
      EXPECT_EQ(q.plans[1].generate[i].prompt, order[i]);
  }
  EXPECT_GT(orders.size(), 5u);
}

TEST(Aero, NeverSpendsMoreThanTheBudget) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    StreamWorld world({.seed = seed, .prompts = 64});
    Controller controller = controller_of("aero", with_paper({}), seed);
    const testing::DrivenStep step = drive_step(controller, world, budget_of(16, 256));
    EXPECT_LE(step.reported.size(), 16u * 16);
    std::map<PromptId, std::uint32_t> n, correct, wrong_first;
    for (const Outcome& outcome : step.reported) {
      const auto seq = n[outcome.prompt]++;
      correct[outcome.prompt] += outcome.correct;
      wrong_first[outcome.prompt] += seq < 8 && !outcome.correct;
    }
    for (const auto& entry : n) {
      const PromptId prompt = entry.first;
      const std::uint32_t count = entry.second;
      EXPECT_LE(count, 28u);
      if (count == 8) continue;  // never rescued
      EXPECT_EQ(wrong_first[prompt], 8u);
      EXPECT_LE(correct[prompt], 2u);
      if (correct[prompt] > 0) {  // the partial stratum: one wrong per correct
        const auto group = std::find_if(step.batch.groups.begin(), step.batch.groups.end(),
                                        [&](const TrainGroup& g) { return g.prompt == prompt; });
        ASSERT_NE(group, step.batch.groups.end());
        EXPECT_EQ(group->count, 2 * correct[prompt]);
      }
    }
    for (const TrainItem& item : step.batch.items) EXPECT_NE(item.advantage, 0.0f);
  }
}

TEST(Aero, PublishedSavingsForThePublishedDifficulty) {
  // Pass rates Beta(.3, .6): .39 of the prompts all wrong at 8; the reference of the specification
  // is 14.35 rollouts and 4.62 kept per prompt and a zero ratio of .265 after rescue.
  constexpr std::uint32_t kPrompts = 1024;
  std::vector<double> rates;
  for (std::uint64_t i = 0; i <= kPrompts; ++i)
    rates.push_back(RandomStream({11, RandomUse::Test, 0, i, 0}).beta(.3, .6));
  StreamWorld world(
      {.seed = 3, .prompts = kPrompts, .pass_rate = [&](PromptId p) { return rates[p]; }});
  Controller controller = controller_of("aero", with_paper({}));
  double zero = 0, zero_after = 0, kept = 0, generated = 0;
  constexpr int kSteps = 8;
  for (int i = 0; i < kSteps; ++i) {
    const auto step = drive_step(controller, world, budget_of(256, 4096));
    for (const Metric& metric : step.metrics) {
      if (metric.name == "alloc/aero/zero_ratio_explore") zero += metric.value / kSteps;
      if (metric.name == "alloc/aero/zero_ratio_after_rescue") zero_after += metric.value / kSteps;
      if (metric.name == "alloc/aero/kept_per_prompt") kept += metric.value / kSteps;
    }
    generated += static_cast<double>(step.reported.size()) / 256 / kSteps;
  }
  // 2048 groups of 1024 prompts: standard errors about .015, .014, .06 and .25.
  EXPECT_NEAR(zero, .39, .05);
  EXPECT_NEAR(zero_after, .265, .05);
  EXPECT_NEAR(kept, 4.62, .2);
  EXPECT_NEAR(generated, 14.35, .8);
}

TEST(Aero, KeptRolloutsDependOnSeedAndOutcomesAlone) {
  const auto run = [](std::uint64_t arrival) {
    StreamWorld world({.seed = 2, .prompts = 40, .arrival_seed = arrival, .arrivals_per_call = 5});
    Controller controller = controller_of("aero", with_paper({}));
    return transcript(drive_step(controller, world, budget_of(16, 256)));
  };
  const std::string first = run(0);
  EXPECT_EQ(first, run(0));
  EXPECT_EQ(first, run(1));
  EXPECT_EQ(first, run(2));
}

TEST(Aero, UnscorablePromptsAreNotRescued) {
  auto outcomes = verdicts(0, 8);
  for (Outcome& outcome : outcomes) outcome.scoring = Scoring::NotScorable;
  const Played p = played(outcomes);
  EXPECT_EQ(p.requested(7), 8u);
  EXPECT_EQ(p.report(7).cause, ZeroCause::Unscorable);
}

TEST(Aero, HigherThresholdRescuesPartialPromptsToo) {
  const Settings two = {{"alloc.aero.rescue_threshold", "2"}, {"alloc.aero.rescue_rounds", "1"}};
  EXPECT_EQ(played(verdicts(2, 8), two).requested(7), 10u);
  EXPECT_EQ(played(verdicts(3, 7), two).requested(7), 8u);
}

TEST(Aero, HardCapBoundsExplorationAndRescue) {
  Controller controller = controller_of("aero", with_paper({}));
  Budget budget = budget_of(2, 32);
  budget.hard_rollouts = 19;
  const Played p =
      play(controller, {{1, 2}, {}, {{1, verdicts(0, 40)}, {2, verdicts(4, 4)}}}, budget);
  EXPECT_EQ(p.requested(1), 11u);
  EXPECT_EQ(p.requested(2), 8u);
}

TEST(Aero, UnusedTokensComeBackForTheRescue) {
  Controller controller = controller_of("aero", with_paper({}));
  Budget budget = budget_of(1, 100);
  budget.max_tokens = 20;
  budget.hard_tokens = 160;  // eight full answers; each takes 10
  const Played p = play(controller, {{1}, {}, {{1, verdicts(0, 40)}}}, budget);
  // 80 tokens are left: three rounds of two (60, 40, 20 left), then one (10 left), then none.
  EXPECT_EQ(p.requested(1), 15u);
}

// Why beliefs count the first round alone (contract, section 5): where sampling stops at a success,
// the pass rate of all rollouts is too high. The first round's is held right by contract_test.cc.
TEST(Aero, PassRateOfAllRolloutsIsTooHigh) {
  constexpr double kRate = 0.3;
  StreamWorld world({.seed = 9, .prompts = 4000, .pass_rate = [](PromptId) { return kRate; }});
  Controller controller = controller_of("aero");  // explores 4, then pairs until a success
  double sum = 0, squares = 0, groups = 0;
  for (int i = 0; i < 30; ++i) {
    std::map<PromptId, std::vector<bool>> verdicts;
    for (const Outcome& outcome : drive_step(controller, world, budget_of(100, 800)).reported)
      verdicts[outcome.prompt].push_back(outcome.correct);
    for (const auto& [prompt, correct] : verdicts) {
      const double share = static_cast<double>(std::count(correct.begin(), correct.end(), true)) /
                           static_cast<double>(correct.size());
      sum += share, squares += share * share, ++groups;
    }
  }
  const double mean = sum / groups;
  const double error = std::sqrt((squares / groups - mean * mean) / groups);
  EXPECT_GT(mean, kRate + 5 * error);
}

TEST(Aero, SizesFollowTheGroupSize) {
  Controller controller = controller_of("aero");  // group_size 8: explore 4, n_max 16
  const Played p = play(controller, {{7}, {}, {{7, verdicts(0, 40)}}}, budget_of(1, 1000));
  EXPECT_EQ(p.plans[0].generate.at(0).n, 4u);
  EXPECT_EQ(p.requested(7), 16u);
}

TEST(Aero, RefusesSizesThatDoNotFit) {
  const auto refused = [](const Settings& settings, const std::string& key) {
    try {
      controller_of("aero", settings);
    } catch (const Error& error) {
      return error.kind() == ErrorKind::Config &&
             std::string(error.what()).find(key) != std::string::npos;
    }
    return false;
  };
  EXPECT_TRUE(refused({{"alloc.group_size", "3"}}, "alloc.aero.explore"));
  EXPECT_TRUE(refused({{"alloc.aero.explore", "9"}}, "alloc.aero.explore"));
  EXPECT_TRUE(refused({{"alloc.aero.n_max", "3"}}, "alloc.aero.n_max"));
  EXPECT_TRUE(refused({{"alloc.aero.rescue_threshold", "3"}}, "alloc.aero.rescue_threshold"));
}

}  // namespace
}  // namespace allot
