// The engine and the verifier of the simulated world: a rollout is right with the prompt's pass
// rate, and as long as all answers of its prompt are.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "allot/loop/engine.h"
#include "allot/loop/verifier.h"
#include "allot/sim/policy.h"

namespace allot::sim {

// When submitted rollouts are finished.
enum class Pace : std::uint8_t {
  AtOnce,
  OneByOne  // one of each prompt per wait(), so that cancelling saves the rest
};

class SimEngine final : public RolloutEngine {
 public:
  // `policy` outlives the engine.
  explicit SimEngine(const Policy& policy, Pace pace = Pace::AtOnce)
      : policy_(policy), pace_(pace) {}

  EngineTraits traits() const override {
    return {.exact_logprobs = true, .cancel = true, .grain = Grain::Rollout, .entropy = true};
  }
  EngineCost cost() const override { return cost_; }
  void submit(std::span<const Work> work) override;
  void cancel(std::span<const RolloutId> ids) override;  // those not handed out cost nothing
  std::vector<Rollout> wait() override;
  void refresh(Version version) override { version_ = version; }

 private:
  std::vector<Rollout> next_of_each();

  const Policy& policy_;
  Pace pace_;
  Version version_ = 0;
  EngineCost cost_;
  std::vector<Rollout> waiting_;  // in the order of submission
};

// Reads the verdict that the engine wrote as the rollout's text: "1" scores 1, "0" scores 0.
class SimVerifier final : public Verifier {
 public:
  std::vector<Score> score(std::span<const Rollout> rollouts, const PromptSource&) override;
};

}  // namespace allot::sim
