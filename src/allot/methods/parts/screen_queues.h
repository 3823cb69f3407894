// SPEED's queues: prompts whose screening was mixed and that wait for the rest of their rollouts,
// and complete groups that wait to be trained on; both first in, first out, over several steps.
// Source: arXiv 2506.09016.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/prompt_table.h"
#include "allot/core/types.h"
#include "allot/methods/parts/group_pool.h"

namespace allot {

// A group that was screened; later rollouts are appended to its first ones.
struct ScreenedGroup {
  Group group;
  std::uint32_t screened = 0;  // rollouts of the screening
  bool asked = false;          // its continuation was asked for in this step

  template <class V>
  void state(V& v) {
    v(group);
    v(screened);
    v(asked);
  }
};

class ScreenQueues {
 public:
  const std::vector<ScreenedGroup>& pending() const { return pending_; }
  const std::vector<Group>& ready() const { return ready_; }
  // nullptr for a prompt that is in neither queue.
  const Group* find(PromptId prompt) const;
  // Rollouts of both queues.
  std::uint64_t rollouts() const;
  // Ids of their scored rollouts, which the host has to hold between steps.
  std::vector<RolloutId> scored_ids() const;

  // Starts a step: removes groups more than `max_age` updates older than `policy` and those of
  // which a rollout was lost. Returns their number.
  std::uint32_t open(Version policy, std::uint32_t max_age, std::span<const RolloutId> lost);

  // A screened group of mixed verdicts.
  void qualify(const Group& screened);

  // Prompts whose continuation was not yet asked for in this step, at most `most`; marks them.
  std::vector<PromptId> to_continue(std::uint64_t most);
  // An outcome of a continuation.
  void add(const Outcome& outcome);
  // A round of generation has ended: continued groups are ready, whatever became of the rollouts.
  // One all of whose continuation was cancelled stays pending and is asked for in a later step.
  void settle();

  // Removes the first `n` ready groups.
  void pop_ready(std::size_t n);

  template <class V>
  void state(V& v) {
    v(pending_);
    v(ready_);
    if constexpr (V::kReading) index();
  }

 private:
  void index();  // after places have changed

  std::vector<ScreenedGroup> pending_;
  std::vector<Group> ready_;
  Spares<Group> spares_;
  PromptTable<std::size_t> pending_at_, ready_at_;  // places in the queues
};

}  // namespace allot
