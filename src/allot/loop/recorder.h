// What remembers a run: one of the five interfaces of the training step.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "allot/core/controller.h"
#include "allot/core/types.h"
#include "allot/loop/prompt_source.h"
#include "allot/loop/rollout_store.h"

namespace allot {

// Seconds of one step, by phase.
struct StepTimes {
  double generate = 0, score = 0, train = 0, step = 0;
};

// What one step really computed. Forward-only positions of anchors count once, as a prefill does.
struct StepCost {
  std::uint64_t prefilled = 0;  // prompt positions prefilled
  std::uint64_t generated = 0;  // response tokens sampled
  std::uint64_t trained = 0;    // positions run forward and backward
  std::uint64_t scored = 0;     // positions run forward only
  std::uint64_t compute() const { return prefilled + generated + 3 * trained + scored; }
};

// Everything that is known at the end of one step. References live during the call only.
struct StepRecord {
  std::uint64_t step = 0;
  std::span<const Issued> issued;        // all requests of the step, in order
  std::span<const RolloutId> generated;  // rollouts finished in this step, in issue order
  const TrainBatch& batch;
  const Feedback& feedback;
  const RolloutStore& store;
  const PromptSource& prompts;
  std::span<const Metric> metrics;  // all of the step: Controller's, Learner's, loop's
  StepTimes times;
  StepCost cost;
  std::span<const std::string> functions;  // Verifier::part_names()
};

enum class Severity : std::uint8_t { Info, Warning, Error };

struct Event {
  Severity severity = Severity::Info;
  std::string code;  // stable name: "zero_signal", "pool_exhausted", "verifier_error", ...
  std::string text;
  std::uint64_t step = 0;
};

struct Progress {
  std::string phase;  // "generate", "score", "train", "eval", "warm_start"
  double done = 0, total = 0;
  std::uint64_t tokens = 0;
};

// Warnings are events; nothing below cli/ prints.
class Recorder {
 public:
  virtual ~Recorder() = default;
  virtual void step(const StepRecord&) = 0;
  virtual void event(const Event&) = 0;
  virtual void progress(const Progress&) {}
};

}  // namespace allot
