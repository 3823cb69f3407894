// Which rollouts of a step are stored with their text.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace allot {

// Indices of at most `count` of the rollouts, ascending. `kinds`: the kind of each, in issue order,
// from 0. Kinds take turns, so that a rare one is seen, and those of one kind are evenly spaced, so
// that they come from different prompts.
std::vector<std::size_t> kept_texts(std::span<const std::size_t> kinds, std::size_t count);

}  // namespace allot
