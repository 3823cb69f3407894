// One training run in a simulated world: the loop's step, until the compute is spent.
//
//   World world({.pool = Pool::Hard}, 7);
//   RunSettings settings{.prompts_per_step = 64, .learner = {.lr = 0.25}};
//   const SimRun run = simulate(world, settings, [] { return make_method(alloc, adv); });
//
// Compute is counted in units: one unit generates one response of mean length; a rollout that is
// trained on costs three times its length more. Source: simulator, "Costs and metrics".
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "allot/core/controller.h"
#include "allot/core/method.h"
#include "allot/loop/recorder.h"
#include "allot/sim/learner.h"
#include "allot/sim/world.h"

namespace allot::sim {

using MethodFactory = std::function<std::unique_ptr<Method>()>;

struct RunSettings {
  std::string method = "method";   // name in errors and metrics
  std::uint64_t rollout_seed = 0;  // of outcomes, noise and the method's own draws
  std::uint32_t prompts_per_step = 64, group_size = 16;
  LearnerOptions learner;
  double budget = 256000;  // units
  Budget step;             // groups, rollouts and run_steps are filled in where they are not given
  std::uint32_t points = 40;     // of the curve, equally spaced in cost
  Recorder* recorder = nullptr;  // hears every step, if given
};

struct CurvePoint {
  double cost = 0, generated = 0;  // units spent so far
  double accuracy = 0;             // held-out
};

struct SimRun {
  std::vector<CurvePoint> curve;                // at cost 0, then at the points; ascending
  double cost = 0, generated = 0, trained = 0;  // units really spent
  double evidence = 0;                          // sum over steps of G^2 / Q
  std::uint64_t steps = 0, updates = 0;
  bool stalled = false;  // the method stopped asking before the compute was spent

  double start_accuracy() const { return curve.front().accuracy; }
  double final_accuracy() const { return curve.back().accuracy; }
  double evidence_rate() const { return cost > 0 ? evidence / cost : 0; }
};

// What this world can serve: everything but prompt embeddings, in-context examples and the
// log-probabilities of tokens it does not have.
HostTraits host_traits();

// Throws Error(Config) for a method that needs more.
SimRun simulate(const World& world, const RunSettings& settings, const MethodFactory& make_method);

}  // namespace allot::sim
