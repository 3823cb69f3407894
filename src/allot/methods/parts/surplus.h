// Finished groups that a step had no room for, kept for later ones: ids, rewards and versions, in
// order of age. Their tokens stay in the host's store (Needs::hold).
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "allot/core/types.h"
#include "allot/methods/parts/group_pool.h"

namespace allot {

class Surplus {
 public:
  const std::vector<Group>& groups() const { return groups_; }  // oldest first
  std::uint32_t size() const { return static_cast<std::uint32_t>(groups_.size()); }

  // Adds groups behind the others; returns the ids that the host has to hold.
  std::vector<RolloutId> keep(std::span<const Group* const> groups);

  // Removes groups more than `max_age` updates older than `policy`, and groups of which a rollout
  // was lost.
  void expire(Version policy, std::uint32_t max_age, std::span<const RolloutId> lost);

  std::uint64_t expired() const { return expired_; }  // groups, by the last expire()

  // Removes the oldest `n`, which were trained on.
  void drop_oldest(std::size_t n);

  // The ids of everything removed since the last call, without lost ones: to be released.
  std::vector<RolloutId> take_released() { return std::exchange(released_, {}); }

  template <class V>
  void state(V& v) {
    v(groups_);
    v(released_);
    v(expired_);
  }

 private:
  std::vector<Group> groups_;
  Spares<Group> spares_;
  std::vector<RolloutId> released_;
  std::uint64_t expired_ = 0;
};

}  // namespace allot
