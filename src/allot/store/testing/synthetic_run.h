// Runs without a model for tests of the run folder and of the report: every step is a function of
// the description and its number, so that any two recordings of it can be compared.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "allot/loop/evaluate.h"
#include "allot/loop/recorder.h"
#include "allot/loop/rollout_store.h"
#include "allot/store/run_recorder.h"

namespace allot::testing {

struct SyntheticRun {
  std::string method = "grpo";
  std::uint64_t seed = 0;
  std::uint64_t steps = 20;
  std::uint32_t prompts = 6, group_size = 4;  // per step
  double first_accuracy = 0.2, last_accuracy = 0.6;
  double speed = 1;                    // > 1: reaches last_accuracy earlier
  std::uint32_t kept = 4;              // rollouts trained on per group
  bool adaptive = false;               // group sizes vary with the prompt
  std::vector<std::string> functions;  // two reward functions: the reward; below ten tokens
  std::uint32_t hold = 0;              // per step, kept back and partly trained on in the next
  std::uint64_t evaluate_every = 5;
  std::string text = "the answer is ";  // start of every response
  RunStatus status = RunStatus::Finished;
};

class SyntheticPrompts : public PromptSource {
 public:
  explicit SyntheticPrompts(const std::string& text);
  std::span<const PromptRef> candidates(std::size_t, Draw) override { return {}; }
  void begin_step(std::uint64_t) override {}
  const Prompt& get(PromptId id) const override;
  std::size_t size() const override { return prompts_.size(); }
  std::string save() const override { return {}; }
  void load(std::string_view) override {}
  std::uint64_t hash() const override { return 0; }
  const std::vector<PromptId>& ids() const { return ids_; }

 private:
  std::vector<PromptId> ids_;
  std::map<PromptId, Prompt> prompts_;
};

class SyntheticWorld {
 public:
  explicit SyntheticWorld(SyntheticRun run) : run_(std::move(run)), prompts_(run_.text) {}

  // Steps in order; a world that starts later first needs skip_to().
  void record_step(std::uint64_t step, Recorder& recorder);
  // Brings the store of held rollouts to the boundary before `step`, recording nothing.
  void skip_to(std::uint64_t step);
  EvalResult evaluation(std::uint64_t step) const;
  const SyntheticRun& run() const { return run_; }
  const SyntheticPrompts& prompts() const { return prompts_; }

 private:
  struct Draft;
  double accuracy(std::uint64_t step) const;
  RolloutId draw_rollout(Draft& draft, PromptId prompt, std::uint32_t seq, double p);
  void draw_group(Draft& draft, std::uint32_t g);
  void exchange_held(Draft& draft);

  SyntheticRun run_;
  SyntheticPrompts prompts_;
  RolloutStore store_;
  std::vector<RolloutId> held_;
};

// Tells the recorder of all prompts; token ids are bytes.
void name_prompts(const SyntheticWorld& world, RunRecorder& recorder);

// Records the whole run into `path`, from `first_step` on.
void write_synthetic_run(const SyntheticRun& run, const RunFolderPath& path,
                         std::uint64_t first_step = 0);

}  // namespace allot::testing
