// Owns rollouts (tokens, log-probabilities, text) and their scores until the update is done, and
// beyond it what the method asked to hold. Source: contract, "Who owns tokens".
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "allot/core/types.h"
#include "allot/loop/engine.h"
#include "allot/loop/verifier.h"

namespace allot {

struct StoredRollout {
  Rollout rollout;
  Score score;
  std::uint64_t step = 0;  // that generated it
};

class RolloutStore {
 public:
  // Held rollouts beyond `max_held_bytes` evict the oldest.
  explicit RolloutStore(std::size_t max_held_bytes = std::size_t{256} << 20);

  void add(Rollout rollout, Score score, std::uint64_t step);
  bool contains(RolloutId id) const;
  const StoredRollout& get(RolloutId id) const;  // throws Error(Internal) for an unknown id
  std::vector<RolloutId> ids() const;            // ascending

  // After an update: keeps what was held before and is not released, plus `hold`; drops the rest.
  void end_step(std::span<const RolloutId> hold, std::span<const RolloutId> release);
  // Drops everything that is not held (an abandoned step).
  void drop_step();
  // Ids evicted since the last call.
  std::vector<RolloutId> take_lost();

  std::string save() const;  // held rollouts only
  void load(std::string_view blob);

 private:
  void evict();

  std::size_t max_held_bytes_;
  std::map<RolloutId, StoredRollout> rollouts_;
  std::map<RolloutId, std::size_t> held_;  // id -> bytes
  std::vector<RolloutId> lost_;
};

// The outcome record the Controller gets. `parts` refers to `stored`, which must outlive it.
Outcome outcome_of(const StoredRollout& stored);

}  // namespace allot
