// Whether a run fits into this machine's memory, said before anything large is allocated.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "allot/app/config.h"
#include "allot/lm/config.h"
#include "allot/tasks/registry.h"
#include "allot/text/tokenizer.h"

namespace allot {

// Bytes at the peak of a step, from shapes alone, for the longest prompt and responses that are all
// as long as allowed. The program and its libraries (about 150 MB) and rollouts come on top.
struct RunMemory {
  std::uint64_t weights = 0;      // F32, rounded copies, what an adapter replaces
  std::uint64_t moments = 0;      // of the optimizer
  std::uint64_t packed = 0;       // copies that generation multiplies by
  std::uint64_t gradients = 0;    // of all shards
  std::uint64_t activations = 0;  // of one micro-batch per worker
  std::uint64_t caches = 0;       // keys and values of running responses, and scratch

  // Generation and training take turns.
  std::uint64_t total() const {
    return weights + moments + packed + std::max(gradients + activations, caches);
  }
};

struct RunShape {
  int longest_prompt = 0, longest_response = 0;  // tokens
  std::uint64_t rollouts = 0;                    // of a step
};

RunMemory run_memory(const RunConfig& config, const lm::ModelConfig& model, const RunShape& shape);

// What the system says can still be allocated, also by the limits of a container; 0: unknown.
std::uint64_t available_memory();

// "weights 393 MB + .. = 3210 MB"
std::string to_string(const RunMemory& memory);

// Of the model that the configuration names, before it is loaded. Throws Error(Model) with the
// numbers and what lowers them where a run on the CPU needs more than there is.
void check_fits(const RunConfig& config, const Task& task, const Tokenizer& tokenizer);

RunShape run_shape(const RunConfig& config, const Task& task, const Tokenizer& tokenizer);

}  // namespace allot
