// How difficult the puzzles of a task are, and how many of each difficulty there are.
//
// Allocation matters only if pass rates spread from 0 to 1. A task therefore has a whole number as
// its level (digits, operations, numbers), and the mixture of levels is an option.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "allot/core/options.h"

namespace allot {

struct Levels {
  int min = 1, max = 1;         // both ends included
  std::vector<double> weights;  // relative share of each level min .. max; empty: equal shares
  Range limits;                 // of min and max: what keeps prompts and responses short

  template <class V>
  void fields(V& v) {
    v("min", min, limits, "easiest level");
    v("max", max, limits, "hardest level");
    v("weights", weights, Range{0, 1e6},
      "relative share of each level from min to max; empty = equal shares");
  }
  // Throws Error(Config) naming `key`: min above max, a wrong number of weights, no positive one.
  void validate(const std::string& key) const;

  // How many of `total` puzzles fall to each level min .. max, by largest remainders (ties: the
  // easier level), so the shares are exact to one puzzle. [max - min + 1], adds up to `total`.
  std::vector<int> quotas(int total) const;
};

struct SetSizes {
  int train = 2000, test = 1000;
  std::uint64_t seed = 0;

  template <class V>
  void fields(V& v) {
    v("train", train, Range{1, 1e6}, "prompts in the training set");
    v("test", test, Range{1, 1e6}, "prompts in the held-out set");
    v("seed", seed, Range{0, 1e12},
      "which puzzles are drawn; train.seed changes only their order, so runs stay comparable");
  }
};

}  // namespace allot
