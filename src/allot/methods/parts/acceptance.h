// Which finished groups may enter a batch of groups with signal (dynamic sampling).
#pragma once

#include <vector>

#include "allot/methods/parts/group_pool.h"

namespace allot {

enum class AcceptBy { Reward, Correct };

struct Acceptance {
  // Rewards must differ by more than `resolution`; with Correct the verdicts must differ too.
  AcceptBy by = AcceptBy::Reward;
  double resolution = 1e-6;
  std::vector<double> pass_rates;  // [low, high] that the pass rate must lie in; empty: any

  bool accepts(const Group& group) const;
  // Those of `groups` that are accepted, in their order.
  std::vector<const Group*> accepted(const std::vector<Group>& groups) const;
  std::uint32_t count(const std::vector<Group>& groups) const;
};

}  // namespace allot
