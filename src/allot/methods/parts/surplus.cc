#include "allot/methods/parts/surplus.h"

#include <algorithm>
#include <set>

namespace allot {

std::vector<RolloutId> Surplus::keep(std::span<const Group* const> groups) {
  std::vector<RolloutId> held;
  for (const Group* group : groups) {
    groups_.push_back(spares_.take());
    groups_.back() = *group;
    add_scored_ids(*group, held);
  }
  return held;
}

void Surplus::expire(Version policy, std::uint32_t max_age, std::span<const RolloutId> lost) {
  const std::set<RolloutId> gone(lost.begin(), lost.end());
  expired_ = std::erase_if(groups_, [&](const Group& group) {
    const auto is_gone = [&](std::uint32_t i) { return gone.count(group[i].id) > 0; };
    const auto scored = group.scored();
    const bool complete = std::none_of(scored.begin(), scored.end(), is_gone);
    if (complete && age_of(group, policy) <= max_age) return false;
    for (const std::uint32_t i : group.scored())
      if (!is_gone(i)) released_.push_back(group[i].id);
    return true;
  });
}

void Surplus::drop_oldest(std::size_t n) {
  const auto end = groups_.begin() + static_cast<std::ptrdiff_t>(std::min(n, groups_.size()));
  for (auto group = groups_.begin(); group != end; ++group) {
    add_scored_ids(*group, released_);
    spares_.give(std::move(*group));
  }
  groups_.erase(groups_.begin(), end);
}

}  // namespace allot
