#include "allot/methods/parts/acceptance.h"

#include <algorithm>
#include <cmath>

namespace allot {

bool Acceptance::accepts(const Group& group) const {
  const double n = group.scored_count(), correct = group.correct_count();
  if (n < 2) return false;
  double low = INFINITY, high = -INFINITY;
  for (const std::uint32_t i : group.scored()) {
    low = std::min<double>(low, group[i].reward);
    high = std::max<double>(high, group[i].reward);
  }
  if (high - low <= resolution) return false;
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
