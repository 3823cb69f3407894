// Rollouts kept beyond their step, as the decision side sees them: who they belong to and what they
// cost. The tokens themselves are the host's. Source: contract, "Who owns tokens".
#pragma once

#include <cstdint>
#include <span>

#include "allot/core/prompt_table.h"
#include "allot/core/types.h"

namespace allot {

struct HeldRollout {
  PromptId prompt = 0;
  Version behaviour = 0;
  float reward = 0;
  std::uint32_t tokens = 0;
  bool scored = false;
  bool trained = false;  // shipped at least once

  template <class V>
  void state(V& v) {
    v(prompt);
    v(behaviour);
    v(reward);
    v(tokens);
    v(scored);
    v(trained);
  }
};

// A number of rollouts and of response tokens.
struct Amount {
  std::uint64_t rollouts = 0, tokens = 0;

  void add(std::uint64_t more_rollouts, std::uint64_t more_tokens) {
    rollouts += more_rollouts;
    tokens += more_tokens;
  }
  template <class V>
  void state(V& v) {
    v(rollouts);
    v(tokens);
  }
};

class HeldRollouts {
 public:
  void hold(RolloutId id, const HeldRollout& rollout) {  // changes nothing if it is held
    if (!held_.contains(id)) held_[id] = rollout;
  }
  // nullptr for one that is not held.
  const HeldRollout* find(RolloutId id) const { return held_.find(id); }
  void mark_trained(RolloutId id);

  // Forgets the rollouts; what of them was never trained on. Unknown ids are passed over.
  Amount drop(std::span<const RolloutId> ids);

  template <class V>
  void state(V& v) {
    v(held_);
  }

 private:
  PromptTable<HeldRollout> held_;  // by rollout: ids that ascend, so they fill its blocks
};

}  // namespace allot
