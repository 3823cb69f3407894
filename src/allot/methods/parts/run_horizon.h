// How long a run is and what it may spend, for methods that pace themselves over the whole run.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "allot/core/types.h"

namespace allot {

// What the host does not say is filled in: without run_rollouts a run of known length may spend
// what steps of the usual size would, so that methods compare at equal cost; without run_steps the
// run lasts as long as run_rollouts do at that size; without either it is open-ended, nothing
// limits it, and rates are those of a run of 500 rounds.
class RunHorizon {
 public:
  // Starts a round. `group_size`: rollouts of one of Budget::groups, for a step without a target.
  void open(const BatchView& view, std::uint32_t group_size);
  // Ends it with the rollouts it requested.
  void close(std::uint64_t rollouts);

  double rounds() const { return rounds_; }
  double rollouts() const { return rollouts_; }  // of the whole run
  double mean() const { return rollouts_ / rounds_; }
  bool limited() const { return limited_; }
  // Rollouts left, the open round included; the largest number if the run is open-ended.
  std::uint64_t left() const { return left_; }
  double rounds_after_this() const;
  // Rollouts requested so far beyond equal rounds; negative if there were fewer.
  double surplus() const;

  template <class V>
  void state(V& v) {
    v(rounds_);
    v(rollouts_);
    v(given_);
    v(limited_);
    v(left_);
    v(spent_);
    v(closed_);
  }

 private:
  double rounds_ = 1, rollouts_ = 0;
  std::optional<std::uint64_t> given_;  // run_rollouts of the whole run, fixed by the first round
  bool limited_ = false;
  std::uint64_t left_ = 0;
  std::uint64_t spent_ = 0, closed_ = 0;  // rollouts and rounds so far
};

}  // namespace allot
