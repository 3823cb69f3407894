// Rewards from the votes of a prompt's own rollouts (OptPO).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "allot/core/prompt_table.h"
#include "allot/core/types.h"
#include "allot/methods/parts/ballot.h"
#include "allot/methods/parts/group_pool.h"
#include "allot/methods/parts/metric_list.h"

namespace allot {

// The votes on one prompt in the open step.
struct Poll {
  Ballot ballot;
  std::uint32_t cap = 0;  // rollouts that it may take
  bool stopped = false;

  void clear() {
    ballot.clear();
    cap = 0;
    stopped = false;
  }
  template <class V>
  void state(V& v) {
    v(ballot);
    v(cap);
    v(stopped);
  }
};

// A scored rollout with a readable answer.
bool casts_vote(const Outcome& outcome);

// The outcome with agreement in place of the verifier's reward and verdict. Without a label, which
// is the majority's answer, nothing agrees.
Outcome judged(const Outcome& outcome, std::optional<std::int64_t> label);

// rollouts_to_stop, cancelled, lead, capped_share, label_changes and classes, means over prompts;
// agreement_with_gold, the share of labels that the verifier calls correct.
MetricList poll_metrics(const std::vector<Group>& groups, const PromptTable<Poll>& polls,
                        const VoteRule& rule);

}  // namespace allot
