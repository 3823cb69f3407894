// Several methods on the same prompts, from the same model, with the same budget.
//
// The first method runs train.max_steps steps; what it spent, seed by seed, is what every other
// method may spend (--equal: compute, generated tokens, rollouts or steps). A run ends with the
// step that reaches the budget. compare.settings gives a method settings of its own. Runs are
// folders of their own and continue where they stopped.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "allot/app/train.h"
#include "allot/report/comparison.h"

namespace allot {

struct CompareRequest {
  RunConfig config;
  std::string given;
  std::filesystem::path folder;  // runs/NAME
  bool fresh = false;
};

struct CompareResult {
  bool interrupted = false;
  std::filesystem::path folder, report;
  Comparison comparison;  // of the runs there are
};

// Tells the console before each run: called with "aero, seed 0" and the number of steps (0: until
// the budget is spent).
using BeginRun = std::function<void(const std::string& name, std::uint64_t steps)>;

CompareResult compare(const CompareRequest& request, const StartingPoint& start,
                      const Services& services, const BeginRun& begin_run);

}  // namespace allot
