// Supervised training on demonstrations before reinforcement learning: cross-entropy of the
// demonstration and the end token, mean over the tokens of a batch, on the learner's packed path.
//
// Deterministic: batches are keyed by (seed, step), and the work is bounded by steps, not by time.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>

#include "allot/core/options.h"
#include "allot/core/types.h"
#include "allot/lm/model.h"
#include "allot/loop/prompt_source.h"
#include "allot/text/tokenizer.h"

namespace allot {

struct WarmStartOptions {
  int steps = 300;
  int batch = 32;
  double lr = 2e-3;
  int warmup_steps = 20;
  double weight_decay = 0;
  double max_grad_norm = 1;
  double easiest = 1, until_loss = 0;
  std::uint64_t seed = 0;

  template <class V>
  void fields(V& v);
};

// How the work is cut; see LearnerOptions.
struct WarmStartWork {
  int micro_rollouts = 32, shards = 2, workers = 2;
};

struct WarmStartProgress {
  std::uint64_t step = 0, steps = 0;  // done, of
  std::uint64_t positions = 0;        // run forward and backward so far
  double loss = 0;                    // nats per token, of the last batch
};

struct WarmStartResult {
  std::uint64_t steps = 0, positions = 0;
  double first_loss = 0, last_loss = 0;  // nats per token; last: mean of the last 10 steps
  bool complete = true;                  // false: stopped early
};

// Changes `model` in place. `ids` in order of difficulty (for warm_start.easiest). Prompts without
// a demonstration are left out; Error(Data) if none has one, or if one exceeds the context.
// `progress` is called after every step.
WarmStartResult warm_start(const lm::Model& model, const Tokenizer& tokenizer,
                           const PromptSource& prompts, std::span<const PromptId> ids,
                           const WarmStartOptions& options, const WarmStartWork& work = {},
                           const std::function<void(const WarmStartProgress&)>& progress = {},
                           const std::atomic<bool>* stop = nullptr);

template <class V>
void WarmStartOptions::fields(V& v) {
  v("steps", steps, Range{0, 1e9}, "supervised updates before training; 0 = none");
  v("batch", batch, Range{1, 65536}, "demonstrations per update");
  v("lr", lr, Range{0, 10}, "highest learning rate; it falls to 0 along a cosine");
  v("warmup_steps", warmup_steps, Range{0, 1e9}, "steps in which the learning rate rises");
  v("weight_decay", weight_decay, Range{0, 10}, "decay of matrices per unit of learning rate");
  v("max_grad_norm", max_grad_norm, Range{0, 1e9}, "largest norm of the gradient; 0 = not clipped");
  v("easiest", easiest, Range{0, 1},
    "share of the training prompts, from the easiest on, whose demonstrations are shown; the rest "
    "is left to reinforcement learning");
  v("until_loss", until_loss, Range{0, 100},
    "end early once the loss of the last 10 updates is below this (nats per token); 0 = never. "
    "What "
    "a model can do is steadier over seeds and machines at one loss than after one number of "
    "steps");
  v("seed", seed, Range{0, 9e15}, "of the order of demonstrations");
}

}  // namespace allot
