// Rollouts sampled by an OpenAI-compatible server over HTTP (vLLM, SGLang).
//
// Every rollout is drawn from a seed of its own, keyed by (seed, purpose, step, prompt, seq), and a
// repeated request carries the same seed and index, so that connections, repetitions and the order
// in which answers arrive change no text (up to the rounding of the server's matrix products, which
// depends on what it computes together). Every submitted rollout comes back exactly once: Ok or
// Truncated with one finite log-probability per token, sampled by the version in force when it was
// submitted; or Failed after rollout.server.retries repetitions; or Cancelled. Which of the
// finished ones a wait() returns depends on timing; the Controller puts them in issue order.
//
// The first submit() or refresh() publishes the weights, looks for the server, has it load them and
// samples one token to see that the answers have token ids and log-probabilities. Its failures, and
// a server that goes away for good, are Error(Sampler), exit code 5.
//
// Not thread-safe; requests are sent by threads of its own.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "allot/loop/engine.h"
#include "allot/remote/request_pool.h"
#include "allot/remote/server_control.h"
#include "allot/remote/server_options.h"
#include "allot/remote/server_weights.h"
#include "allot/remote/weight_publisher.h"
#include "allot/text/tokenizer.h"

namespace allot::remote {

class ServerEngine final : public RolloutEngine {
 public:
  // `tokenizer` and `stop` outlive the engine. When *stop becomes true, wait() drops
  // all open work and returns empty. `api_key`: "" = none. Throws Error(Config).
  ServerEngine(ServerOptions options, const std::string& api_key, const Tokenizer& tokenizer,
               std::shared_ptr<WeightPublisher> publisher, const std::atomic<bool>* stop = nullptr);
  ~ServerEngine() override;

  // exact_logprobs is never claimed: another program computed them.
  EngineTraits traits() const override {
    return {.exact_logprobs = false, .cancel = true, .grain = Grain::Rollout, .entropy = false};
  }

  // Of the rollouts returned so far. Prompts count per request, but for what the server says that
  // it had computed before (usage.prompt_tokens_details.cached_tokens).
  EngineCost cost() const override { return cost_; }

  // Error(Data) for an empty prompt and one beyond the server's context; Error(Config) for sampling
  // settings out of range, for training rollouts whose log-probabilities would be of another
  // distribution (rollout.server.logprobs), and for max_new 0 where the server does not tell its
  // context. Nothing of `work` is taken then.
  void submit(std::span<const Work> work) override;

  // Rollouts not yet returned come back as Status::Cancelled; their requests are ended.
  void cancel(std::span<const RolloutId> ids) override;

  // Those that finished meanwhile, ordered by id.
  std::vector<Rollout> wait() override;

  // Publishes the current weights and has the server load them. With folders this waits for open
  // requests first; what they sampled is returned by wait(). After a stop the next submit() does
  // it.
  void refresh(Version version) override;

  ServerStats stats() const { return pool_.stats(); }

  // "37 of 4096 requests were repeated (...)", of the requests since the last call.
  std::string take_trouble();

 private:
  bool stopped() const { return ending_.load() || (stop_ != nullptr && stop_->load()); }
  void start(const std::string& folder);
  void probe();
  void put_in_force();
  bool collect();
  void deliver(const Task& task);
  CompletionRequest checked(const Work& work) const;
  std::uint32_t room(const Work& work, std::size_t prompt) const;
  void add(const Work& work, const CompletionRequest& request);

  const ServerOptions options_;
  const Tokenizer& tokenizer_;
  const std::shared_ptr<WeightPublisher> publisher_;
  const std::atomic<bool>* stop_;
  std::atomic<bool> ending_ = false;
  Watch watch_;
  ServerControl control_;
  ServerWeights weights_;
  RequestPool pool_;
  ServerFacts facts_;
  bool started_ = false, in_force_ = false;
  Version version_ = 0;
  EngineCost cost_;
  ServerStats told_;  // by take_trouble()
  std::vector<Rollout> ready_;
};

}  // namespace allot::remote
