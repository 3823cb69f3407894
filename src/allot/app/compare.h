// Several methods on the same prompts, from the same model, with the same budget.
//
// The first arm (app/compare_arms.h) runs train.max_steps steps; what it spent, seed by seed, is
// what every other arm may spend (compare.equal: compute, generated tokens, rollouts, seconds of
// training or steps). A run ends with the step that reaches the budget.
//
// Resumable as a whole: every run is a folder of its own that continues where it stopped, a
// finished one is left alone, and the budgets follow from the finished reference runs. Seeds do not
// depend on each other, so that each can be a process of its own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "allot/app/compare_arms.h"
#include "allot/app/train.h"
#include "allot/report/comparison.h"

namespace allot {

struct CompareRequest {
  RunConfig config;
  std::string given;
  std::filesystem::path folder;  // runs/NAME
};

// train.seed, and the compare.seeds - 1 numbers after it.
std::vector<std::uint64_t> compared_seeds(const RunConfig& config);

// Seeds to run at the same time: compare.processes, or as many as `processors` allow when each run
// uses its rollout.workers and train.workers; never more than there are seeds. With equal seconds
// one, unless compare.processes says otherwise: runs beside each other slow each other down.
int compared_at_once(const RunConfig& config, unsigned processors);

// Tells the console before each run: called with "aero, seed 0" and the number of steps (0: until
// the budget is spent).
using BeginRun = std::function<void(const std::string& name, std::uint64_t steps)>;

// All arms with one seed. False: interrupted; the same call goes on.
bool compare_seed(const CompareRequest& request, std::uint64_t seed, const StartingPoint& start,
                  const Services& services, const BeginRun& begin_run);

// The comparison of the runs there are, from their folders. Writes compare.json, compare.csv,
// compare.md and report.html beside them.
struct CompareResult {
  std::filesystem::path report;
  Comparison comparison;
};
CompareResult finish_comparison(const CompareRequest& request);

}  // namespace allot
