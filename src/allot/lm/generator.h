// Sampling with a static KV cache: prompts prefilled once per group, finished places refilled.
//
// Never records autograd. CPU models (float, double, BF16) are decoded by `workers` threads with
// one intra-op thread each: every one on sequences of its own, or, where the weights exceed the
// caches, all on the same ones. BF16 weights are multiplied by BF16 activations and summed in
// float; keys and values are kept in float. The tokens of a sequence depend on its own prompt,
// weights and uniforms, so results do not depend on `workers`, `slots` or on what else is in flight
// (on CPU, bit for bit).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "allot/core/random.h"
#include "allot/lm/model.h"

namespace allot::lm {

// Lower ones are refused unless they are 0: logits divided by them would overflow.
inline constexpr float kLowestTemperature = 1e-4f;

struct GenerationRequest {
  std::uint64_t id = 0;              // of the first sequence; the others follow
  std::uint32_t n = 1;               // sequences that share the prompt
  std::vector<std::int32_t> prompt;  // at least one token
  RandomKey random;                  // of the first sequence: seq counts up
  float temperature = 1;             // 0: greedy; else at least kLowestTemperature
  // Truncation, in this order: top_k, top_p of what is left, min_p (kernels/decode_sampler.h).
  float top_p = 1, min_p = 0;
  int top_k = 0;                          // 0: off
  std::uint32_t max_new = 0;              // at least 1; prompt + max_new <= context
  std::vector<std::int32_t> stop_tokens;  // a sampled one ends the sequence and is part of it
};

struct GeneratedSequence {
  std::uint64_t id = 0;
  std::vector<std::int32_t> tokens;
  std::vector<float> logprob;  // of the full distribution at the temperature (greedy: at 1)
  float mean_entropy = 0;      // of the full distribution, over the tokens
  bool truncated = false;      // max_new reached without a stop token
};

// What a model is decoded in: as it is, or with its weights rounded to BF16, of which the generator
// keeps a copy.
enum class DecodeType { OfModel, Bf16 };

// How far a run has got, for other threads to read meanwhile. The decoder of library operations
// does not tell.
class GenerationProgress {
 public:
  explicit GenerationProgress(int workers) : longest_(static_cast<std::size_t>(workers)) {}
  void note(int worker, std::size_t tokens) {
    longest_[static_cast<std::size_t>(worker)].store(static_cast<std::uint32_t>(tokens),
                                                     std::memory_order_relaxed);
  }
  // Tokens of the longest sequence that is being generated; 0 where there is none.
  std::uint32_t longest() const {
    std::uint32_t most = 0;
    for (const auto& one : longest_) most = std::max(most, one.load(std::memory_order_relaxed));
    return most;
  }

 private:
  std::vector<std::atomic<std::uint32_t>> longest_;  // by worker
};

struct GeneratorOptions {
  int workers = 2;
  int slots = 64;  // sequences decoded together per worker
  DecodeType type = DecodeType::OfModel;
  std::shared_ptr<GenerationProgress> progress = nullptr;  // of at least as many workers
};

struct GenerationCost {
  std::uint64_t prefilled = 0, generated = 0;
};

class Generator {
 public:
  // Refers to the storage of `model`, whose weights may change between calls of run().
  Generator(const Model& model, GeneratorOptions options = {});
  ~Generator();

  // Serves all requests; calls `finished` in the calling thread as sequences end, in an unspecified
  // order. `finished` returning false, or *stop becoming true, stops early (open sequences are
  // dropped, their tokens are counted). Throws Error(Data) or Error(Config) naming the request that
  // is out of bounds, Error(Model) where logits are not finite; an exception of `finished` passes
  // through. The generator can be used again after any of these.
  GenerationCost run(const std::vector<GenerationRequest>& requests,
                     const std::function<bool(GeneratedSequence&&)>& finished,
                     const std::atomic<bool>* stop = nullptr);

  // Weights changed: packed copies are made anew on the next run.
  void weights_changed();

  // The decoder of library operations, which is chosen by itself for every other device and type,
  // on any model: for parity tests and benchmarks.
  static Generator reference(const Model& model, GeneratorOptions options);
  Generator(Generator&&) noexcept;

 private:
  Generator();

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace allot::lm
