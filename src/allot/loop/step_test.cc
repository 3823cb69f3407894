#include "allot/loop/step.h"

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/loop/testing/toy_world.h"
#include "allot/loop/testing/uniform_method.h"

namespace allot {
namespace {

using testing::CountingClock;
using testing::ToyEngine;
using testing::ToyLearner;
using testing::ToyPolicy;
using testing::ToyPrompts;
using testing::ToyRecorder;
using testing::ToyVerifier;
using testing::UniformMethod;

struct ToyRun {
  explicit ToyRun(std::size_t prompts = 40, std::uint64_t order_seed = 1, std::uint32_t refills = 0)
      : source(prompts), engine(policy, order_seed), learner(policy, 0.5) {
    for (std::size_t i = 0; i < prompts; ++i)
      policy.logit.push_back(-3 + 6.0 * static_cast<double>(i) / static_cast<double>(prompts));
    ControllerOptions options;
    options.method = "uniform";
    options.seed = 5;
    controller.emplace(std::make_unique<UniformMethod>(8, refills), options);
    settings.seed = 5;
    settings.prompts_per_step = 10;
    settings.budget.groups = 10;
    settings.budget.rollouts = 80;
  }
  StepResult step() {
    StepWorld world{*controller, source, engine, verifier, learner, recorder, store, clock};
    return run_step(world, settings);
  }

  ToyPolicy policy;
  ToyPrompts source;
  ToyEngine engine;
  ToyVerifier verifier;
  ToyLearner learner;
  ToyRecorder recorder;
  RolloutStore store;
  CountingClock clock;
  std::optional<Controller> controller;
  StepSettings settings;
};

TEST(Step, LearnsAndAccountsForEveryRollout) {
  ToyRun run;
  double first = 0, last = 0;
  for (int i = 0; i < 200; ++i) {
    const StepResult result = run.step();
    ASSERT_NE(result.end, StepEnd::Interrupted);
    const ToyRecorder::Step& record = run.recorder.steps.back();
    EXPECT_EQ(record.generated.size(), 80u);
    EXPECT_EQ(record.cost.compute(),
              record.cost.prefilled + record.cost.generated + 3 * record.cost.trained);
    EXPECT_EQ(record.cost.prefilled, 10u);  // one position per prompt
    if (i < 20) first += record.metrics.at("reward/first_round") / 20;
    if (i >= 180) last += record.metrics.at("reward/first_round") / 20;
  }
  EXPECT_GT(last, first + 0.2);
  EXPECT_TRUE(run.store.ids().empty());  // nothing was held
}

TEST(Step, CompletionOrderChangesNothing) {
  ToyRun a(40, 1), b(40, 2);
  for (int i = 0; i < 20; ++i) a.step(), b.step();
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(a.recorder.steps[i].items.size(), b.recorder.steps[i].items.size());
    for (std::size_t j = 0; j < a.recorder.steps[i].items.size(); ++j) {
      EXPECT_EQ(a.recorder.steps[i].items[j].rollout, b.recorder.steps[i].items[j].rollout);
      EXPECT_EQ(a.recorder.steps[i].items[j].advantage, b.recorder.steps[i].items[j].advantage);
    }
  }
  EXPECT_EQ(a.policy.logit, b.policy.logit);
}

TEST(Step, RefillsFromTheSourceAndStopsWhenItIsExhausted) {
  ToyRun run(12, 1, 5);  // 10 at first, then one per refill; only 2 are left
  run.step();
  EXPECT_EQ(run.recorder.steps[0].generated.size(), 12u * 8);
}

TEST(Step, EmptyBatchMakesNoUpdate) {
  ToyRun run;
  for (double& logit : run.policy.logit) logit = 50;  // everything is right
  const StepResult result = run.step();
  EXPECT_EQ(result.end, StepEnd::Skipped);
  EXPECT_EQ(run.policy.version, 0u);
  EXPECT_EQ(run.controller->step(), 1u);
}

TEST(Step, VerifierErrorsAreCountedAndReported) {
  ToyRun run;
  run.verifier.error_share = 0.3;
  run.engine.failed = 0.1;
  run.step();
  EXPECT_FALSE(run.recorder.events.empty());
  EXPECT_LT(static_cast<double>(run.recorder.events.size()),  // one text is told once per portion
            run.recorder.steps[0].metrics.at("verifier/error"));
  for (const Event& event : run.recorder.events) {
    EXPECT_EQ(event.code, "verifier_error");
    EXPECT_EQ(event.text, "boom");
  }
}

TEST(Step, AnInterruptDropsTheStepAndNothingElse) {
  ToyRun clean, broken;
  std::atomic<bool> stop = false;
  broken.settings.stop = &stop;
  for (int i = 0; i < 3; ++i) clean.step(), broken.step();
  broken.engine.on_wait = [&] { stop = true; };
  EXPECT_EQ(broken.step().end, StepEnd::Interrupted);
  EXPECT_EQ(broken.recorder.steps.size(), 3u);
  EXPECT_TRUE(broken.store.ids().empty());
  EXPECT_TRUE(broken.engine.wait().empty());  // the engine is idle again
  broken.engine.on_wait = nullptr;
  stop = false;
  for (int i = 0; i < 3; ++i) clean.step(), broken.step();
  EXPECT_EQ(clean.policy.logit, broken.policy.logit);
  for (int i = 3; i < 6; ++i) {
    EXPECT_EQ(clean.recorder.steps[i].step, broken.recorder.steps[i].step);
    EXPECT_EQ(clean.recorder.steps[i].generated, broken.recorder.steps[i].generated);
  }
}

TEST(Step, AnInterruptDuringTheUpdateCompletesTheStep) {
  ToyRun run;
  std::atomic<bool> stop = false;
  run.settings.stop = &stop;
  struct Stopper : ToyLearner {
    using ToyLearner::ToyLearner;
    Feedback update(const TrainBatch& batch, const RolloutStore& store) override {
      *flag = true;
      return ToyLearner::update(batch, store);
    }
    std::atomic<bool>* flag = nullptr;
  } learner(run.policy, 0.5);
  learner.flag = &stop;
  StepWorld world{*run.controller, run.source,   run.engine, run.verifier,
                  learner,         run.recorder, run.store,  run.clock};
  EXPECT_EQ(run_step(world, run.settings).end, StepEnd::Done);
  EXPECT_EQ(run.recorder.steps.size(), 1u);
}

}  // namespace
}  // namespace allot
