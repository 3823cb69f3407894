#include "allot/methods/parts/acceptance.h"

#include <algorithm>

#include "allot/methods/parts/advantages.h"

namespace allot {

bool Acceptance::accepts(const Group& group) const {
  const double n = group.scored_count(), correct = group.correct_count();
  if (n < 2) return false;
  const auto rewards = group.scored_rewards();
  const auto [low, high] = std::minmax_element(rewards.begin(), rewards.end());
  if (*high - *low <= resolution) return false;
  if (by == AcceptBy::Correct && (correct == 0 || correct == n)) return false;
  return pass_rates.empty() || (correct / n >= pass_rates[0] && correct / n <= pass_rates[1]);
}

std::vector<const Group*> Acceptance::accepted(const std::vector<Group>& groups) const {
  std::vector<const Group*> out;
  for (const Group& group : groups)
    if (accepts(group)) out.push_back(&group);
  return out;
}

std::uint32_t Acceptance::count(const std::vector<Group>& groups) const {
  return static_cast<std::uint32_t>(accepted(groups).size());
}

}  // namespace allot
