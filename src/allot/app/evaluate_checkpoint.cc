#include "allot/app/evaluate_checkpoint.h"

#include <cmath>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/report/text_table.h"
#include "allot/store/run_folder.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

void warn(Recorder& console, const std::vector<std::string>& warnings) {
  for (const std::string& text : warnings) console.event({Severity::Warning, "data", text, 0});
}

std::string model_folder(const std::string& path, Recorder& console) {
  if (RunFolder::is_run(path)) {
    const CheckpointList list = list_checkpoints(path);
    warn(console, list.warnings);
    if (list.complete.empty())
      throw Error(ErrorKind::Model, path, "this run has no complete checkpoint; one is needed");
    return list.complete.back().path.string();
  }
  if (!fs::exists(fs::path(path) / "config.json") && !lm::LoraAdapter::is_adapter(path))
    throw Error(ErrorKind::Model, path,
                "no model was found there; a checkpoint or run folder is needed",
                "runs/NAME/checkpoint-N, or runs/NAME for the newest");
  return path;
}

std::string percent(double share) { return concat(std::round(share * 1000) / 10, " %"); }

}  // namespace

CheckpointEvaluation evaluate_checkpoint(const RunConfig& config, const std::string& path,
                                         Recorder& console, const std::atomic<bool>& stop,
                                         const SampleSink& sink, EvaluatedSets which) {
  if (which == EvaluatedSets::WithoutTest && config.eval.sets.empty())
    throw Error(ErrorKind::Config, "--only_sets", "eval.sets is empty; a file is needed",
                "--set eval.sets=[math500.jsonl]");
  RunConfig loaded = config;
  loaded.sampler.model = SamplerModel::Trained;  // nothing is trained: no policy beside the model
  loaded.sampler.refresh_every = 1;
  loaded.loss = {};
  loaded.train.prompts_per_step = 1;
  if (loaded.data.train.empty()) loaded.data.train = loaded.data.eval;
  if (!path.empty()) {
    loaded.model = {};
    loaded.model.path = model_folder(path, console);
    loaded.model.device = config.model.device;
    loaded.model.dtype = config.model.dtype;
    loaded.warm_start.steps = 0;
  }
  CheckpointEvaluation evaluation{
      path.empty() ? "starting point" : loaded.model.path, config.data.task, config.eval.k, {}};
  const auto start = starting_point(loaded, console, stop);
  if (!start) return evaluation;
  RunWorld world(loaded, *start, stop);
  warn(console, world.notes().warnings);
  evaluation.sets = world.evaluate(console, sink, which);
  return evaluation;
}

std::array<double, 5> pass_rate_shares(const EvalResult& result) {
  std::array<double, 5> shares{};
  for (const std::uint32_t correct : result.correct) {
    const double rate = static_cast<double>(correct) / result.group_size;
    const std::size_t bin = rate < 0.1 ? 0 : rate < 0.2 ? 1 : rate <= 0.8 ? 2 : rate <= 0.9 ? 3 : 4;
    shares[bin] += 1.0 / static_cast<double>(result.prompts);
  }
  return shares;
}

namespace {

std::string prompts_by_pass_rate(const EvalResult& result) {
  const auto shares = pass_rate_shares(result);
  return concat("  prompts by pass rate: below .1 ", percent(shares[0]), ", .1 to .2 ",
                percent(shares[1]), ", .2 to .8 ", percent(shares[2]), ", .8 to .9 ",
                percent(shares[3]), ", above .9 ", percent(shares[4]), "\n");
}

// One set per row, the flexible profile beside the strict one.
TextTable table_of(const CheckpointEvaluation& evaluation) {
  TextTable table;
  const std::uint32_t group = evaluation.sets.front().result.group_size;
  table.header = {"set", "prompts", "pass@1", "flexible"};
  for (const int k : evaluation.k)
    if (k > 1) table.header.push_back(concat("pass@", k));
  if (group > 1) table.header.push_back(concat("avg@", group));
  table.header.insert(table.header.end(), {"no answer", "truncated", "tokens"});
  const auto is_flexible = [&](std::size_t i) {
    return i < evaluation.sets.size() && evaluation.sets[i].set.ends_with("/flexible");
  };
  for (std::size_t i = 0; i < evaluation.sets.size(); ++i) {
    if (is_flexible(i)) continue;
    const auto& [set, r] = evaluation.sets[i];
    std::vector<std::string> row = {
        set, std::to_string(r.prompts), percent(r.pass_at_1),
        is_flexible(i + 1) ? percent(evaluation.sets[i + 1].result.pass_at_1) : ""};
    for (std::size_t k = 0; k < evaluation.k.size(); ++k)
      if (evaluation.k[k] > 1) row.push_back(percent(r.pass_at_k[k]));
    if (group > 1) row.push_back(percent(r.pass_at_1));
    row.insert(row.end(), {percent(r.no_answer_share), percent(r.truncated_share),
                           std::to_string(std::lround(r.mean_tokens))});
    table.rows.push_back(std::move(row));
  }
  return table;
}

nlohmann::ordered_json json_of(const EvalResult& r, const std::vector<int>& ks) {
  nlohmann::ordered_json object = {
      {"prompts", r.prompts}, {"group_size", r.group_size}, {"pass@1", r.pass_at_1}};
  for (std::size_t i = 0; i < ks.size(); ++i) object[concat("pass@", ks[i])] = r.pass_at_k[i];
  object[concat("avg@", r.group_size)] = r.pass_at_1;
  object["pass_rate_shares"] = pass_rate_shares(r);
  object["mean_reward"] = r.mean_reward;
  object["mean_tokens"] = r.mean_tokens;
  object["truncated_share"] = r.truncated_share;
  object["no_answer_share"] = r.no_answer_share;
  return object;
}

}  // namespace

std::string evaluation_text(const CheckpointEvaluation& evaluation) {
  const EvalResult& r = evaluation.sets.front().result;
  std::string text = concat(evaluation.checkpoint, "\n");
  if (evaluation.has_test())
    text += concat(evaluation.task, ": ", r.prompts, " held-out prompts, ", r.group_size,
                   " responses each\n");
  if (evaluation.sets.size() > 1 || !evaluation.has_test()) {
    text += plain_text(table_of(evaluation));
  } else {
    text += concat("  pass@1  ", percent(r.pass_at_1), "\n");
    for (std::size_t i = 0; i < evaluation.k.size(); ++i)
      if (evaluation.k[i] > 1)
        text += concat("  pass@", evaluation.k[i], "  ", percent(r.pass_at_k[i]), "\n");
    if (r.group_size > 1) text += concat("  avg@", r.group_size, "  ", percent(r.pass_at_1), "\n");
  }
  if (r.group_size > 1) text += prompts_by_pass_rate(r);
  return text + concat("  mean response ", std::round(r.mean_tokens * 10) / 10, " tokens, ",
                       percent(r.truncated_share), " truncated, ", percent(r.no_answer_share),
                       " without an answer");
}

std::string evaluation_json(const CheckpointEvaluation& evaluation) {
  nlohmann::ordered_json object = {{"checkpoint", evaluation.checkpoint},
                                   {"task", evaluation.task}};
  if (evaluation.has_test()) object.update(json_of(evaluation.sets.front().result, evaluation.k));
  nlohmann::ordered_json sets = nlohmann::ordered_json::object();
  for (std::size_t i = evaluation.has_test() ? 1 : 0; i < evaluation.sets.size(); ++i)
    sets[evaluation.sets[i].set] = json_of(evaluation.sets[i].result, evaluation.k);
  if (!sets.empty()) object["sets"] = sets;
  return object.dump();
}

}  // namespace allot
