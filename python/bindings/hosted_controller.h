// A Controller with what a host in Python should not have to carry along: the prompt that a rollout
// was asked of, the policy's version, the step that waits for its feedback, and the defaults of a
// budget. Touches no Python object.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "allot/core/controller.h"
#include "allot/methods/registry.h"
#include "bindings/host.h"
#include "bindings/outcomes.h"

namespace allot::python {

struct HostedOptions {
  AllocOptions alloc;
  AdvantageOptions adv;
  HostTraits host;
  GivenBudget budget;  // of every step that brings none of its own
  std::uint64_t seed = 0, data_size = 0;
  double success_threshold = 0.5;
};

class HostedController {
 public:
  explicit HostedController(HostedOptions options);

  // `policy`: version that generates; absent = that of the last plan, plus its update if it had
  // one.
  Plan plan(std::span<const PromptRef> prompts, const std::optional<GivenBudget>& budget,
            std::optional<Version> policy, std::span<const RolloutId> lost);
  Plan observe(Outcomes outcomes, std::span<const PromptRef> more_prompts, bool deadline);
  TrainBatch finalize();

  struct Result {
    bool updated = false;
    std::optional<Version> after;  // absent: one more than before if updated
    float mean_reward = 0, mean_entropy = 0;
    std::vector<ItemStat> items;
  };
  void feedback(const Result& result);

  // The Controller's blob with what stands above; format "allot.python", docs/formats.md.
  std::string save(std::uint64_t dataset_hash) const;
  void load(std::string_view blob, std::uint64_t dataset_hash);

  const Controller& controller() const { return controller_; }
  Version policy() const { return memory_.policy; }

  // One call at a time: methods that let other Python threads run hold this. Throws Error(Internal)
  // where another thread is inside.
  std::unique_lock<std::mutex> enter() const;

 private:
  struct Asked {
    RolloutId first = 0;
    std::uint32_t n = 0;
    PromptId prompt = 0;

    template <class V>
    void state(V& v) {
      v(first);
      v(n);
      v(prompt);
    }
  };
  struct Memory {
    Version policy = 0, step_policy = 0;     // newest; that of the open step
    std::optional<std::uint64_t> finalized;  // waits for its feedback
    std::vector<Asked> asked;                // in this step, by ascending id

    template <class V>
    void state(V& v) {
      v(policy);
      v(step_policy);
      v(finalized);
      v(asked);
    }
  };
  struct Saved;

  Plan remembered(Plan plan);
  Budget budget_of(const GivenBudget& given, std::size_t prompts) const;
  std::uint32_t groups_of(const GivenBudget& given, std::size_t prompts) const;
  std::vector<Outcome> completed(Outcomes& outcomes) const;
  std::optional<PromptId> prompt_of(RolloutId id) const;

  HostedOptions options_;
  Controller controller_;
  Memory memory_;
  mutable std::unique_ptr<std::mutex> inside_ = std::make_unique<std::mutex>();
};

}  // namespace allot::python
