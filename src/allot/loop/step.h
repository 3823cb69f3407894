// One training step over the five interfaces: plan, observe, finalize, feedback.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "allot/core/controller.h"
#include "allot/loop/clock.h"
#include "allot/loop/engine.h"
#include "allot/loop/learner.h"
#include "allot/loop/prompt_source.h"
#include "allot/loop/recorder.h"
#include "allot/loop/rollout_store.h"
#include "allot/loop/verifier.h"

namespace allot {

// The parts of a run that the step works on; all outlive it. Not owning.
struct StepWorld {
  Controller& controller;
  PromptSource& prompts;
  RolloutEngine& engine;
  Verifier& verifier;
  Learner& learner;
  Recorder& recorder;
  RolloutStore& store;
  const Clock& clock;
};

struct StepSettings {
  std::uint64_t seed = 0;
  std::uint32_t prompts_per_step = 32;
  Budget budget;                            // of this step; groups = prompts_per_step
  Sampling sampling;                        // of training rollouts
  const std::atomic<bool>* stop = nullptr;  // set: the running phase ends and the step is dropped
};

enum class StepEnd {
  Done,
  Skipped,     // empty batch: no update; step counter and schedules advanced
  Interrupted  // dropped: controller, prompts and store are as before the step
};

struct StepResult {
  StepEnd end = StepEnd::Done;
  StepCost cost;
};

// The candidates that a step is planned with: `prompts_per_step` times what the method wants to
// see, none where all come by refill. prompts.begin_step() comes first.
std::span<const PromptRef> first_candidates(PromptSource& prompts, const Needs& needs,
                                            std::uint32_t prompts_per_step);

// Exceptions of the engine, the learner or a method pass through; a verifier's do not.
StepResult run_step(StepWorld& world, const StepSettings& settings);

}  // namespace allot
