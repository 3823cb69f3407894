#include "allot/store/trainer_state.h"

#include <algorithm>
#include <map>
#include <vector>

#include <nlohmann/json.hpp>

#include "allot/store/metric_aliases.h"

namespace allot {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kMostEntries = 1000;

// {"step", "epoch", TRL's names of the metrics}, for each step that is logged.
std::map<std::uint64_t, ordered_json> logged_steps(const SqliteConnection& run, int every) {
  std::map<std::uint64_t, std::vector<Metric>> steps;
  SqliteStatement rows = run.prepare(
      "SELECT step, name, value FROM metrics WHERE (step + 1) % ?1 = 0 AND value IS NOT NULL AND "
      "step > (SELECT coalesce(max(step), 0) FROM steps) - ?1 * ?2 ORDER BY step, name");
  rows.start(every, static_cast<std::uint64_t>(kMostEntries));
  while (rows.next()) steps[rows.count(0) + 1].push_back({rows.text(1), rows.real(2)});
  std::map<std::uint64_t, ordered_json> entries;
  for (auto& [step, metrics] : steps) {
    const std::size_t own = metrics.size();
    add_aliases(metrics, {"trl"});
    ordered_json entry = ordered_json::object();
    for (std::size_t i = own; i < metrics.size(); ++i) entry[metrics[i].name] = metrics[i].value;
    entry["step"] = step;
    entries[step] = std::move(entry);
  }
  return entries;
}

ordered_json evaluation_entry(const SqliteStatement& row) {
  return {{"eval_reward", row.real(1)}, {"eval_pass@1", row.real(2)}, {"step", row.count(0)}};
}

ordered_json log_history(const SqliteConnection& run, int every) {
  std::multimap<std::uint64_t, ordered_json> entries;  // evaluations behind the step they follow
  for (auto& [step, entry] : logged_steps(run, every)) entries.emplace(step, std::move(entry));
  SqliteStatement rows = run.prepare(
      "SELECT step, mean_reward, pass_at_1 FROM evaluations WHERE name = 'test' ORDER BY step");
  while (rows.next()) entries.emplace(rows.count(0), evaluation_entry(rows));
  ordered_json history = ordered_json::array();
  std::size_t skip = entries.size() - std::min(entries.size(), kMostEntries);
  for (auto& [step, entry] : entries) {
    if (skip > 0)
      --skip;
    else
      history.push_back(std::move(entry));
  }
  return history;
}

}  // namespace

std::string trainer_state_json(const SqliteConnection& run, std::uint64_t step,
                               const TrainerFacts& facts) {
  SqliteStatement epoch = run.prepare(
      "SELECT value FROM metrics WHERE name = 'train/epoch' ORDER BY step DESC LIMIT 1");
  const ordered_json state = {
      {"best_global_step", nullptr},
      {"best_metric", nullptr},
      {"best_model_checkpoint", nullptr},
      {"epoch", epoch.next() ? epoch.real(0) : 0.0},
      {"eval_steps", facts.eval_every},
      {"global_step", step},
      {"is_hyper_param_search", false},
      {"is_local_process_zero", true},
      {"is_world_process_zero", true},
      {"log_history", log_history(run, facts.log_every)},
      {"logging_steps", facts.log_every},
      {"max_steps", facts.max_steps},
      {"num_input_tokens_seen",
       run.integer("SELECT prefilled + generated FROM steps ORDER BY step DESC LIMIT 1")},
      {"num_train_epochs", 1},
      {"save_steps", facts.save_every},
      {"stateful_callbacks", ordered_json::object()},
      {"total_flos", 0},
      {"train_batch_size", nullptr},
      {"trial_name", nullptr},
      {"trial_params", nullptr}};
  return state.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace allot
