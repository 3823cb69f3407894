// Rollouts sampled by the language model of this machine.
//
// Work waits until wait(), which generates in the calling thread (the generator has worker threads
// of its own), so weights must not change while wait() runs. Not thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "allot/core/options.h"
#include "allot/lm/generator.h"
#include "allot/lm/model.h"
#include "allot/loop/engine.h"
#include "allot/text/tokenizer.h"

namespace allot {

struct LocalEngineOptions {
  int workers = 2;
  int slots = 64;
  int chunk = 0;

  template <class V>
  void fields(V& v) {
    v("workers", workers, Range{1, 256},
      "threads that generate on the CPU; texts do not depend on it");
    v("slots", slots, Range{1, 65536},
      "responses generated together by one worker; more is faster up to the size of the cache, "
      "texts do not depend on it");
    v("chunk", chunk, Range{0, 65536},
      "responses of one request generated before the method sees them; 0 = all. Small values let "
      "a method stop early, but each chunk computes the prompt again");
  }
};

class LocalEngine final : public RolloutEngine {
 public:
  // Shares the storage of `model`; call refresh() after its weights changed. `tokenizer` and `stop`
  // must outlive the engine. When *stop becomes true, wait() drops all open work and returns empty.
  // Throws Error(Model) if the tokenizer has ids beyond the model's vocabulary.
  LocalEngine(const lm::Model& model, const Tokenizer& tokenizer, LocalEngineOptions options = {},
              const std::atomic<bool>* stop = nullptr);

  // exact_logprobs for float and double models: Rollout::logp is of the full distribution at the
  // sampling temperature whatever the truncation, which is the sampling distribution only where
  // top_p = 1, top_k = 0 and min_p = 0; at temperature 0 it is taken at temperature 1.
  EngineTraits traits() const override;
  EngineCost cost() const override { return cost_; }

  // Error(Data) naming prompt and lengths where prompt + max_new exceeds the context, and for an
  // empty prompt; Error(Config) for sampling settings out of range and for a stop text that is not
  // one token. Nothing of `work` is taken then. Sampling::max_new = 0: up to the context.
  void submit(std::span<const Work> work) override;

  // Rollouts not yet returned come back from the next wait() as Status::Cancelled, ungenerated.
  // Unknown ids and ids already returned are ignored.
  void cancel(std::span<const RolloutId> ids) override;

  // Generates `chunk` responses of every open request and returns them ordered by request, then
  // seq, so that the result does not depend on timing.
  std::vector<Rollout> wait() override;

  void refresh(Version version) override;

 private:
  struct Pending {
    Work work;  // issued.first, n and first_seq describe what is left of the request
    std::vector<std::int32_t> prompt, stop_tokens;
    float temperature = 1;
    std::uint32_t max_new = 0;
    Version version = 0;
  };

  Pending checked(const Work& work) const;
  Rollout rollout_of(const Pending& pending, std::uint32_t index) const;

  const Tokenizer& tokenizer_;
  lm::Generator generator_;
  LocalEngineOptions options_;
  const std::atomic<bool>* stop_;
  int context_ = 0;
  bool exact_ = false;
  Version version_ = 0;
  EngineCost cost_;
  std::vector<Pending> pending_;
  std::vector<Rollout> cancelled_;  // to be returned by the next wait()
};

}  // namespace allot
