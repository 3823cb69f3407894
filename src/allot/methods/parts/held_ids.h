// Rollouts that a method keeps over several steps, as the host sees them: what to hold, what to
// give back (Needs::hold).
#pragma once

#include <span>
#include <vector>

#include "allot/core/types.h"

namespace allot {

class HeldIds {
 public:
  // The host gave these up; they are neither held nor to be given back.
  void lose(std::span<const RolloutId> lost);

  // From now on exactly `needed` (distinct) is held: what is new goes into batch.hold, what is no
  // longer needed into batch.release.
  void update(std::vector<RolloutId> needed, TrainBatch& batch);

  template <class V>
  void state(V& v) {
    v(held_);
  }

 private:
  std::vector<RolloutId> held_;  // ascending
};

}  // namespace allot
