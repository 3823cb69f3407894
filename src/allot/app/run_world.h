// Everything one run works with, put together from its configuration.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "allot/app/config.h"
#include "allot/app/prepare_task.h"
#include "allot/app/starting_point.h"
#include "allot/app/watched_engine.h"
#include "allot/core/controller.h"
#include "allot/local/learner.h"
#include "allot/loop/engine.h"
#include "allot/loop/evaluate.h"
#include "allot/loop/step.h"
#include "allot/store/run_recorder.h"

namespace allot {

struct NamedEvaluation {
  std::string set;
  EvalResult result;
};

// A response of an evaluation, with one score of each verifier: the run's own, then the flexible.
using SampleSink = std::function<void(const std::string& set, const Prompt& prompt,
                                      const Rollout& rollout, std::span<const Score> scores)>;

enum class EvaluatedSets { All, WithoutTest };  // only the sets of eval.sets

// Not movable: its parts refer to each other.
class RunWorld {
 public:
  // Trains the weights of `start`: copy() it where they are needed again.
  RunWorld(const RunConfig& config, const StartingPoint& start, const std::atomic<bool>& stop);
  RunWorld(const RunWorld&) = delete;

  StepResult step(Recorder& recorder);
  // Of the held-out prompts, "test", and of every set of eval.sets; where answers are compared by
  // the math verifier, followed by those of its flexible profile, "test/flexible". The last one is
  // incomplete where the run was stopped.
  std::vector<NamedEvaluation> evaluate(Recorder& recorder, const SampleSink& sink = {},
                                        EvaluatedSets which = EvaluatedSets::All);

  // Files of one checkpoint: model, optimizer, tokenizer, controller.bin, held.bin, cursor.
  void save(CheckpointWriter& writer) const;
  // Error(Model) naming the file that is damaged or belongs to another run.
  void load(const CheckpointFolder& checkpoint);

  const Task& task() const { return task_; }
  // Of the task's files and of those of eval.sets.
  FileNotes notes() const;
  // Of a prompt's text, as the model sees it.
  std::vector<std::int32_t> encode(const std::string& text) const {
    return tokenizer_->encode(text);
  }
  // Tokens that a prompt may have beside the longest response.
  std::size_t prompt_room() const;
  // Keys of the first `count` prompts that the next step considers; changes nothing.
  std::vector<std::string> next_prompts(std::size_t count);
  // Opens the next step and returns what would be asked for; only loading goes on from here.
  Plan open_step();
  Budget budget() const { return step_settings().budget; }
  std::string model_summary() const;
  std::string device() const;
  Controller& controller() { return controller_; }

 private:
  void embed_prompts();
  // The weights that sample, in their own type.
  const lm::Model& trained_sampler() const { return parts_.rounded ? *parts_.rounded : model_; }
  void refresh_sampler();
  void evaluate_set(const std::string& name, const PromptSet& prompts, Verifier& verifier,
                    Verifier* flexible, Recorder& recorder, const SampleSink& sink,
                    std::vector<NamedEvaluation>& evaluations);
  StepSettings step_settings() const;

  const RunConfig config_;
  const std::atomic<bool>& stop_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  Task task_;
  std::vector<HeldOutSet> held_out_;
  lm::Model model_;
  ModelParts parts_;
  std::optional<lm::Model> sampler_model_;  // where not the trained weights sample
  const Clock clock_;
  std::unique_ptr<RolloutEngine> sampler_;
  WatchedEngine engine_;                      // of it
  std::unique_ptr<RolloutEngine> evaluator_;  // of the trained weights, where others sample
  std::unique_ptr<Verifier> verifier_;
  LocalLearner learner_;
  Controller controller_;
  RolloutStore store_;
};

}  // namespace allot
