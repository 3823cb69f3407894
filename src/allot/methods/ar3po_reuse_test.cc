// Golden cases of AR3PO's response reuse: three modes and the buffer (acceptance tests of the
// method's specification).
#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/testing/outcome_stream.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::alloc_options;
using testing::budget_of;
using testing::controller_of;
using testing::drive_step;
using testing::play;
using testing::Played;
using testing::Settings;
using testing::StreamWorld;
using testing::verdicts;

Settings in_stages(int k, int s, Settings more = {}) {
  more.emplace_back("alloc.ar3po.stage_size", std::to_string(k));
  more.emplace_back("alloc.ar3po.stages", std::to_string(s));
  return more;
}

// One prompt solved in step 0 (its last response of `right` correct ones is the newest) and all
// wrong in step 1.
struct Two {
  Played first, second;
  RolloutId newest = 0;
};

Two solved_then_failed(const Settings& settings, std::uint32_t failures = 8,
                       std::uint64_t seed = 1) {
  Controller controller = controller_of("ar3po", settings, seed);
  Two two;
  two.first = play(controller, {{7}, {}, {{7, verdicts(2, 2)}}}, budget_of(1, 8), 0);
  two.newest = two.first.batch.hold.back();
  two.second = play(controller, {{7}, {}, {{7, verdicts(0, failures)}}}, budget_of(1, 8), 1);
  return two;
}

const TrainItem& reused(const Two& two) { return two.second.batch.items.back(); }

// Acceptance test 3: one correct of N.
TEST(Ar3poReuse, AdvantagesAfterReuse) {
  struct Case {
    int k, s;
    Settings settings;
    double right, wrong;
  };
  const std::vector<Case> cases = {
      {4, 2, {}, 2.645751, -.377964},
      {4, 4, {}, 3.872983, -.258199},
      {4, 2, {{"adv.ddof", "1"}}, 2.474874, -.353553},
  };
  for (const Case& c : cases) {
    const auto n = static_cast<std::uint32_t>(c.k * c.s);
    const Two two = solved_then_failed(in_stages(c.k, c.s, c.settings), n);
    const TrainBatch& batch = two.second.batch;
    ASSERT_EQ(batch.items.size(), n);
    EXPECT_EQ(batch.norm, Norm::Fixed);
    EXPECT_EQ(batch.fixed, 1);
    for (const TrainItem& item : batch.items) EXPECT_FLOAT_EQ(item.weight, 1.0f / float(n));
    for (std::size_t i = 0; i + 1 < n; ++i) EXPECT_NEAR(batch.items[i].advantage, c.wrong, 5e-7);
    EXPECT_NEAR(reused(two).advantage, c.right, 5e-7);
    EXPECT_EQ(reused(two).rollout, two.newest);
    EXPECT_EQ(reused(two).anchor, Anchor::StepStart);
    EXPECT_EQ(two.second.report(7).cause, ZeroCause::None);
    EXPECT_EQ(two.second.report(7).shipped, n);
    EXPECT_EQ(two.second.report(7).counted_n, static_cast<std::uint32_t>(c.k));
    EXPECT_EQ(two.second.metrics.at("alloc/ar3po/reuse_share"), 1);
    EXPECT_EQ(two.second.metrics.at("alloc/ar3po/reuse_age"), 1);
  }
}

TEST(Ar3poReuse, AppendedResponseComesOnTop) {
  const Two two = solved_then_failed({{"alloc.ar3po.reuse_place", "append"}});
  ASSERT_EQ(two.second.batch.items.size(), 9u);
  EXPECT_NEAR(reused(two).advantage, std::sqrt(8), 1e-6);
  EXPECT_EQ(two.second.kept(7).size(), 8u);  // all eight of this step
}

TEST(Ar3poReuse, ReplacedResponseIsDrawnUniformly) {
  std::set<std::uint32_t> replaced;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Two two = solved_then_failed({}, 8, seed);
    std::set<std::uint32_t> kept;
    for (const std::uint32_t seq : two.second.kept(7)) kept.insert(seq);
    ASSERT_EQ(kept.size(), 7u);
    for (std::uint32_t i = 0; i < 8; ++i)
      if (!kept.count(i)) replaced.insert(i);
  }
  EXPECT_EQ(replaced.size(), 8u);
}

// Acceptance test 6.
TEST(Ar3poReuse, StopgradOnlyLiftsTheBaseline) {
  const Two two = solved_then_failed({{"alloc.ar3po.reuse_mode", "stopgrad"}});
  ASSERT_EQ(two.second.batch.items.size(), 8u);
  EXPECT_EQ(reused(two).weight, 0.0f);
  for (std::size_t i = 0; i < 7; ++i) {
    EXPECT_NEAR(two.second.batch.items[i].advantage, -1 / std::sqrt(7), 5e-7);
    EXPECT_FLOAT_EQ(two.second.batch.items[i].weight, 1.0f / 8);
  }
}

TEST(Ar3poReuse, BehaviourModeAnchorsOnTheGeneratingPolicy) {
  const Two two = solved_then_failed({{"alloc.ar3po.reuse_mode", "behaviour"}});
  EXPECT_EQ(reused(two).anchor, Anchor::Behaviour);
  for (std::size_t i = 0; i < 7; ++i)
    EXPECT_EQ(two.second.batch.items[i].anchor, Anchor::StepStart);
}

// Acceptance test 7.
TEST(Ar3poReuse, NeedsAHostThatHolds) {
  for (const char* mode : {"recompute", "stopgrad", "behaviour"}) {
    const AllocOptions alloc = alloc_options("ar3po", {{"alloc.ar3po.reuse_mode", mode}});
    EXPECT_THROW(Controller(make_method(alloc, {}), {.method = "ar3po"}), Error) << mode;
  }
  const AllocOptions none = alloc_options("ar3po", {{"alloc.ar3po.buffer", "0"}});
  EXPECT_NO_THROW(Controller(make_method(none, {}), {.method = "ar3po"}));
}

// Acceptance test 4.
TEST(Ar3poReuse, BufferIsFirstInFirstOutAndNeverBeyondItsCap) {
  Controller controller = controller_of("ar3po", {{"alloc.ar3po.buffer", "3"}});
  std::vector<RolloutId> buffer;
  Version policy = 0;
  const auto step = [&](std::uint32_t right) {
    Played p =
        play(controller, {{7}, {}, {{7, verdicts(right, 8 - right)}}}, budget_of(1, 8), policy++);
    std::set<RolloutId> fresh;
    for (const auto& [id, origin] : p.issued) fresh.insert(id);
    for (const RolloutId id : p.batch.release) {
      EXPECT_EQ(id, buffer.at(0));  // the oldest goes first
      buffer.erase(buffer.begin());
    }
    for (const RolloutId id : p.batch.hold) {
      EXPECT_TRUE(fresh.count(id));  // a reused one is never pushed
      buffer.push_back(id);
    }
    EXPECT_LE(buffer.size(), 3u);
    EXPECT_EQ(p.metrics.at("alloc/ar3po/buffer_size"), double(buffer.size()));
    for (const TrainItem& item : p.batch.items) {
      if (fresh.count(item.rollout)) continue;
      EXPECT_EQ(right, 0u);  // reuse only without a current success
      EXPECT_EQ(item.rollout, buffer.back());
    }
    return p;
  };
  EXPECT_TRUE(step(0).batch.items.empty());
  EXPECT_EQ(step(1).batch.hold.size(), 1u);
  EXPECT_EQ(step(0).batch.hold.size(), 0u);
  EXPECT_EQ(step(2).batch.hold.size(), 2u);
  EXPECT_EQ(step(0).batch.items.size(), 8u);
  EXPECT_EQ(step(1).batch.release.size(), 1u);
  EXPECT_EQ(step(4).batch.hold.size(), 3u);  // only the newest three are kept
  EXPECT_EQ(step(0).batch.items.size(), 8u);
}

TEST(Ar3poReuse, UniformDrawReachesAllOfTheBuffer) {
  std::set<RolloutId> drawn;
  for (std::uint64_t seed = 0; seed < 40; ++seed)
    drawn.insert(
        reused(solved_then_failed({{"alloc.ar3po.reuse_draw", "uniform"}}, 8, seed)).rollout);
  EXPECT_EQ(drawn.size(), 2u);
}

TEST(Ar3poReuse, LostResponsesAreForgotten) {
  Controller controller = controller_of("ar3po");
  const Played first = play(controller, {{7}, {}, {{7, verdicts(2, 2)}}}, budget_of(1, 8), 0);
  ASSERT_EQ(first.batch.hold.size(), 2u);
  const std::vector<PromptRef> shown = {{7}};
  controller.plan(shown, budget_of(1, 8), 1, first.batch.hold);
  EXPECT_TRUE(controller.finalize().items.empty());
  controller.feedback({1, 1, 1, false});
  const Played third = play(controller, {{7}, {}, {{7, verdicts(0, 8)}}}, budget_of(1, 8), 1);
  EXPECT_EQ(third.report(7).cause, ZeroCause::AllWrong);
}

TEST(Ar3poReuse, RatioOfReusedResponsesIsLogged) {
  Controller controller = controller_of("ar3po");
  play(controller, {{7}, {}, {{7, verdicts(2, 2)}}}, budget_of(1, 8), 0);
  const std::vector<PromptRef> shown = {{7}};
  Plan plan = controller.plan(shown, budget_of(1, 8), 1);
  while (!plan.done) {
    std::vector<Outcome> outcomes;
    for (const Issued& issued : plan.generate)
      for (std::uint32_t i = 0; i < issued.n; ++i) {
        Outcome outcome = verdicts(0, 1)[0];
        outcome.id = issued.first + i, outcome.prompt = 7, outcome.behaviour = 1;
        outcomes.push_back(outcome);
      }
    plan = controller.observe(outcomes);
  }
  const TrainBatch batch = controller.finalize();
  Feedback feedback{1, 1, 2, true};
  for (const TrainItem& item : batch.items) feedback.items.push_back({item.rollout, 1, 0});
  feedback.items.back().ratio = 1.5;
  controller.feedback(feedback);
  double ratio = 0;
  for (const Metric& metric : controller.metrics())
    if (metric.name == "alloc/ar3po/ratio_reused") ratio = metric.value;
  EXPECT_FLOAT_EQ(float(ratio), 1.5f);
}

// Acceptance test 8: few prompts, many visits, so that the buffer is full and in use; the whole
// Controller is saved and reloaded at every event of 55 steps.
TEST(Ar3poReuse, BufferSurvivesReloadsInMidStep) {
  for (const char* mode : {"recompute", "behaviour", "stopgrad"}) {
    const Settings settings = {{"alloc.ar3po.reuse_mode", mode},
                               {"alloc.ar3po.reuse_draw", "uniform"}};
    const auto run = [&](bool reload, double& share) {
      testing::StreamSettings s{.seed = 8, .prompts = 12};
      s.failed = s.truncated = s.not_scorable = s.no_answer = .05;
      s.max_held = 15;  // some are lost
      s.arrivals_per_call = 7;
      if (reload)
        s.at_event = [&](Controller& controller) {
          Controller fresh = controller_of("ar3po", settings);
          fresh.load(controller.save(3), 3);
          controller = std::move(fresh);
        };
      s.pass_rate = [](PromptId p) { return .03 * double(p); };
      StreamWorld world(s);
      Controller controller = controller_of("ar3po", settings);
      std::string text;
      for (int i = 0; i < 55; ++i) {
        const auto step = drive_step(controller, world, budget_of(6, 48));
        text += transcript(step);
        for (const Metric& metric : step.metrics)
          if (metric.name == "alloc/ar3po/reuse_share") share += metric.value / 55;
      }
      return text;
    };
    double share = 0, again = 0;
    EXPECT_EQ(run(false, share), run(true, again));
    EXPECT_GT(share, .05);
    EXPECT_EQ(share, again);
  }
}

}  // namespace
}  // namespace allot
