#include "allot/app/evaluate_checkpoint.h"

#include <cmath>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "allot/app/run_world.h"
#include "allot/core/error.h"
#include "allot/store/run_folder.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

std::string model_folder(const std::string& path) {
  if (RunFolder::is_run(path)) {
    const CheckpointList list = list_checkpoints(path);
    if (list.complete.empty())
      throw Error(ErrorKind::Model, path, "this run has no complete checkpoint; one is needed");
    return list.complete.back().path.string();
  }
  if (!fs::exists(fs::path(path) / "model.safetensors"))
    throw Error(ErrorKind::Model, path,
                "no model was found there; a checkpoint or run folder is needed",
                "runs/NAME/checkpoint-N, or runs/NAME for the newest");
  return path;
}

std::string percent(double share) { return concat(std::round(share * 1000) / 10, " %"); }

}  // namespace

CheckpointEvaluation evaluate_checkpoint(const RunConfig& config, const std::string& path,
                                         Recorder& console, const std::atomic<bool>& stop) {
  const std::string folder = model_folder(path);
  RunConfig loaded = config;
  loaded.model = {};
  loaded.model.path = folder;
  loaded.model.device = config.model.device;
  loaded.warm_start.steps = 0;
  const auto start = starting_point(loaded, console, stop);
  RunWorld world(loaded, *start, stop);
  return {folder, config.data.task, config.eval.k, world.evaluate(console)};
}

std::string evaluation_text(const CheckpointEvaluation& evaluation) {
  const EvalResult& r = evaluation.result;
  std::string text =
      concat(evaluation.checkpoint, "\n", evaluation.task, ": ", r.prompts, " held-out prompts, ",
             r.group_size, " responses each\n  pass@1  ", percent(r.pass_at_1), "\n");
  for (std::size_t i = 0; i < evaluation.k.size(); ++i)
    if (evaluation.k[i] > 1)
      text += concat("  pass@", evaluation.k[i], "  ", percent(r.pass_at_k[i]), "\n");
  if (r.group_size > 1) text += concat("  avg@", r.group_size, "  ", percent(r.pass_at_1), "\n");
  return text + concat("  mean response ", std::round(r.mean_tokens * 10) / 10, " tokens, ",
                       percent(r.truncated_share), " truncated, ", percent(r.no_answer_share),
                       " without an answer");
}

std::string evaluation_json(const CheckpointEvaluation& evaluation) {
  const EvalResult& r = evaluation.result;
  nlohmann::ordered_json object = {{"checkpoint", evaluation.checkpoint},
                                   {"task", evaluation.task},
                                   {"prompts", r.prompts},
                                   {"group_size", r.group_size},
                                   {"pass@1", r.pass_at_1}};
  for (std::size_t i = 0; i < evaluation.k.size(); ++i)
    object[concat("pass@", evaluation.k[i])] = r.pass_at_k[i];
  object[concat("avg@", r.group_size)] = r.pass_at_1;
  object["mean_reward"] = r.mean_reward;
  object["mean_tokens"] = r.mean_tokens;
  object["truncated_share"] = r.truncated_share;
  object["no_answer_share"] = r.no_answer_share;
  return object.dump();
}

}  // namespace allot
