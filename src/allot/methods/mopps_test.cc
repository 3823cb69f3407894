// Golden cases of MoPPS (acceptance tests of the method's specification).
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/methods/parts/belief.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::alloc_options;
using testing::budget_of;
using testing::controller_of;
using testing::ids;
using testing::play;
using testing::Played;
using testing::prompts_of;
using testing::Script;
using testing::Settings;
using testing::verdicts;

std::vector<PromptRef> refs(PromptId first, PromptId last) {
  std::vector<PromptRef> out;
  for (PromptId id = first; id <= last; ++id) out.push_back({id});
  return out;
}

// The prompts chosen in one step that ends without an outcome, which leaves every belief as it is.
std::vector<PromptId> choice(Controller& controller, const std::vector<PromptRef>& shown,
                             std::uint32_t groups) {
  const Plan plan = controller.plan(shown, budget_of(groups, 8ull * groups), 0);
  controller.finalize();
  controller.feedback({controller.step()});
  return prompts_of(plan);
}

// 1. Beta(6, 4) after five of eight; from there, keeping half, (3.5, 10.5) after none of eight.
TEST(Mopps, PosteriorAfterAVisit) {
  const auto mean_after = [](const Settings& settings, const std::vector<std::uint32_t>& right) {
    Controller controller = controller_of("mopps", settings);
    for (const std::uint32_t r : right)
      play(controller, {{1}, {}, {{1, verdicts(r, 8 - r)}}}, budget_of(1, 8));
    controller.plan(refs(1, 1), budget_of(1, 8), 1000);
    for (const Metric& metric : controller.metrics())
      if (metric.name == "alloc/mopps/selected_posterior_mean") return metric.value;
    return std::nan("");
  };
  EXPECT_DOUBLE_EQ(mean_after({}, {5}), .6);
  EXPECT_DOUBLE_EQ(mean_after({}, {5, 0}), 6.0 / 18);
  BetaBelief belief;
  belief.a = 6, belief.b = 4;
  belief.forget(.5, {});
  belief.add(0, 8);
  EXPECT_EQ(belief.a, 3.5);
  EXPECT_EQ(belief.b, 10.5);
  // Through the method: (1 + .5 * 5, 1 + .5 * 3 + 8).
  EXPECT_DOUBLE_EQ(mean_after({{"alloc.mopps.decay", "0.5"}}, {5, 0}), 3.5 / 14);
  EXPECT_DOUBLE_EQ(mean_after({{"alloc.mopps.prior_a", "2"}, {"alloc.mopps.prior_b", "6"}}, {5, 0}),
                   7.0 / 24);
}

// 2. Unvisited prompts are chosen uniformly: chi-square of 10^5 selections, 99 degrees of freedom.
TEST(Mopps, FreshPoolIsChosenUniformly) {
  for (const char* strategy : {"topk", "threshold"}) {
    const auto method =
        make_method(alloc_options("mopps", {{"alloc.mopps.strategy", strategy}}), {});
    const auto shown = refs(1, 100);
    std::map<PromptId, double> times;
    for (std::uint64_t step = 0; step < 10000; ++step)
      for (const GenRequest& request :
           method->plan({.step = step, .seed = 3, .candidates = shown, .budget = budget_of(10, 80)})
               .generate)
        ++times[request.prompt];
    double chi2 = 0, all = 0;
    for (PromptId id = 1; id <= 100; ++id) {
      chi2 += (times[id] - 1000) * (times[id] - 1000) / 1000;
      all += times[id];
    }
    EXPECT_EQ(all, 1e5);
    EXPECT_LT(chi2, 148.23) << strategy;  // p > .001
    EXPECT_GT(chi2, 40) << strategy;      // and not suspiciously even
  }
}

// 3. T prompts at Beta(500, 500) among 15 T at Beta(1, 99): nearly only the first are chosen.
TEST(Mopps, KnownMiddleIsPreferred) {
  constexpr std::uint32_t kMiddle = 8, kAll = 16 * kMiddle;
  Script script{ids(1, kAll), {}, {}};
  for (const PromptId id : script.candidates) {
    script.outcomes[id] = id <= kMiddle ? verdicts(499, 499) : verdicts(0, 998);
    if (id > kMiddle)
      for (std::size_t i = 98; i < 998; ++i) script.outcomes[id][i].scoring = Scoring::NotScorable;
  }
  Controller controller = controller_of("mopps", {{"alloc.group_size", "998"}});
  play(controller, script, budget_of(kAll, 998 * kAll));
  double middle = 0;
  constexpr int kSteps = 200;
  for (int i = 0; i < kSteps; ++i)
    for (const PromptId id : choice(controller, refs(1, kAll), kMiddle)) middle += id <= kMiddle;
  EXPECT_GE(middle, .99 * kSteps * kMiddle);
}

// 4. Exactly T, no repeats; m = T: all; m < T: all, and the step says so.
TEST(Mopps, ChoosesAsManyAsAreWanted) {
  for (const char* strategy : {"topk", "threshold"})
    for (const std::uint32_t m : {0u, 3u, 8u, 9u, 128u}) {
      Controller controller = controller_of("mopps", {{"alloc.mopps.strategy", strategy}});
      Script script{ids(1, m), {}, {}};
      for (const PromptId id : script.candidates) script.outcomes[id] = verdicts(4, 4);
      const Played played = play(controller, script, budget_of(8, 64));
      const auto chosen = prompts_of(played.plans[0]);
      EXPECT_EQ(chosen.size(), std::min(m, 8u));
      EXPECT_EQ(std::set<PromptId>(chosen.begin(), chosen.end()).size(), chosen.size());
      EXPECT_EQ(played.metrics.at("alloc/mopps/short_pool"), m < 8);
    }
}

// 5. threshold without a draw in the interval takes the nearest ones. The draws are those of topk.
TEST(Mopps, EmptyIntervalTakesTheNearest) {
  const auto shown = refs(1, 64);
  const auto chosen = [&](const Settings& settings) {
    Controller controller = controller_of("mopps", settings);
    const auto list = choice(controller, shown, 4);
    return std::set<PromptId>(list.begin(), list.end());
  };
  EXPECT_EQ(chosen({{"alloc.mopps.strategy", "threshold"},
                    {"alloc.mopps.low", "1"},
                    {"alloc.mopps.high", "1"}}),
            chosen({{"alloc.mopps.target", "1"}}));
  EXPECT_NE(chosen({{"alloc.mopps.target", "0"}}), chosen({{"alloc.mopps.target", "1"}}));
}

// 6. One rollout counts once.
TEST(Mopps, OneRolloutUpdatesByOne) {
  Controller controller = controller_of("mopps");
  Budget budget = budget_of(1, 1);
  budget.n_max = 1;
  const Played first = play(controller, {{1}, {}, {{1, verdicts(1, 0)}}}, budget);
  EXPECT_EQ(first.requested(1), 1u);
  EXPECT_TRUE(first.batch.items.empty());
  const Played second = play(controller, {{1}, {}, {{1, verdicts(0, 1)}}}, budget);
  EXPECT_DOUBLE_EQ(second.metrics.at("alloc/mopps/selected_posterior_mean"), 2.0 / 3);
  EXPECT_EQ(second.metrics.at("alloc/mopps/unvisited_share"), 0);
  EXPECT_DOUBLE_EQ(second.metrics.at("alloc/mopps/selected_p_observed"), 0);
  EXPECT_DOUBLE_EQ(second.metrics.at("belief/brier"), 4.0 / 9);
}

// 7. A reload gives the same draws.
TEST(Mopps, ReloadGivesTheSameDraws) {
  Controller controller = controller_of("mopps");
  Script script{ids(1, 64), {}, {}};
  for (const PromptId id : script.candidates) script.outcomes[id] = verdicts(id % 9, 8 - id % 9);
  play(controller, script, budget_of(32, 256));
  Controller other = controller_of("mopps");
  other.load(controller.save(7), 7);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(choice(controller, refs(1, 64), 8), choice(other, refs(1, 64), 8));
}

TEST(Mopps, DrawsDependOnThePromptAndNotOnItsCompany) {
  Controller one = controller_of("mopps"), two = controller_of("mopps");
  auto shown = refs(1, 64);
  const auto chosen = choice(one, shown, 8);
  std::reverse(shown.begin(), shown.end());
  EXPECT_EQ(choice(two, shown, 8), chosen);
}

TEST(Mopps, AMissingScoreIsNoVisit) {
  Controller controller = controller_of("mopps", {{"alloc.mopps.decay", "0"}});
  play(controller, {{1}, {}, {{1, verdicts(8, 0)}}}, budget_of(1, 8));
  auto missing = verdicts(0, 8);
  for (Outcome& outcome : missing) outcome.scoring = Scoring::VerifierError;
  for (int i = 0; i < 2; ++i) {
    const Played played = play(controller, {{1}, {}, {{1, missing}}}, budget_of(1, 8));
    EXPECT_DOUBLE_EQ(played.metrics.at("alloc/mopps/selected_posterior_mean"), .9);
    EXPECT_FALSE(played.metrics.count("belief/brier"));
  }
}

TEST(Mopps, RefusesAnEmptyInterval) {
  EXPECT_THROW(controller_of("mopps", {{"alloc.mopps.low", "0.8"}}), Error);
  EXPECT_THROW(controller_of("mopps", {{"alloc.group_size", "1"}}), Error);
}

}  // namespace
}  // namespace allot
