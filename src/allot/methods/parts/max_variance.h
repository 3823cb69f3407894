// The subset of given size whose rewards have the largest variance (PODS, arXiv 2504.13818).
#pragma once

#include <cstdint>
#include <span>

#include "allot/methods/parts/ragged.h"

namespace allot {

// Adds a list: the indices of min(m, n) of the n rewards, ascending. Returns k, how many of them
// are the largest rewards: the optimum is always the k largest and the m - k smallest. Ties among
// rewards keep their order (the first of the equal ones counts as larger), ties among k take the
// smallest. O(n log n).
std::uint32_t add_max_variance_subset(std::span<const double> rewards, std::uint32_t m,
                                      Ragged<std::uint32_t>& kept);

}  // namespace allot
