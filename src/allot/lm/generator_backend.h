// The two ways to generate behind Generator: own kernels on the CPU, library operations anywhere.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "allot/lm/generator.h"

namespace allot::lm {

class GeneratorBackend {
 public:
  virtual ~GeneratorBackend() = default;
  // As Generator::run; the requests are valid, and there is at least one sequence.
  virtual GenerationCost run(const std::vector<GenerationRequest>& requests,
                             const std::function<bool(GeneratedSequence&&)>& finished,
                             const std::atomic<bool>* stop) = 0;
  virtual void weights_changed() = 0;
};

// A CPU model in float, double or BF16.
std::unique_ptr<GeneratorBackend> make_decode_backend(const Model& model, GeneratorOptions options);
// Every device and floating type. One micro-batch of `slots` sequences at a time; `workers` is not
// used, the library has threads of its own.
std::unique_ptr<GeneratorBackend> make_reference_backend(const Model& model,
                                                         GeneratorOptions options);

// Raised where a model's logits are not finite.
[[noreturn]] void throw_not_finite(std::uint64_t sequence, std::size_t token);

}  // namespace allot::lm
