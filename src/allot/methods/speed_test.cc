// Golden cases of SPEED-RL (acceptance tests of the method's specification).
#include <cmath>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/testing/outcome_stream.h"
#include "allot/methods/parts/screen_queues.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::budget_of;
using testing::controller_of;
using testing::drive_step;
using testing::DrivenStep;
using testing::ids;
using testing::play;
using testing::Played;
using testing::Script;
using testing::StreamWorld;
using testing::verdicts;

double speed_metric(const DrivenStep& step, const std::string& name) {
  for (const Metric& metric : step.metrics)
    if (metric.name == "alloc/speed/" + name) return metric.value;
  ADD_FAILURE() << "no metric " << name;
  return 0;
}

// 1. P(qualify) = 1 - p^4 - (1 - p)^4: the share of outcomes of four that are continued.
TEST(Speed, ChanceToQualify) {
  const double ways[] = {1, 4, 6, 4, 1};
  std::vector<bool> continued;
  for (std::uint32_t right = 0; right <= 4; ++right) {
    auto outcomes = verdicts(right, 4 - right);
    for (const Outcome& outcome : verdicts(6, 6)) outcomes.push_back(outcome);
    Controller controller = controller_of("speed");
    continued.push_back(
        play(controller, {{}, {1}, {{1, outcomes}}}, budget_of(1, 8)).requested(1) == 16);
  }
  for (const auto& [p, wanted] : std::vector<std::pair<double, double>>{
           {.03, .1147}, {.1, .3438}, {.25, .6797}, {.5, .875}, {.75, .6797}, {.9, .3438}}) {
    double share = 0;
    for (int right = 0; right <= 4; ++right)
      if (continued[static_cast<std::size_t>(right)])
        share += ways[right] * std::pow(p, right) * std::pow(1 - p, 4 - right);
    EXPECT_NEAR(share, wanted, 5e-5);
  }
}

// 2. Everything at one half, T = 16, 64 screened per call: the first step takes two calls; from
// then on a call serves three and a half steps.
TEST(Speed, CallsPerStep) {
  StreamWorld world({.seed = 2, .prompts = 5000, .pass_rate = [](PromptId) { return .5; }});
  Controller controller = controller_of("speed");
  const Budget budget = budget_of(16, 128);
  const DrivenStep first = drive_step(controller, world, budget);
  EXPECT_EQ(speed_metric(first, "generation_calls"), 2);
  EXPECT_EQ(speed_metric(first, "screened"), 128);
  std::map<std::uint32_t, double> by_tag;
  for (const Plan& plan : first.plans)
    for (const Issued& issued : plan.generate) by_tag[issued.tag] += issued.n;
  EXPECT_EQ(by_tag[0], 2 * 64 * 4);
  EXPECT_NEAR(by_tag[1] / 12, 56, 8);  // binomial(64, .875): three deviations are 8
  EXPECT_EQ(first.batch.groups.size(), 16u);
  double calls = 0;
  constexpr int kSteps = 350;
  for (int i = 0; i < kSteps; ++i) {
    const DrivenStep step = drive_step(controller, world, budget);
    EXPECT_EQ(step.batch.groups.size(), 16u);
    calls += speed_metric(step, "generation_calls");
  }
  EXPECT_NEAR(kSteps / calls, 3.5, .1);
}

// 3. Every trained group has four rollouts of the screening and twelve of the continuation, the
// versions of which never fall.
TEST(Speed, TrainedGroupsAreWhole) {
  StreamWorld world({.seed = 3, .prompts = 3000, .pass_rate = [](PromptId id) {
                       return static_cast<double>(id % 10) / 10;
                     }});
  Controller controller = controller_of("speed");
  std::map<RolloutId, std::uint32_t> tag;
  std::uint32_t older = 0;
  for (int i = 0; i < 20; ++i) {
    const DrivenStep step = drive_step(controller, world, budget_of(16, 128));
    for (const Plan& plan : step.plans)
      for (const Issued& issued : plan.generate)
        for (std::uint32_t k = 0; k < issued.n; ++k) tag[issued.first + k] = issued.tag;
    for (const TrainGroup& group : step.batch.groups) {
      std::vector<Version> screening, continuation;
      for (std::uint32_t k = group.first; k < group.first + group.count; ++k) {
        const TrainItem& item = step.batch.items[k];
        const Version version = world.rollouts().at(item.rollout).behaviour;
        (tag.at(item.rollout) == 0 ? screening : continuation).push_back(version);
        EXPECT_EQ(item.anchor, Anchor::StepStart);  // recomputed
        older += version < step.policy;
      }
      ASSERT_EQ(screening.size(), 4u);
      ASSERT_EQ(continuation.size(), 12u);
      EXPECT_EQ(std::set<Version>(screening.begin(), screening.end()).size(), 1u);
      EXPECT_EQ(std::set<Version>(continuation.begin(), continuation.end()).size(), 1u);
      EXPECT_LE(screening[0], continuation[0]);
      EXPECT_LE(continuation[0], step.policy);
      EXPECT_EQ(group.pool_n, 16u);
    }
    EXPECT_EQ(step.batch.norm, Norm::PerToken);
  }
  EXPECT_GT(older, 100u);
}

TEST(Speed, LeaveOneOutIsTheBase) {
  auto outcomes = verdicts(2, 2);
  for (const Outcome& outcome : verdicts(6, 6)) outcomes.push_back(outcome);
  Controller rloo = controller_of("speed");
  for (const float a : play(rloo, {{}, {1}, {{1, outcomes}}}, budget_of(1, 8)).advantages(1))
    EXPECT_NEAR(std::abs(a), 8.0 / 15, 1e-6);
  Controller configured =
      controller_of("speed", {{"alloc.speed.base", "adv"}, {"adv.ddof", "0"}, {"adv.eps", "0"}});
  for (const float a : play(configured, {{}, {1}, {{1, outcomes}}}, budget_of(1, 8)).advantages(1))
    EXPECT_NEAR(std::abs(a), 1, 1e-6);
}

// The gradient that a screened prompt makes over grad p, by enumeration of both phases (n_init,
// n_cont), each through the method: sum of advantage * score over the items of its group.
double gradient_scale(int n_init, int n_cont, double p) {
  const auto ways = [](int n, int k) {
    return std::round(
        std::exp(std::lgamma(n + 1.0) - std::lgamma(k + 1.0) - std::lgamma(n - k + 1.0)));
  };
  double sum = 0;
  for (int a = 1; a < n_init; ++a)
    for (int b = 0; b <= n_cont; ++b) {
      auto outcomes =
          verdicts(static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(n_init - a));
      for (const Outcome& o :
           verdicts(static_cast<std::uint32_t>(b), static_cast<std::uint32_t>(n_cont - b)))
        outcomes.push_back(o);
      Controller controller =
          controller_of("speed", {{"alloc.speed.n_init", std::to_string(n_init)},
                                  {"alloc.speed.n_cont", std::to_string(n_cont)}});
      const Played played = play(controller, {{}, {1}, {{1, outcomes}}}, budget_of(1, 8));
      double push = 0;
      const auto kept = played.kept(1);
      for (std::size_t i = 0; i < kept.size(); ++i)
        push += played.batch.items[i].advantage * (outcomes[kept[i]].correct ? 1 - p : -p);
      const int right = a + b, n = n_init + n_cont;
      sum += ways(n_init, a) * ways(n_cont, b) * std::pow(p, right) * std::pow(1 - p, n - right) *
             push / n / (p * (1 - p));
    }
  return sum;
}

// Contract, section 9: screening multiplies the scale by P(mixed screen) in the limit of large
// continuations. By rule 1 the exact factor is E[m (N - m); mixed] / (N (N - 1) p q).
TEST(Speed, ScreeningScalesTheGradient) {
  for (const double p : {.03, .25, .5, .9}) {
    const double q = 1 - p, mixed = 1 - std::pow(p, 4) - std::pow(q, 4);
    const auto exact = [&](double n_cont) {
      double sum = 0;
      const double ways[] = {1, 4, 6, 4, 1};
      for (int a = 1; a < 4; ++a) {
        // m = a + b with b binomial(n_cont, p), N = 4 + n_cont.
        const double mean = a + n_cont * p, square = mean * mean + n_cont * p * q;
        const double n = 4 + n_cont;
        sum += ways[a] * std::pow(p, a) * std::pow(q, 4 - a) * (n * mean - square) / (n * (n - 1));
      }
      return sum / (p * q);
    };
    EXPECT_NEAR(gradient_scale(4, 12, p), exact(12), 1e-5) << p;
    EXPECT_NEAR(exact(1e7), mixed, 1e-5) << p;
  }
}

// 4. Nothing is ever right: the calls end at the cap, the step is empty, nothing throws.
TEST(Speed, HopelessPoolEndsAtTheCap) {
  StreamWorld world({.seed = 4, .prompts = 4000, .pass_rate = [](PromptId) { return 0.; }});
  Controller controller = controller_of("speed");
  const DrivenStep step = drive_step(controller, world, budget_of(16, 128));
  EXPECT_EQ(speed_metric(step, "generation_calls"), 50);
  EXPECT_EQ(speed_metric(step, "screened"), 50 * 64);
  EXPECT_EQ(speed_metric(step, "qualified_share"), 0);
  EXPECT_EQ(speed_metric(step, "short_batch"), 1);
  EXPECT_TRUE(step.batch.items.empty());
  double tokens = 0;
  for (const Outcome& outcome : step.reported) tokens += outcome.tokens;
  EXPECT_EQ(speed_metric(step, "dropped_tokens"), tokens);
}

// 5. A reload between steps and within one: same queues, same batches.
TEST(Speed, ReloadKeepsTheQueues) {
  const auto run = [](bool reload) {
    testing::StreamSettings settings{
        .seed = 5, .prompts = 2000, .pass_rate = [](PromptId) { return .4; }};
    if (reload)
      settings.at_event = [](Controller& controller) {
        Controller fresh = controller_of("speed");
        fresh.load(controller.save(1), 1);
        controller = std::move(fresh);
      };
    StreamWorld world(settings);
    Controller controller = controller_of("speed");
    std::string text;
    for (int i = 0; i < 6; ++i) text += transcript(drive_step(controller, world, budget_of(4, 32)));
    return text;
  };
  EXPECT_EQ(run(true), run(false));
}

// 6. Prompts are trained on in the order in which they qualified, across steps.
TEST(Speed, FirstInFirstOut) {
  StreamWorld world({.seed = 6, .prompts = 3000, .pass_rate = [](PromptId) { return .5; }});
  Controller controller = controller_of("speed");
  std::vector<PromptId> continued, trained;
  for (int i = 0; i < 12; ++i) {
    const DrivenStep step = drive_step(controller, world, budget_of(16, 128));
    for (const Plan& plan : step.plans)
      for (const Issued& issued : plan.generate)
        if (issued.tag == 1) continued.push_back(issued.prompt);
    for (const TrainGroup& group : step.batch.groups) trained.push_back(group.prompt);
  }
  ASSERT_EQ(trained.size(), 12u * 16);
  ASSERT_GE(continued.size(), trained.size());
  continued.resize(trained.size());
  EXPECT_EQ(trained, continued);
}

TEST(Speed, HoldsWhatWaitsAndNothingElse) {
  StreamWorld world({.seed = 7, .prompts = 3000, .pass_rate = [](PromptId) { return .5; }});
  Controller controller = controller_of("speed");
  for (int i = 0; i < 8; ++i) {
    const DrivenStep step = drive_step(controller, world, budget_of(16, 128));
    const double pending = speed_metric(step, "pending"), ready = speed_metric(step, "ready");
    EXPECT_EQ(world.held().size(), 4 * pending + 16 * ready);
    EXPECT_LE(speed_metric(step, "age_max"), 8);
  }
}

TEST(Speed, FullQueuesStopTheScreening) {
  // 3 * T * 16 = 96 rollouts are allowed; after the first call about 52 * 4 are pending.
  StreamWorld world({.seed = 8, .prompts = 3000, .pass_rate = [](PromptId) { return .5; }});
  Controller controller = controller_of("speed", {{"alloc.speed.screened_per_group", "30"}});
  const DrivenStep first = drive_step(controller, world, budget_of(2, 16));
  EXPECT_EQ(speed_metric(first, "generation_calls"), 2);
  EXPECT_EQ(speed_metric(first, "screened"), 60);  // and not 120
  EXPECT_GT(speed_metric(first, "ready"), 40);
}

TEST(Speed, OldGroupsExpire) {
  StreamWorld world({.seed = 9, .prompts = 3000, .pass_rate = [](PromptId) { return .5; }});
  Controller controller = controller_of("speed", {{"alloc.speed.max_age", "1"}});
  double expired = 0;
  for (int i = 0; i < 10; ++i) {
    const DrivenStep step = drive_step(controller, world, budget_of(16, 128));
    EXPECT_LE(speed_metric(step, "age_max"), 1);
    expired += speed_metric(step, "expired");
    for (const TrainItem& item : step.batch.items)
      EXPECT_LE(step.policy - world.rollouts().at(item.rollout).behaviour, 1u);
  }
  EXPECT_GT(expired, 10);
}

TEST(Speed, AFailedContinuationLeavesTheScreening) {
  auto outcomes = verdicts(2, 2);
  for (Outcome outcome : verdicts(0, 12)) {
    outcome.status = Status::Failed;
    outcome.scoring = Scoring::NotScorable;
    outcomes.push_back(outcome);
  }
  Controller controller = controller_of("speed");
  const Played played = play(controller, {{}, {1}, {{1, outcomes}}}, budget_of(1, 8));
  EXPECT_EQ(played.batch.items.size(), 4u);
  EXPECT_TRUE(played.batch.hold.empty());
}

TEST(Speed, AContinuationCutOffIsAskedForAgain) {
  Controller controller = controller_of("speed");
  const std::vector<PromptRef> shown = {{1}};
  controller.plan(shown, budget_of(1, 8), 0);
  std::vector<Outcome> screening = verdicts(2, 2);
  for (std::size_t i = 0; i < 4; ++i) screening[i].id = 1 + i, screening[i].prompt = 1;
  controller.observe({}, {});
  const Plan plan = controller.observe(screening);
  ASSERT_EQ(plan.generate.size(), 1u);
  EXPECT_EQ(plan.generate[0].n, 12u);
  controller.observe({}, {}, true);
  const TrainBatch first = controller.finalize();
  EXPECT_TRUE(first.items.empty());
  EXPECT_EQ(first.hold, (std::vector<RolloutId>{1, 2, 3, 4}));
  controller.feedback({controller.step()});
  const Played second = play(controller, {{}, {}, {{1, verdicts(6, 6)}}}, budget_of(1, 8));
  EXPECT_EQ(second.requested(1), 12u);
  EXPECT_EQ(second.batch.items.size(), 16u);
  EXPECT_EQ(second.batch.release, first.hold);
}

TEST(Speed, GroupsAreWholeUnderACap) {
  Script script{{}, ids(1, 8), {}};
  for (const PromptId id : script.further) {
    script.outcomes[id] = verdicts(2, 2);
    for (const Outcome& outcome : verdicts(6, 6)) script.outcomes[id].push_back(outcome);
  }
  Controller controller = controller_of("speed");
  Budget budget = budget_of(2, 16);
  budget.hard_rollouts = 35;  // eight screenings; then three rollouts are left, which is no group
  const Played played = play(controller, script, budget);
  EXPECT_EQ(played.metrics.at("rollouts/generated"), 32);
  EXPECT_TRUE(played.batch.items.empty());
  EXPECT_EQ(played.metrics.at("alloc/speed/pending"), 8);
  const Played next = play(controller, {{}, {}, script.outcomes}, budget_of(2, 16));
  EXPECT_EQ(next.batch.groups.size(), 2u);
}

TEST(Speed, RefusesSizesThatCannotWork) {
  EXPECT_THROW(controller_of("speed", {{"alloc.group_size", "2"}}), Error);
  EXPECT_THROW(controller_of("speed", {{"alloc.n_max", "15"}}), Error);
  EXPECT_THROW(controller_of("speed", {{"alloc.n_min", "5"}}), Error);
  EXPECT_NO_THROW(controller_of("speed", {{"alloc.speed.n_init", "2"}, {"alloc.n_max", "8"}}));
}

TEST(ScreenQueues, RefusesAnOutcomeOfNobody) {
  ScreenQueues queues;
  EXPECT_THROW(queues.add({.prompt = 3}), Error);
}

}  // namespace
}  // namespace allot
