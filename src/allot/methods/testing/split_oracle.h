// The best split of a budget by dynamic programme: the oracle of the heap planner.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "allot/methods/parts/heap_planner.h"

namespace allot::testing {

// The largest sum of value(i, n_i) with n_i within `bounds` and sum n_i = budget; -infinity if
// there is no such split. O(prompts * budget * (most - least)).
inline double best_split_value(const std::function<double(std::size_t i, std::uint32_t n)>& value,
                               std::size_t prompts, PerPrompt bounds, std::uint64_t budget) {
  std::vector<double> best(budget + 1, -INFINITY);  // of the prompts so far, by rollouts spent
  best[0] = 0;
  for (std::size_t i = 0; i < prompts; ++i) {
    std::vector<double> next(budget + 1, -INFINITY);
    for (std::uint64_t spent = 0; spent <= budget; ++spent)
      for (std::uint32_t n = bounds.least; n <= bounds.most && spent + n <= budget; ++n)
        next[spent + n] = std::max(next[spent + n], best[spent] + value(i, n));
    best = std::move(next);
  }
  return best[budget];
}

}  // namespace allot::testing
