#include "allot/sim/simulation.h"

#include <algorithm>
#include <cmath>

#include "allot/loop/step.h"
#include "allot/sim/engine.h"
#include "allot/sim/prompts.h"

namespace allot::sim {
namespace {

// A method without budget or prompts left keeps planning empty steps; so many end the run.
constexpr int kMostIdleSteps = 50;

class Silence final : public Recorder {
 public:
  void step(const StepRecord&) override {}
  void event(const Event&) override {}
};

// Time stands still: nothing in this world takes any.
class StoppedClock final : public Clock {
 public:
  double seconds() const override { return 0; }
};

// What 110 steps of 64 prompts cost GRPO; the horizon of methods that plan a whole run.
constexpr double kUnitsPerGroup = 256000.0 / (110 * 64);

Budget step_budget(const RunSettings& settings) {
  Budget budget = settings.step;
  if (!budget.run_steps)
    budget.run_steps = static_cast<std::uint64_t>(
        std::max(1.0, settings.budget / kUnitsPerGroup / settings.prompts_per_step));
  if (budget.groups == 0) budget.groups = settings.prompts_per_step;
  if (budget.rollouts == 0)
    budget.rollouts = std::uint64_t{settings.prompts_per_step} * settings.group_size;
  return budget;
}

ControllerOptions controller_options(const World& world, const RunSettings& settings) {
  return {.method = settings.method,
          .seed = settings.rollout_seed,
          .host = host_traits(),
          .data_size = world.train_size()};
}

double units(std::uint64_t tokens) { return static_cast<double>(tokens) / kTokensPerUnit; }

// Puts the accuracy on the grid of costs: linear between the ends of the steps around a point.
class CurveWriter {
 public:
  CurveWriter(SimRun& run, double budget, std::uint32_t points)
      : run_(run), budget_(budget), points_(std::max(points, 1u)) {}

  void start(double accuracy) {
    last_ = {0, 0, accuracy};
    run_.curve.push_back(last_);
  }
  bool due(double cost) const { return written_ < points_ && cost >= next(); }
  void add(const CurvePoint& now) {
    for (; due(now.cost); ++written_) {
      const double part = (next() - last_.cost) / (now.cost - last_.cost);
      run_.curve.push_back({next(), last_.generated + part * (now.generated - last_.generated),
                            last_.accuracy + part * (now.accuracy - last_.accuracy)});
    }
    last_ = now;
  }

 private:
  double next() const { return budget_ * (written_ + 1) / points_; }

  SimRun& run_;
  double budget_;
  std::uint32_t points_, written_ = 0;
  CurvePoint last_;
};

}  // namespace

HostTraits host_traits() {
  return {
      .grain = Grain::Rollout, .cancel = true, .hold = true, .entropy = true, .answer_class = true};
}

SimRun simulate(const World& world, const RunSettings& settings, const MethodFactory& make_method) {
  Controller controller(make_method(), controller_options(world, settings));
  Policy policy(world);
  SimPrompts prompts(world);
  SimEngine engine(policy, controller.needs().cancel ? Pace::OneByOne : Pace::AtOnce);
  SimVerifier verifier;
  SimLearner learner(policy, settings.learner, settings.rollout_seed);
  Silence silence;
  RolloutStore store;
  const StoppedClock clock;
  StepWorld parts{controller, prompts, engine,
                  verifier,   learner, settings.recorder ? *settings.recorder : silence,
                  store,      clock};
  StepSettings step;
  step.seed = settings.rollout_seed;
  step.prompts_per_step = settings.prompts_per_step;
  step.budget = step_budget(settings);

  SimRun run;
  CurveWriter curve(run, settings.budget, settings.points);
  curve.start(policy.held_out_accuracy());
  int idle = 0;
  while (run.cost < settings.budget && idle < kMostIdleSteps) {
    const StepResult result = run_step(parts, step);
    idle = result.cost.compute() == 0 ? idle + 1 : 0;
    ++run.steps;
    if (result.end == StepEnd::Done && learner.noise() > 0)
      run.evidence += learner.signal() * learner.signal() / learner.noise();
    run.generated = units(engine.cost().generated);
    run.trained = units(learner.cost().trained);
    run.cost = run.generated + 3 * run.trained;
    if (curve.due(run.cost)) curve.add({run.cost, run.generated, policy.held_out_accuracy()});
  }
  run.stalled = run.cost < settings.budget;
  run.updates = policy.version();
  if (run.stalled) run.curve.push_back({run.cost, run.generated, policy.held_out_accuracy()});
  return run;
}

}  // namespace allot::sim
