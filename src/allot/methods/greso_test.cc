// Golden cases of GRESO (acceptance tests of the method's specification); its arithmetic is tested
// in parts/useless_runs_test.cc.
#include <cmath>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::budget_of;
using testing::controller_of;
using testing::ids;
using testing::play;
using testing::Played;
using testing::Script;
using testing::Settings;
using testing::verdicts;

Settings with(Settings settings, const std::string& key, const std::string& value) {
  settings.emplace_back(key, value);
  return settings;
}

// One draw per step, as many prompts as groups are wanted, no second thoughts.
Settings one_draw() {
  return {{"alloc.greso.candidates_per_group", "1"},
          {"alloc.greso.smallest_draw", "1"},
          {"alloc.refill.max_rounds", "1"},
          {"alloc.refill.keep_surplus", "false"}};
}

// Visits the prompt until it has been rolled out once.
void visit(Controller& controller, PromptId prompt, const std::vector<Outcome>& outcomes) {
  while (play(controller, {{prompt}, {}, {{prompt, outcomes}}}, budget_of(1, 8))
             .plans[0]
             .generate.empty()) {
  }
}

// 1. Prompt z has z all-wrong visits: it is kept with probability .5^z, at least .01.
TEST(Greso, KeepsByTheLengthOfTheRun) {
  Controller controller = controller_of("greso", one_draw());
  for (PromptId z = 0; z <= 7; ++z) {
    visit(controller, z + 1, verdicts(4, 4));
    for (PromptId i = 0; i < z; ++i) visit(controller, z + 1, verdicts(0, 8));
  }
  std::map<PromptId, double> kept;
  constexpr int kSteps = 20000;
  std::vector<PromptRef> shown;
  for (const PromptId id : ids(1, 8)) shown.push_back({id});
  for (int i = 0; i < kSteps; ++i) {
    for (const Issued& issued : controller.plan(shown, budget_of(8, 64), 1000).generate)
      ++kept[issued.prompt];
    controller.finalize();  // without outcomes there is no visit
    controller.feedback({controller.step()});
  }
  const std::vector<double> wanted = {1, .5, .25, .125, .0625, .03125, .015625, .01};
  for (PromptId z = 0; z <= 7; ++z) {
    const double p = wanted[z];
    EXPECT_NEAR(kept[z + 1] / kSteps, p, 3 * std::sqrt(p * (1 - p) / kSteps)) << z;
  }
}

// 4. The sizes of the draws, through the method: T = 256, 384 shown at first.
TEST(Greso, FurtherDrawFollowsTheLastOne) {
  const auto draws = [](PromptId mixed_of_first) {
    Script script{ids(1, 384), ids(1001, 2000), {}};
    for (const PromptId id : script.candidates)
      script.outcomes[id] = id <= mixed_of_first ? verdicts(4, 4) : verdicts(0, 8);
    for (const PromptId id : script.further)
      script.outcomes[id] = id % 2 ? verdicts(4, 4) : verdicts(0, 8);
    Controller controller = controller_of("greso", {{"alloc.greso.smallest_draw", "64"}});
    return play(controller, script, budget_of(256, 2048));
  };
  // 192 of 384 kept: 1.25 * 64 / .5 = 160, which is the last draw; 80 of them are mixed.
  const Played half = draws(192);
  EXPECT_EQ(half.plans[1].refill, 160u);
  EXPECT_EQ(half.metrics.at("alloc/greso/draws"), 2);
  EXPECT_EQ(half.batch.groups.size(), 256u);
  EXPECT_EQ(half.metrics.at("alloc/greso/short_batch"), 0);
  EXPECT_EQ(half.metrics.at("alloc/greso/surplus_left"), 192 + 80 - 256);
  EXPECT_EQ(half.batch.norm, Norm::PerToken);
  // 96 kept, share .75: 1.25 * 160 / .25 = 800 is cut to 384 and need not be the last; 192 more
  // are kept, which is enough.
  const Played few = draws(96);
  EXPECT_EQ(few.plans[1].refill, 384u);
  EXPECT_EQ(few.metrics.at("alloc/greso/draws"), 2);
  EXPECT_EQ(few.batch.groups.size(), 256u);
}

TEST(Greso, TheLastDrawMayLeaveAShortBatch) {
  Script script{ids(1, 12), ids(101, 400), {}};
  for (const PromptId id : script.candidates)
    script.outcomes[id] = id <= 6 ? verdicts(4, 4) : verdicts(0, 8);
  for (const PromptId id : script.further) script.outcomes[id] = verdicts(8, 0);
  Controller controller = controller_of("greso");
  const Played played = play(controller, script, budget_of(8, 64));
  // Two missing at a share of one half: 1.25 * 2 / .5 = 5, raised to 8, and none after it.
  EXPECT_EQ(played.plans[1].refill, 8u);
  EXPECT_EQ(played.metrics.at("alloc/greso/draws"), 2);
  EXPECT_EQ(played.batch.groups.size(), 6u);
  EXPECT_EQ(played.metrics.at("alloc/greso/short_batch"), 1);
  EXPECT_DOUBLE_EQ(played.metrics.at("alloc/greso/share_easy"), 8.0 / 20);
  EXPECT_DOUBLE_EQ(played.metrics.at("alloc/greso/share_hard"), 6.0 / 20);
}

// 5. A dropped group is a visit, a skipped prompt has none: with a keep probability of 0 after the
// first useless visit (floor one in a million) the prompt is not seen again.
TEST(Greso, SkippedPromptsHaveNoVisit) {
  Controller controller = controller_of(
      "greso", with(with(one_draw(), "alloc.greso.p_hard", "0"), "alloc.greso.floor", "1e-6"));
  Script script{{1, 2}, {}, {{1, verdicts(0, 8)}, {2, verdicts(4, 4)}}};
  const Played first = play(controller, script, budget_of(2, 16));
  EXPECT_EQ(first.batch.groups.size(), 1u);
  EXPECT_EQ(first.batch.reports.size(), 2u);
  for (int i = 0; i < 5; ++i) {
    const Played next = play(controller, script, budget_of(2, 16));
    EXPECT_EQ(next.requested(1), 0u);
    EXPECT_EQ(next.requested(2), 8u);
    EXPECT_EQ(next.metrics.at("alloc/greso/skipped_hard"), 1);
    EXPECT_EQ(next.metrics.at("alloc/greso/skipped_z_mean"), 1);  // and not 2, 3, ...
  }
}

TEST(Greso, SurvivorsAreCollectedByRefills) {
  Controller controller = controller_of(
      "greso", with(with(one_draw(), "alloc.greso.p_hard", "0"), "alloc.greso.floor", "1e-6"));
  Script first{ids(1, 8), {}, {}};
  for (const PromptId id : first.candidates) first.outcomes[id] = verdicts(0, 8);
  play(controller, first, budget_of(8, 64));
  // Prompts 1 .. 8 are skipped, and so is every second one that comes instead.
  Script second{ids(1, 8), {11, 1001, 12, 1002, 13, 1003, 14, 1004, 15, 16, 17, 18, 19}, {}};
  for (PromptId id = 1001; id <= 1004; ++id) visit(controller, id, verdicts(0, 8));
  for (PromptId id = 11; id <= 19; ++id) second.outcomes[id] = verdicts(4, 4);
  const Played played = play(controller, second, budget_of(8, 64));
  EXPECT_EQ(played.plans[0].refill, 8u);
  EXPECT_EQ(played.plans[1].refill, 4u);
  EXPECT_EQ(played.plans[1].generate.size(), 4u);
  EXPECT_EQ(played.plans[2].generate.size(), 4u);
  EXPECT_EQ(played.requested(18), 8u);
  EXPECT_EQ(played.requested(19), 0u);  // never shown
  EXPECT_EQ(played.metrics.at("alloc/greso/skipped_hard"), 12);
  EXPECT_EQ(played.batch.groups.size(), 8u);
}

// One epoch of prompts 1 .. size.
class Epoch {
 public:
  Epoch(PromptId size, std::uint32_t number) : size_(size), number_(number) {}
  std::vector<PromptRef> next(std::size_t n) {
    std::vector<PromptRef> out;
    for (; n > 0 && next_ <= size_; --n) out.push_back({next_++, number_});
    return out;
  }
  bool over() const { return next_ > size_; }

 private:
  PromptId size_, next_ = 1;
  std::uint32_t number_;
};

// Outcomes of a request where even prompts are right half of the time and odd ones never.
void roll_out(const Issued& issued, std::uint64_t step, std::vector<Outcome>& outcomes) {
  RandomStream random({11, RandomUse::Test, step, issued.prompt, 0});
  for (std::uint32_t i = 0; i < issued.n; ++i) {
    Outcome outcome{.id = issued.first + i, .prompt = issued.prompt};
    outcome.correct = random.uniform() < .5 && issued.prompt % 2 == 0;
    outcome.reward = outcome.correct ? 1 : 0;
    outcomes.push_back(outcome);
  }
}

// A run of eight epochs over 1,000 prompts, half hopeless and half at one half, in steps of 100
// groups, of which none crosses the end of an epoch.
struct EightEpochs {
  std::vector<double> hopeless;  // share of the sampled groups, by epoch
  double p_hard = 0, p_easy = 0;
};

EightEpochs eight_epochs(std::uint64_t seed) {
  EightEpochs out;
  Controller controller = controller_of("greso", one_draw(), seed);
  for (std::uint32_t number = 0; number < 8; ++number) {
    double hopeless = 0, all = 0;
    for (Epoch epoch(1000, number); !epoch.over();) {
      const std::string before = controller.save(0);
      const std::uint64_t step = controller.step();
      std::vector<PromptId> sampled;
      std::vector<Outcome> outcomes;
      Plan plan = controller.plan(epoch.next(100), budget_of(100, 800), 0);
      for (;;) {
        for (const Issued& issued : plan.generate) {
          sampled.push_back(issued.prompt);
          roll_out(issued, seed * 1000 + step, outcomes);
        }
        if (plan.done || (plan.refill > 0 && epoch.over())) break;
        const bool asked = plan.refill > 0;
        const auto more = epoch.next(plan.refill);
        plan =
            asked ? controller.observe({}, more) : controller.observe(std::exchange(outcomes, {}));
      }
      if (sampled.size() < 100) {  // the rest of the epoch does not fill a step
        controller.load(before, 0);
        break;
      }
      for (const PromptId prompt : sampled) hopeless += prompt % 2, ++all;
      controller.finalize();
      controller.feedback({step});
      for (const Metric& metric : controller.metrics()) {
        if (metric.name == "alloc/greso/p_hard") out.p_hard = metric.value;
        if (metric.name == "alloc/greso/p_easy") out.p_easy = metric.value;
      }
    }
    out.hopeless.push_back(hopeless / all);
  }
  return out;
}

// 6. The hopeless become rare, down to the share aimed at. Means over runs.
TEST(Greso, UselessPromptsBecomeRare) {
  constexpr int kRuns = 8;
  std::vector<double> share(8);
  double p_hard = 0, p_easy = 0;
  for (std::uint64_t seed = 1; seed <= kRuns; ++seed) {
    const EightEpochs run = eight_epochs(seed);
    for (std::size_t e = 0; e < 8; ++e) share[e] += run.hopeless[e] / kRuns;
    p_hard += run.p_hard / kRuns, p_easy += run.p_easy / kRuns;
  }
  const std::vector<double> wanted = {.50, .33, .22, .17};
  for (std::size_t e = 0; e < wanted.size(); ++e) EXPECT_NEAR(share[e], wanted[e], .015) << e;
  for (std::size_t e = wanted.size(); e < 8; ++e)
    EXPECT_TRUE(share[e] > .11 && share[e] < .18) << e << ": " << share[e];
  EXPECT_NEAR(p_hard, .46, .015);
  EXPECT_NEAR(p_easy, .885, .01);
}

TEST(Greso, RatesStandStillInTheFirstEpoch) {
  for (const std::uint32_t epoch : {0u, 1u}) {
    Controller controller = controller_of("greso", one_draw());
    double p_hard = 0, p_easy = 0;
    for (PromptId id = 1; id <= 3; ++id) {
      const std::vector<PromptRef> shown = {{id, epoch}};
      controller.plan(shown, budget_of(1, 8), 0);
      std::vector<Outcome> outcomes = verdicts(0, 8);
      for (std::size_t i = 0; i < 8; ++i) {
        outcomes[i].id = 8 * (id - 1) + 1 + i;
        outcomes[i].prompt = id;
      }
      controller.observe(outcomes);
      controller.finalize();
      controller.feedback({controller.step()});
      for (const Metric& metric : controller.metrics()) {
        if (metric.name == "alloc/greso/p_hard") p_hard = metric.value;
        if (metric.name == "alloc/greso/p_easy") p_easy = metric.value;
      }
    }
    EXPECT_DOUBLE_EQ(p_hard, epoch == 0 ? .5 : .48);  // as used by the third step
    EXPECT_DOUBLE_EQ(p_easy, epoch == 0 ? .5 : .52);
  }
}

TEST(Greso, ReweightingDividesByTheKeepProbability) {
  Controller controller = controller_of("greso", with(one_draw(), "alloc.greso.reweight", "true"));
  visit(controller, 1, verdicts(0, 8));
  visit(controller, 1, verdicts(0, 8));
  visit(controller, 2, verdicts(4, 4));
  for (bool seen = false; !seen;) {
    const Played played = play(controller, {{1, 2}, {}, {{1, verdicts(4, 4)}, {2, verdicts(4, 4)}}},
                               budget_of(2, 16));
    EXPECT_EQ(played.batch.norm, Norm::Fixed);
    EXPECT_EQ(played.batch.fixed, 16);
    for (const TrainGroup& group : played.batch.groups) {
      EXPECT_EQ(played.batch.items[group.first].weight, group.prompt == 1 ? 4.f : 1.f);
      seen |= group.prompt == 1;
    }
  }
}

TEST(Greso, RefusesBoundsThatMeet) {
  EXPECT_THROW(controller_of("greso", {{"alloc.greso.easy_from", "0"}}), Error);
  EXPECT_THROW(controller_of("greso", {{"alloc.greso.p_low", "0.96"}}), Error);
}

}  // namespace
}  // namespace allot
