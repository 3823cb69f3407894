// `allot eval`: the held-out accuracy of a checkpoint; changes nothing.
#pragma once

#include <atomic>
#include <string>

#include "allot/app/config.h"
#include "allot/loop/evaluate.h"

namespace allot {

struct CheckpointEvaluation {
  std::string checkpoint, task;
  std::vector<int> k;
  EvalResult result;
};

// `path`: a checkpoint folder, a run folder (its newest checkpoint), or a folder with a model.
CheckpointEvaluation evaluate_checkpoint(const RunConfig& config, const std::string& path,
                                         Recorder& console, const std::atomic<bool>& stop);

std::string evaluation_text(const CheckpointEvaluation& evaluation);
// {"checkpoint", "task", "prompts", "group_size", "pass@1", "pass@K".., "avg@N", ...}
std::string evaluation_json(const CheckpointEvaluation& evaluation);

}  // namespace allot
