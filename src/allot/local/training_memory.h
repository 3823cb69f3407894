// How much memory training a model takes on the CPU, said beforehand.
#pragma once

#include <cstdint>
#include <string>

#include "allot/lm/config.h"
#include "allot/lm/forward.h"

namespace allot {

// What is computed at once.
struct TrainingShape {
  std::int64_t rows = 0;  // of the largest micro-batch: prompts once, then response tokens
  int shards = 1;         // each has gradients of its own
  int workers = 1;        // shards that are computed at the same time
  lm::KeptActivations kept = lm::KeptActivations::All;
};

// Bytes, for a model in F32 and the fused kernels (with BF16 products, too: their copies are
// small). Not counted: the program and its libraries (about 150 MB with libtorch), the generator's
// cache, rollouts.
struct TrainingMemory {
  std::int64_t weights = 0;
  std::int64_t gradients = 0;    // of every shard, and those of the micro-batch being added
  std::int64_t moments = 0;      // of AdamW
  std::int64_t activations = 0;  // kept from forward to backward, by all workers
  std::int64_t scratch = 0;      // of one layer's passes and one chunk of logits, by all workers

  std::int64_t total() const { return weights + gradients + moments + activations + scratch; }
  // "weights 393 MB + gradients 1180 MB + .. = 3210 MB"
  std::string to_string() const;
};

TrainingMemory training_memory(const lm::ModelConfig& config, const TrainingShape& shape);

}  // namespace allot
