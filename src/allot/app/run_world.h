// Everything one run works with, put together from its configuration.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "allot/app/config.h"
#include "allot/app/starting_point.h"
#include "allot/app/watched_engine.h"
#include "allot/core/controller.h"
#include "allot/local/learner.h"
#include "allot/loop/engine.h"
#include "allot/loop/evaluate.h"
#include "allot/loop/step.h"
#include "allot/store/run_recorder.h"

namespace allot {

// Not movable: its parts refer to each other.
class RunWorld {
 public:
  // Trains the weights of `start`: copy() it where they are needed again.
  RunWorld(const RunConfig& config, const StartingPoint& start, const std::atomic<bool>& stop);
  RunWorld(const RunWorld&) = delete;

  StepResult step(Recorder& recorder);
  EvalResult evaluate(Recorder& recorder);

  // Files of one checkpoint: model, optimizer, tokenizer, controller.bin, held.bin, cursor.
  void save(CheckpointWriter& writer) const;
  // Error(Model) naming the file that is damaged or belongs to another run.
  void load(const CheckpointFolder& checkpoint);

  const Task& task() const { return task_; }
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
  StepSettings step_settings() const;

  const RunConfig config_;
  const std::atomic<bool>& stop_;
  Task task_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  lm::Model model_;
  ModelParts parts_;
  const Clock clock_;
  std::unique_ptr<RolloutEngine> sampler_;
  WatchedEngine engine_;  // of it
  std::unique_ptr<Verifier> verifier_;
  LocalLearner learner_;
  Controller controller_;
  RolloutStore store_;
};

}  // namespace allot
