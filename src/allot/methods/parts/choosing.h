// How a method chooses among the candidates of a step, before any rollout.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/random.h"
#include "allot/core/types.h"

namespace allot {

// The stream of a choice about one prompt within one step. It shares no number with
// selection_stream(), so that a method that chooses prompts and one that selects rollouts can work
// together.
RandomStream choice_stream(std::uint64_t seed, std::uint64_t step, PromptId prompt);

// Positions of the min(wanted, size) values with the smallest distance to [low, high], nearest
// first. Equal distances (0 for all inside) are ordered by `ties`, which has one number per value
// or is empty, then by position. O(size log size).
std::vector<std::uint32_t> nearest_to(std::span<const double> values, double low, double high,
                                      std::uint32_t wanted, std::span<const double> ties = {});

}  // namespace allot
