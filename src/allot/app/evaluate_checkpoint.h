// `allot eval`: the held-out accuracy of a checkpoint, or of the model that runs start from.
#pragma once

#include <array>
#include <atomic>
#include <string>
#include <vector>

#include "allot/app/config.h"
#include "allot/app/run_world.h"
#include "allot/loop/evaluate.h"

namespace allot {

struct CheckpointEvaluation {
  std::string checkpoint, task;
  std::vector<int> k;
  // As RunWorld::evaluate() returns them, "test" first if it is there; the last one is incomplete
  // where it was stopped. Empty: stopped during the warm start.
  std::vector<NamedEvaluation> sets;

  bool complete() const { return !sets.empty() && sets.back().result.complete; }
  bool has_test() const { return !sets.empty() && sets.front().set == "test"; }
};

// `path`: a checkpoint folder, a run folder (its newest checkpoint), or a folder with a model; ""
// is the starting point of the configuration (warm-started if it says so).
CheckpointEvaluation evaluate_checkpoint(const RunConfig& config, const std::string& path,
                                         Recorder& console, const std::atomic<bool>& stop,
                                         const SampleSink& sink = {},
                                         EvaluatedSets which = EvaluatedSets::All);

// Shares of prompts by pass rate: below .1, .1 to .2, .2 to .8, .8 to .9, above .9. Allocation can
// only matter where all three of the first, the middle and the last are large.
std::array<double, 5> pass_rate_shares(const EvalResult& result);

std::string evaluation_text(const CheckpointEvaluation& evaluation);
// {"checkpoint", "task", "prompts", "group_size", "pass@1", "pass@K".., "avg@N", ..,
//  "sets": {NAME: {"prompts", ..}}}: the run's own held-out prompts, then all the other sets.
std::string evaluation_json(const CheckpointEvaluation& evaluation);

}  // namespace allot
