// The budget of a step and of the run: what was promised, what is reserved, what is left.
//
// Rules (contract, sections 2 and 3). Hard caps are never exceeded: a request beyond one throws.
// A request of n rollouts reserves n * max_tokens of hard_tokens; when an outcome is delivered, the
// part it did not use returns. Amounts change at delivery, never at arrival, so `left` does not
// depend on the order of completion. Soft targets only count down to zero.
#pragma once

#include <cstdint>
#include <string>

#include "allot/core/types.h"

namespace allot {

class BudgetAccount {
 public:
  // Starts a step. run_rollouts and run_steps are totals of the whole run, the same in every step;
  // `host_max_tokens` stands in for a missing max_tokens. Throws Error(Config) for hard_tokens
  // without any max_tokens, and for a max_tokens beyond the host's.
  void open(const Budget& budget, std::uint64_t step, std::uint32_t host_max_tokens);

  // Books a request of n rollouts. Throws Error(Internal) naming `method` beyond a hard cap.
  void reserve(std::uint32_t n, const std::string& method);

  // One reserved rollout has ended with this many tokens (at most max_tokens, where one is set).
  void settle(std::uint32_t tokens);

  // Every field says what is left. A soft token target that is used up reads 1, as 0 means none.
  Budget left() const;

  // Longest answer, also what a cancelled rollout is charged; 0 = unknown.
  std::uint32_t max_tokens() const { return given_.max_tokens; }
  const Budget& given() const { return given_; }

  template <class V>
  void state(V& v) {
    v(given_.groups);
    v(given_.rollouts);
    v(given_.tokens);
    v(given_.hard_rollouts);
    v(given_.hard_tokens);
    v(given_.run_rollouts);
    v(given_.run_steps);
    v(given_.n_min);
    v(given_.n_max);
    v(given_.max_tokens);
    v(step_);
    v(issued_);
    v(open_);
    v(used_tokens_);
    v(run_issued_);
  }

 private:
  Budget given_;
  std::uint64_t step_ = 0;
  std::uint64_t issued_ = 0, open_ = 0;  // rollouts of this step: all, and those not yet settled
  std::uint64_t used_tokens_ = 0;        // of settled rollouts of this step
  std::uint64_t run_issued_ = 0;         // rollouts of the run
};

}  // namespace allot
