// What a run would do: everything is loaded, the first step is planned, nothing is generated.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "allot/app/config.h"
#include "allot/app/memory_check.h"
#include "allot/app/starting_point.h"

namespace allot {

struct DryRun {
  std::string method, model;
  bool is_warm = false;  // the model is the cached one of the warm start, or one that was loaded
  std::size_t train_prompts = 0, test_prompts = 0;

  // The first requests of step 0.
  std::size_t prompts = 0;
  std::uint64_t rollouts = 0;
  std::uint32_t fewest = 0, most = 0;  // per prompt
  std::uint32_t refill = 0;            // further prompts wanted before anything is generated
  std::vector<std::string> first_keys;

  // Batch arithmetic.
  std::uint64_t prompts_per_step = 0, group_size = 0, budget_rollouts = 0;
  std::uint64_t budget_tokens = 0;       // 0: none
  std::uint64_t minibatch_rollouts = 0;  // 0: one update of all
  std::uint64_t updates = 0;             // per step, when all rollouts of the budget are trained on
  std::uint32_t longest_response = 0;

  RunMemory memory;
  std::uint64_t available_memory = 0;  // 0: unknown

  std::vector<std::string> notices, warnings;  // those that the run would begin with
};

// Errors are those that the run itself would end with.
DryRun dry_run(const RunConfig& config);

std::string dry_run_text(const DryRun& run);
std::string dry_run_json(const DryRun& run);

}  // namespace allot
