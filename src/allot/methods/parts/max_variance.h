// The subset of given size whose rewards have the largest variance (PODS, arXiv 2504.13818).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace allot {

struct VarianceSubset {
  std::vector<std::uint32_t> kept;  // indices into the rewards, ascending
  std::uint32_t from_top = 0;       // how many of them are the largest rewards
};

// min(m, n) of the n rewards. The optimum is always the k largest and the m - k smallest; ties
// among rewards keep their order (the first of the equal ones counts as larger), ties among k take
// the smallest. O(n log n).
VarianceSubset max_variance_subset(std::span<const double> rewards, std::uint32_t m);

}  // namespace allot
