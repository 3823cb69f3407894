// A scripted world for tests of methods and of the Controller: prompts with pass rates, keyed
// outcomes, any completion order. No model, no clock.
//
//   StreamWorld world({.seed = 7, .prompts = 40, .arrival_seed = 3, .arrivals_per_call = 2});
//   Controller controller(make_method(), {.method = "grpo", .host = serves_everything()});
//   DrivenStep step = drive_step(controller, world, budget);
//   EXPECT_EQ(transcript(step), transcript(other_step));
//
// What a rollout becomes depends only on (seed, step, prompt, seq). When and in which company its
// outcome is reported depends only on (arrival_seed, arrivals_per_call), so two worlds that differ
// in those alone must give the same decisions and batches.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "allot/core/controller.h"
#include "allot/core/types.h"

namespace allot::testing {

struct StreamSettings {
  std::uint64_t seed = 1;
  std::uint32_t prompts = 32;  // size of the pool; ids are 1 .. prompts

  // Chance of a correct answer. Unset: a quarter of the prompts 0, a quarter 1, the rest uniform.
  std::function<double(PromptId)> pass_rate;

  // What the data set says of prompts; unset: nothing.
  std::function<std::optional<float>(PromptId)> prior_pass_rate;

  // Shares of outcomes that end otherwise; the rest is Ok and Scored.
  double failed = 0, truncated = 0, not_scorable = 0, verifier_error = 0, no_answer = 0;
  double prompt_noise = 0.5;      // power of a prompt's direction over a rollout's noise, in probes
  double shaping = 0;             // > 0: adds uniform noise of this size to every reward
  std::uint32_t max_tokens = 64;  // lengths are uniform in 1 .. max_tokens

  std::uint64_t arrival_seed = 0;       // order of completion
  std::uint32_t arrivals_per_call = 0;  // outcomes reported per observe(); 0: all outstanding
  std::optional<std::uint32_t> deadline_after;  // observe() calls; then a deadline ends the step
  std::optional<std::uint32_t> refills;  // answers with prompts per step; later ones come empty
  std::uint32_t max_held = 0;            // held rollouts; beyond: the oldest are lost. 0: any

  // Called before every verb and at the end of the step: the place to save, load or inspect.
  std::function<void(Controller&)> at_event;
};

// Everything one step showed. Outcomes are as reported (before the Controller completes them), in
// order of report; `parts` is always empty.
struct DrivenStep {
  std::uint64_t step = 0;
  Version policy = 0;
  std::vector<PromptRef> candidates;  // embeddings point into the world
  std::vector<Plan> plans;
  std::vector<Outcome> reported;
  TrainBatch batch;
  Feedback feedback;
  std::vector<Metric> metrics;  // Controller::metrics() after feedback
};

class StreamWorld {
 public:
  explicit StreamWorld(StreamSettings settings);

  const StreamSettings& settings() const { return settings_; }
  StreamSettings& settings() { return settings_; }
  Version policy() const { return policy_; }
  double pass_rate(PromptId prompt) const;

  // The record of rollout `seq` of `prompt`, without id, tag and round.
  Outcome outcome(std::uint64_t step, PromptId prompt, std::uint32_t seq) const;

  // Every rollout issued so far with what became of it, and those held beyond their step.
  const std::map<RolloutId, Outcome>& rollouts() const { return rollouts_; }
  const std::vector<RolloutId>& held() const { return held_; }

 private:
  friend DrivenStep drive_step(Controller&, StreamWorld&, const Budget&);
  friend class StepDriver;
  std::vector<PromptRef> draw(std::uint64_t wanted, Draw draw, std::uint64_t step);

  StreamSettings settings_;
  std::vector<std::vector<float>> embeddings_;  // [prompts][4]
  std::vector<PromptId> shown_;                 // in the open step
  std::uint64_t cursor_ = 0;
  Version policy_ = 0;
  std::map<RolloutId, Outcome> rollouts_;
  std::vector<RolloutId> held_, lost_;
};

// One whole step: plan, observe until done (or idle, which is a deadline), finalize, feedback. A
// batch with items counts as one update. Throws what the Controller throws.
DrivenStep drive_step(Controller& controller, StreamWorld& world, const Budget& budget);

// A host that refuses nothing.
HostTraits serves_everything();

// Text of all requests, wishes and of the batch, equal exactly when they are equal to the last bit.
// Cancellations are left out: those of a done plan depend on what had been reported.
// At Grain::Rollout the order of new requests, and so their ids, may depend on completion order.
std::string transcript(const DrivenStep& step);
std::string transcript(const TrainBatch& batch);
// The same for Grain::Rollout: requests by prompt, rollouts numbered by prompt and position.
std::string transcript_by_prompt(DrivenStep step);

}  // namespace allot::testing
