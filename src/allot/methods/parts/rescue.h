// AERO's rescue: small further rounds from one pooled budget for prompts that have failed so far.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/random.h"
#include "allot/core/types.h"
#include "allot/methods/parts/group_pool.h"

namespace allot {

struct RescueRule {
  std::uint32_t size = 2;  // rollouts per prompt and round
  std::uint32_t max_rounds = 10;
  std::uint32_t n_max = 0;  // rollouts of a prompt in the step, the exploration included
  std::uint32_t tag = 1;    // of the requests
};

class Rescue {
 public:
  // A new step with `pool` rollouts to spend.
  void open(std::uint64_t pool);
  // The prompts in need, in the order of planning.
  void start(std::vector<PromptId> todo);
  // A round has ended: prompts with a correct rollout among these are no longer in need.
  void settle(std::span<const Outcome> outcomes);
  // The requests of the next round, in an order drawn by key, noted in `groups`. Empty when there
  // is nobody in need below n_max, no round left, or nothing left to spend; `affordable` is a hard
  // cap.
  std::vector<GenRequest> next(const RescueRule& rule, std::uint64_t seed, std::uint64_t step,
                               const Budget& left, GroupPool& groups);

  std::uint64_t used() const { return used_; }        // rollouts spent
  std::uint32_t rounds() const { return rounds_; }    // rounds so far
  std::uint32_t rescued() const { return rescued_; }  // prompts that left by a success

  template <class V>
  void state(V& v) {
    v(todo_);
    v(pool_);
    v(used_);
    v(rounds_);
    v(rescued_);
  }

 private:
  std::vector<PromptId> todo_;
  std::uint64_t pool_ = 0, used_ = 0;
  std::uint32_t rounds_ = 0, rescued_ = 0;
};

}  // namespace allot
