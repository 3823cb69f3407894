// How much memory generation on the CPU takes, before anything is allocated: for a dry run.
#pragma once

#include <cstddef>

#include "allot/lm/generator.h"
#include "allot/lm/tensor.h"

namespace allot::lm {

struct GenerationShape {
  std::uint64_t sequences = 0;     // of one call of Generator::run
  std::uint32_t group = 1;         // sequences per prompt
  int prompt = 0, new_tokens = 0;  // the longest
};

// Bytes at the peak of Generator::run.
struct GenerationMemory {
  std::size_t weights = 0;  // of the model itself, which training shares
  std::size_t rounded = 0;  // the copy of DecodeType::Bf16
  std::size_t packed = 0;   // the copies that products read, and tables of angles
  std::size_t caches = 0;   // keys and values of running sequences and their prompts
  std::size_t scratch = 0;  // activations and logits

  std::size_t total() const { return weights + rounded + packed + caches + scratch; }
};

// `type`: float, double or BF16. Throws Error(Config) for another one.
GenerationMemory estimate_generation_memory(const ModelConfig& config, at::ScalarType type,
                                            const GeneratorOptions& options,
                                            const GenerationShape& shape);

}  // namespace allot::lm
