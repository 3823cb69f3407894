// What is compared: every method, in every combination of the grid's values.
//
//   compare: {methods: [grpo, aero], grid: ["alloc.group_size=4|8", "optim.lr=1e-4|2e-4"]}
//
// are eight arms: "grpo-group_size=4-lr=1e-4", "grpo-group_size=4-lr=2e-4", ...
#pragma once

#include <string>
#include <vector>

#include "allot/app/config.h"

namespace allot {

struct CompareArm {
  std::string name;  // of its run folders, before "-sSEED"; the method's without a grid
  RunConfig config;  // of all its runs but for train.seed
};

// In the order of compare.methods, then of the grid; the last entry of the grid changes fastest.
// Throws Error(Config): an entry that is not key=value|value, a key that all compared runs share
// (model, data, evaluation), a value that its key refuses, two arms of one name, more than
// kMostArms.
inline constexpr std::size_t kMostArms = 256;
std::vector<CompareArm> compare_arms(const RunConfig& base);

}  // namespace allot
