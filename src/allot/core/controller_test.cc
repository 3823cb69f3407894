// The Controller as a whole, driven over scripted worlds: order, saved state, deadlines, budgets.
#include "allot/core/controller.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/core/testing/outcome_stream.h"
#include "allot/core/testing/scripted_methods.h"

namespace allot::testing {
namespace {

constexpr std::uint64_t kData = 0xabc;
constexpr int kSteps = 4;

Controller make_controller(const std::string& method) {
  return Controller(scripted_method(method),
                    {.method = method, .seed = 5, .host = serves_everything(), .data_size = 32});
}

Budget budget() {
  return {.groups = 5, .rollouts = 40, .run_rollouts = 1000, .run_steps = kSteps, .max_tokens = 64};
}

StreamSettings rough_world() {
  return {.seed = 3,
          .failed = 0.05,
          .truncated = 0.1,
          .not_scorable = 0.05,
          .verifier_error = 0.05,
          .no_answer = 0.05};
}

struct RunLog {
  std::string text, final_state;
  std::vector<DrivenStep> steps;
};

RunLog drive(const std::string& method, const StreamSettings& settings, const Budget& given) {
  Controller controller = make_controller(method);
  StreamWorld world(settings);
  RunLog run;
  for (int i = 0; i < kSteps; ++i) {
    run.steps.push_back(drive_step(controller, world, given));
    run.text += transcript(run.steps.back());
    for (const Metric& metric : run.steps.back().metrics)
      run.text += concat(metric.name, " ", metric.value, "\n");
  }
  run.final_state = controller.save(kData);
  return run;
}

class EveryMethod : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Scripted, EveryMethod, ::testing::ValuesIn(scripted_method_names()),
                         [](const auto& test) { return test.param; });

TEST_P(EveryMethod, DrivesAndShips) {
  const RunLog run = drive(GetParam(), rough_world(), budget());
  std::size_t items = 0;
  for (const DrivenStep& step : run.steps) items += step.batch.items.size();
  EXPECT_GT(items, 0u);
}

// The order and the company in which outcomes arrive change no decision, no batch, no metric and
// nothing of what is kept.
TEST_P(EveryMethod, CompletionOrderChangesNothing) {
  const RunLog expected = drive(GetParam(), rough_world(), budget());
  EXPECT_TRUE(rc::check([&](std::uint64_t seed) {
    StreamSettings settings = rough_world();
    settings.arrival_seed = seed % 1000000;
    settings.arrivals_per_call = static_cast<std::uint32_t>(*rc::gen::inRange(0, 9));
    const RunLog run = drive(GetParam(), settings, budget());
    RC_ASSERT(run.text == expected.text);
    RC_ASSERT(run.final_state == expected.final_state);
  }));
}

// A fresh Controller loaded at any event goes on as if nothing had happened.
TEST_P(EveryMethod, SaveAndLoadAtEveryEventChangesNothing) {
  StreamSettings settings = rough_world();
  settings.arrivals_per_call = 3;
  settings.max_held = 30;
  const RunLog expected = drive(GetParam(), settings, budget());
  int events = 0;
  settings.at_event = [&](Controller& controller) {
    const std::string blob = controller.save(kData);
    Controller fresh = make_controller(GetParam());
    fresh.load(blob, kData);
    EXPECT_EQ(fresh.save(kData), blob);
    controller = std::move(fresh);
    ++events;
  };
  const RunLog run = drive(GetParam(), settings, budget());
  EXPECT_EQ(run.text, expected.text);
  EXPECT_EQ(run.final_state, expected.final_state);
  EXPECT_GT(events, 10 * kSteps);
}

TEST_P(EveryMethod, ADeadlineAtAnyEventGivesALegalBatch) {
  for (std::uint32_t calls = 0; calls < 12; ++calls) {
    StreamSettings settings = rough_world();
    settings.arrivals_per_call = 4;
    settings.deadline_after = calls;
    const RunLog run = drive(GetParam(), settings, budget());
    for (const DrivenStep& step : run.steps) {
      EXPECT_TRUE(step.plans.back().done);
      EXPECT_LE(step.plans.size(), calls + 2u);
    }
  }
}

// finalize() without a deadline, after any number of outcomes.
TEST_P(EveryMethod, FinalizeIsLegalAfterEveryPrefix) {
  for (std::size_t prefix = 0; prefix < 25; ++prefix) {
    Controller controller = make_controller(GetParam());
    StreamWorld world(rough_world());
    std::vector<PromptRef> candidates;
    const std::vector<float> embedding(4);
    for (PromptId id = 1; id <= 5; ++id) candidates.push_back({id, 0, embedding});
    const Plan plan = controller.plan(candidates, budget(), 0);
    std::vector<Outcome> outcomes;
    for (const Issued& issued : plan.generate)
      for (std::uint32_t i = 0; i < issued.n; ++i) {
        outcomes.push_back(world.outcome(0, issued.prompt, issued.first_seq + i));
        outcomes.back().id = issued.first + i;
      }
    RandomStream({prefix, RandomUse::Test, 0, 0, 0}).shuffle(std::span(outcomes));
    if (prefix > 0)
      controller.observe(std::span(outcomes).first(std::min(prefix, outcomes.size())));
    const TrainBatch batch = controller.finalize();
    std::set<PromptId> reported;
    for (const GroupReport& report : batch.reports) reported.insert(report.prompt);
    EXPECT_EQ(reported.size(), 5u);
    controller.feedback({.step = 0});
    EXPECT_EQ(controller.step(), 1u);
  }
}

TEST_P(EveryMethod, HardCapsHoldOrTheMethodIsNamed) {
  int refused = 0;
  for (std::uint64_t cap = 0; cap <= 60; cap += 6) {
    Budget given = budget();
    given.hard_rollouts = cap;
    given.hard_tokens = cap * 64;
    Controller controller = make_controller(GetParam());
    StreamWorld world(rough_world());
    try {
      const DrivenStep step = drive_step(controller, world, given);
      std::uint64_t issued = 0, tokens = 0;
      for (const Plan& plan : step.plans)
        for (const Issued& request : plan.generate) issued += request.n;
      for (const Outcome& outcome : step.reported) tokens += outcome.tokens;
      EXPECT_LE(issued, cap);
      EXPECT_LE(tokens, cap * 64);
    } catch (const Error& error) {
      ++refused;
      EXPECT_NE(std::string(error.what()).find("[method " + GetParam() + "]"), std::string::npos);
    }
  }
  EXPECT_GT(refused, 0);
}

TEST_P(EveryMethod, RolloutIdsAreUniqueOverTheRun) {
  const RunLog run = drive(GetParam(), rough_world(), budget());
  std::set<RolloutId> ids;
  std::uint64_t issued = 0;
  for (const DrivenStep& step : run.steps)
    for (const Plan& plan : step.plans)
      for (const Issued& request : plan.generate) {
        for (std::uint32_t i = 0; i < request.n; ++i) ids.insert(request.first + i);
        issued += request.n;
      }
  EXPECT_EQ(ids.size(), issued);
  EXPECT_EQ(ids.count(0), 0u);
}

// generated = trained + discarded + still held, over the run; every method here trains a rollout
// at most once.
TEST_P(EveryMethod, SpendingAddsUp) {
  Controller controller = make_controller(GetParam());
  StreamSettings settings = rough_world();
  settings.max_held = 6;
  StreamWorld world(settings);
  for (int i = 0; i < 6; ++i) {
    const DrivenStep step = drive_step(controller, world, budget());
    std::map<std::string, double> m;
    for (const Metric& metric : step.metrics) m[metric.name] = metric.value;
    // What the store gave up is reported with the next plan and still counts as held until then.
    double held = 0, held_tokens = 0;
    for (const auto& [id, outcome] : world.rollouts()) {
      const auto& now = world.held();
      if (std::find(now.begin(), now.end(), id) == now.end()) continue;
      ++held;
      held_tokens += outcome.tokens;
    }
    const double kept =
        m["rollouts/generated_total"] - m["rollouts/trained_total"] - m["rollouts/discarded_total"];
    EXPECT_GE(kept, held);
    if (step.batch.hold.empty()) {
      EXPECT_EQ(kept, held);
      EXPECT_EQ(
          m["tokens/generated_total"] - m["tokens/trained_total"] - m["tokens/discarded_total"],
          held_tokens);
    }
  }
}

TEST(Controller, ADeadlineLosesNoAcceptedGroup) {
  StreamSettings settings{.seed = 9, .pass_rate = [](PromptId) { return 0.5; }};
  settings.arrivals_per_call = 20;  // the first round of 5 prompts in one call
  settings.deadline_after = 1;
  Controller controller = make_controller("refilling");
  StreamWorld world(settings);
  const DrivenStep step = drive_step(controller, world, budget());
  std::map<PromptId, std::set<bool>> seen;
  for (const Outcome& outcome : step.reported) seen[outcome.prompt].insert(outcome.correct);
  std::size_t mixed = 0;
  for (const auto& [prompt, kinds] : seen) mixed += kinds.size() == 2;
  EXPECT_GT(mixed, 0u);
  EXPECT_EQ(step.batch.groups.size(), mixed);
}

TEST(Controller, AnExhaustedSourceEndsTheRefillAndKeepsWhatWasFound) {
  StreamSettings settings{.seed = 2, .prompts = 12};
  settings.pass_rate = [](PromptId id) { return id % 6 == 0 ? 0.5 : 0.0; };
  Controller controller = make_controller("refilling");
  StreamWorld world(settings);
  const DrivenStep step = drive_step(controller, world, budget());
  EXPECT_EQ(step.batch.reports.size(), 12u);
  EXPECT_LE(step.batch.groups.size(), 2u);
  EXPECT_TRUE(step.plans.back().done);
}

TEST(Controller, EmptyBatchesStillAdvance) {
  StreamSettings settings{.pass_rate = [](PromptId) { return 0.0; }};
  Controller controller = make_controller("uniform");
  StreamWorld world(settings);
  for (std::uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(controller.step(), i);
    const DrivenStep step = drive_step(controller, world, budget());
    EXPECT_EQ(step.step, i);
    EXPECT_TRUE(step.batch.items.empty());
    EXPECT_FALSE(step.feedback.updated);
    for (const GroupReport& report : step.batch.reports)
      EXPECT_EQ(report.cause, ZeroCause::AllWrong);
  }
  EXPECT_EQ(world.policy(), 0u);
  EXPECT_EQ(controller.record(1)->rollouts, 4u);
}

TEST(Controller, RecordsCountFirstRoundsByCorrectness) {
  StreamSettings settings = rough_world();
  settings.shaping = 0.4;  // shaped rewards never enter the counts
  Controller controller = make_controller("retrying");
  StreamWorld world(settings);
  for (int i = 0; i < 8; ++i) drive_step(controller, world, budget());
  std::map<PromptId, PromptRecord> expected;
  for (const auto& [id, outcome] : world.rollouts()) {
    PromptRecord& record = expected[outcome.prompt];
    ++record.rollouts;
    record.tokens += outcome.tokens;
    // Two rollouts are the first round of this method; scored is what a verifier could decide.
    if (outcome.seq >= 2 || outcome.scoring != Scoring::Scored) continue;
    record.trials += 1;
    record.successes += outcome.correct;
  }
  const std::vector<PromptRecord> records = controller.records();
  ASSERT_EQ(records.size(), expected.size());
  PromptId last = 0;
  for (const PromptRecord& record : records) {
    EXPECT_GT(record.prompt, last);
    last = record.prompt;
    EXPECT_EQ(record.trials, expected[record.prompt].trials);
    EXPECT_EQ(record.successes, expected[record.prompt].successes);
    EXPECT_EQ(record.rollouts, expected[record.prompt].rollouts);
    EXPECT_EQ(record.tokens, expected[record.prompt].tokens);
  }
  EXPECT_FALSE(controller.record(12345).has_value());
}

// Contract, section 14, test 12: with a fixed pass rate the first-round reward is p, while the
// mean over prompts of successes / rollouts under first-success stopping is not: exactly
// sum over the stopping round r of P(c, r) * c / (2 r), here with 2 rollouts per round, 4 rounds.
TEST(Controller, FirstRoundRewardIsUnbiasedUnderStopping) {
  const double p = 0.3;
  StreamSettings settings{.seed = 4, .prompts = 400};
  settings.pass_rate = [=](PromptId) { return p; };
  Controller controller = make_controller("retrying");
  StreamWorld world(settings);
  Budget given = budget();
  given.groups = 400;
  given.run_rollouts.reset();
  double first = 0, ratio = 0;
  const int steps = 50;
  for (int i = 0; i < steps; ++i) {
    const DrivenStep step = drive_step(controller, world, given);
    for (const Metric& metric : step.metrics)
      if (metric.name == "reward/first_round") first += metric.value / steps;
    std::map<PromptId, std::pair<int, int>> counts;
    for (const Outcome& outcome : step.reported) {
      counts[outcome.prompt].first += outcome.correct;
      ++counts[outcome.prompt].second;
    }
    for (const auto& [prompt, c] : counts)
      ratio += static_cast<double>(c.first) / c.second / 400 / steps;
  }
  double expected = 0, unsolved = 1;
  for (int round = 1; round <= 4; ++round) {
    expected += unsolved * (2 * p * (1 - p) * 1 + p * p * 2) / (2 * round);
    unsolved *= (1 - p) * (1 - p);
  }
  const double n = 400.0 * steps;
  EXPECT_NEAR(first, p, 4 * std::sqrt(p * (1 - p) / (2 * n)));
  EXPECT_NEAR(ratio, expected, 4 * 0.36 / std::sqrt(n));
  EXPECT_GT(expected - p, 0.02);
}

TEST(Controller, CancelledRolloutsAreChargedInFull) {
  StreamSettings settings{.seed = 6, .pass_rate = [](PromptId) { return 1.0; }};
  Controller controller = make_controller("voting");
  StreamWorld world(settings);
  const DrivenStep step = drive_step(controller, world, budget());
  // Every answer is right, so the second of six ends the vote: four are cancelled per prompt.
  std::map<std::string, double> m;
  for (const Metric& metric : step.metrics) m[metric.name] = metric.value;
  std::uint64_t tokens = 0;
  for (const Issued& request : step.plans.front().generate)
    for (std::uint32_t i = 0; i < request.n; ++i)
      tokens += i < 2 ? world.rollouts().at(request.first + i).tokens : 64;
  EXPECT_EQ(m["tokens/generated"], static_cast<double>(tokens));
  EXPECT_EQ(m["rollouts/generated"], 30);
  EXPECT_EQ(m["verifier/correct"], 10);
}

TEST(Controller, HeldRolloutsAreShippedLaterWithTheirVersion) {
  StreamSettings settings{.seed = 8, .pass_rate = [](PromptId) { return 0.5; }};
  Controller controller = make_controller("holding");
  StreamWorld world(settings);
  Budget given = budget();
  given.groups = 3;
  bool shipped_old = false;
  for (int i = 0; i < 10; ++i) {
    const Version policy = world.policy();
    const DrivenStep step = drive_step(controller, world, given);
    for (const TrainItem& item : step.batch.items) {
      const bool old = world.rollouts().at(item.rollout).behaviour < policy;
      shipped_old |= old;
      EXPECT_EQ(item.anchor, old ? Anchor::Behaviour : Anchor::StepStart);
    }
  }
  EXPECT_TRUE(shipped_old);
}

TEST(Controller, OneStepMayOverlapTheFeedbackOfTheLast) {
  Controller controller = make_controller("uniform");
  const std::vector<PromptRef> a{{1}}, b{{2}};
  controller.plan(a, budget(), 0);
  controller.finalize();
  EXPECT_EQ(controller.step(), 0u);
  controller.plan(b, budget(), 0);
  EXPECT_EQ(controller.step(), 1u);
  EXPECT_THROW(controller.finalize(), Error);  // the feedback of step 0 comes first
  controller.feedback({.step = 0});
  EXPECT_EQ(controller.step(), 1u);
  controller.finalize();
  controller.feedback({.step = 1});
  EXPECT_EQ(controller.step(), 2u);
}

}  // namespace
}  // namespace allot::testing
