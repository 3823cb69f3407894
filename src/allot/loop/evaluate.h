// Evaluation over the same engine and verifier, without a Controller: pass@1, pass@k, avg@k.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "allot/loop/clock.h"
#include "allot/loop/engine.h"
#include "allot/loop/prompt_source.h"
#include "allot/loop/recorder.h"
#include "allot/loop/verifier.h"

namespace allot {

struct EvalSettings {
  std::uint64_t seed = 0, step = 0;
  std::uint32_t group_size = 1;  // responses per prompt
  std::vector<int> k = {1};      // values of k for pass@k; each <= group_size
  Sampling sampling;
  std::size_t prompts_at_once = 256;
  // Gets every response with one score of each verifier, by request and seq; may be empty.
  std::function<void(const Rollout&, std::span<const Score>)> each;
  const std::atomic<bool>* stop = nullptr;
};

struct EvalResult {
  std::size_t prompts = 0;
  std::uint32_t group_size = 0;
  double pass_at_1 = 0;           // mean over prompts of the share correct (= avg@group_size)
  std::vector<double> pass_at_k;  // in the order of EvalSettings::k; unbiased (Chen et al. 2021)
  double mean_reward = 0, mean_tokens = 0, truncated_share = 0, no_answer_share = 0;
  std::vector<std::uint32_t> correct;  // per prompt, in the order of `ids`
  bool complete = true;                // false: stopped early
};

// The same responses, scored by each verifier: one result per verifier, in their order.
std::vector<EvalResult> evaluate(RolloutEngine& engine, std::span<Verifier* const> verifiers,
                                 const PromptSource& prompts, std::span<const PromptId> ids,
                                 const EvalSettings& settings, Recorder& recorder);

// Of one verifier.
EvalResult evaluate(RolloutEngine& engine, Verifier& verifier, const PromptSource& prompts,
                    std::span<const PromptId> ids, const EvalSettings& settings,
                    Recorder& recorder);

// Unbiased pass@k of one prompt: 1 - C(n - c, k) / C(n, k); 1 if n - c < k.
double pass_at_k(std::uint32_t n, std::uint32_t c, std::uint32_t k);

}  // namespace allot
