// The effective gradient scale of the estimators, by exact enumeration (contract, section 9).
//
// An entry is E[gradient] / grad p of one prompt that is answered right with probability p by a
// policy with one logit: 1 means unbiased for the pass rate, and methods with different rows train
// on different objectives at the same number of rollouts.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace allot {

struct ScaleRow {
  std::string label;           // what is special about it, e.g. "GRPO n = 8, std ddof 1"
  std::string method;          // as in alloc.method
  std::string settings;        // "key=value key=value", as for --set
  std::vector<double> values;  // at the given pass rates
};

// The pass rates of the contract's columns.
std::span<const double> scale_rates();

// All rows at these pass rates in (0, 1). Enumerated anew at each call: below a second.
std::vector<ScaleRow> scale_table(std::span<const double> rates);

}  // namespace allot
