// Which rollouts of a group are trained on. All return positions in ascending (issue) order and
// draw, where they draw, uniformly from a stream that depends only on (seed, step, prompt).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/random.h"
#include "allot/core/types.h"

namespace allot {

using Positions = std::vector<std::uint32_t>;

// What a range such as Group::scored() walks through.
template <class Range>
Positions positions(const Range& range) {
  Positions out;
  out.reserve(range.size());
  for (const std::uint32_t i : range) out.push_back(i);
  return out;
}

// The stream of one prompt's selection within one step.
RandomStream selection_stream(std::uint64_t seed, std::uint64_t step, PromptId prompt);

// min(k, size) of `positions`.
Positions random_subset(std::span<const std::uint32_t> positions, std::uint32_t k,
                        RandomStream stream);

// All of `correct` and min(wrong_per_correct * |correct|, |wrong|) of `wrong`. AERO's rejection.
Positions keep_correct_and_some_wrong(std::span<const std::uint32_t> correct,
                                      std::span<const std::uint32_t> wrong,
                                      std::uint32_t wrong_per_correct, RandomStream stream);

// The first n/2 of `correct` and the first n - n/2 of `wrong`; a side that is too short is filled
// up from the other. At most n in all.
Positions balanced_firsts(std::span<const std::uint32_t> correct,
                          std::span<const std::uint32_t> wrong, std::uint32_t n);

}  // namespace allot
