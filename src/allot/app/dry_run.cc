#include "allot/app/dry_run.h"

#include <algorithm>
#include <atomic>
#include <map>

#include <nlohmann/json.hpp>

#include "allot/app/check_data.h"
#include "allot/app/objective_setup.h"
#include "allot/app/run_world.h"
#include "allot/core/error.h"

namespace allot {
namespace {

constexpr std::size_t kKeysShown = 3;

void describe_plan(DryRun& run, const Plan& plan, const Task& task) {
  std::map<PromptId, std::uint32_t> sizes;
  for (const Issued& issued : plan.generate) {
    if (!sizes.contains(issued.prompt) && run.first_keys.size() < kKeysShown)
      run.first_keys.push_back(task.train->get(issued.prompt).key);
    sizes[issued.prompt] += issued.n;
    run.rollouts += issued.n;
  }
  run.prompts = sizes.size();
  run.refill = plan.refill;
  for (const auto& [prompt, n] : sizes) {
    run.fewest = run.fewest == 0 ? n : std::min(run.fewest, n);
    run.most = std::max(run.most, n);
  }
}

std::string megabytes_of(std::uint64_t bytes) {
  return concat(static_cast<double>(bytes / 10000) / 100, " MB");
}

}  // namespace

DryRun dry_run(const RunConfig& config) {
  const auto start = cold_starting_point(config);
  const std::atomic<bool> never = false;
  RunWorld world(config, *start, never);
  DryRun run;
  run.method = config.alloc.method;
  run.model = world.model_summary();
  run.is_warm = start->from_cache || config.warm_start.steps == 0;
  run.train_prompts = world.task().train->size();
  run.test_prompts = world.task().test->size();
  const Budget budget = world.budget();
  run.prompts_per_step = budget.groups;
  run.group_size = static_cast<std::uint64_t>(config.alloc.group_size);
  run.budget_rollouts = budget.rollouts;
  run.budget_tokens = budget.tokens;
  run.longest_response = budget.max_tokens;
  run.minibatch_rollouts = static_cast<std::uint64_t>(config.learner.minibatch_rows);
  const std::uint64_t per_update = run.minibatch_rollouts > 0
                                       ? std::min(run.minibatch_rollouts, run.budget_rollouts)
                                       : run.budget_rollouts;
  run.updates = per_update == 0
                    ? 0
                    : (run.budget_rollouts + per_update - 1) / per_update *
                          static_cast<std::uint64_t>(config.learner.updates_per_rollout);
  run.memory =
      run_memory(config, start->model.config(), run_shape(config, world.task(), *start->tokenizer));
  run.available_memory = available_memory();
  FileNotes notes = world.notes();
  run.notices = std::move(notes.notices);
  run.warnings = std::move(notes.warnings);
  for (std::string& warning : objective_warnings(config))
    run.warnings.push_back(std::move(warning));
  describe_plan(run, world.open_step(), world.task());
  return run;
}

std::string dry_run_text(const DryRun& run) {
  std::string first;
  for (const std::string& key : run.first_keys) first += (first.empty() ? "" : ", ") + key;
  std::string text = "plan of step 0; nothing was generated\n";
  const auto line = [&](const char* name, const std::string& value) {
    text += concat("  ", name, std::string(10 - std::string_view(name).size(), ' '), value, "\n");
  };
  line("method", run.method);
  line("model", concat(run.model, run.is_warm ? "" : ", as it is before the warm start"));
  line("data", concat(run.train_prompts, " training prompts, ", run.test_prompts, " held out"));
  line("prompts", run.prompts == 0 ? concat("asks for ", run.refill, " candidates first")
                                   : concat(run.prompts, " asked, the first: ", first));
  line("rollouts",
       concat(run.rollouts, " in the first round, ", run.fewest, " to ", run.most, " per prompt"));
  line("budget", concat(run.prompts_per_step, " prompts x ", run.group_size, " = ",
                        run.prompts_per_step * run.group_size, " rollouts a step; aimed at ",
                        run.budget_rollouts,
                        run.budget_tokens > 0 ? concat(" and ", run.budget_tokens, " tokens") : "",
                        "; at most ", run.longest_response, " tokens each"));
  line("updates", concat(run.updates, " a step when all rollouts are trained on, of ",
                         run.minibatch_rollouts > 0 ? std::to_string(run.minibatch_rollouts)
                                                    : std::string("all"),
                         " rollouts"));
  const RunMemory& m = run.memory;
  line("memory",
       concat("about ", megabytes_of(m.total()), " at the peak, the program's own 150 MB on ",
              "top; ", run.available_memory == 0 ? "unknown" : megabytes_of(run.available_memory),
              " available"));
  line("training", concat("weights ", megabytes_of(m.weights), ", optimizer ",
                          megabytes_of(m.moments), ", gradients ", megabytes_of(m.gradients),
                          ", activations ", megabytes_of(m.activations)));
  line("sampling", m.caches == 0 ? std::string("by a server")
                                 : concat("packed weights ", megabytes_of(m.packed),
                                          ", keys, values and scratch ", megabytes_of(m.caches)));
  for (const std::string& notice : run.notices) line("read", notice);
  for (const std::string& warning : run.warnings) line("warning", warning);
  return text;
}

std::string dry_run_json(const DryRun& run) {
  return nlohmann::ordered_json{{"method", run.method},
                                {"model", run.model},
                                {"warm", run.is_warm},
                                {"train_prompts", run.train_prompts},
                                {"test_prompts", run.test_prompts},
                                {"first_round",
                                 {{"prompts", run.prompts},
                                  {"rollouts", run.rollouts},
                                  {"fewest", run.fewest},
                                  {"most", run.most},
                                  {"refill", run.refill},
                                  {"first_keys", run.first_keys}}},
                                {"step",
                                 {{"prompts", run.prompts_per_step},
                                  {"group_size", run.group_size},
                                  {"rollouts", run.budget_rollouts},
                                  {"tokens", run.budget_tokens},
                                  {"longest_response", run.longest_response},
                                  {"updates", run.updates}}},
                                {"bytes",
                                 {{"peak", run.memory.total()},
                                  {"weights", run.memory.weights},
                                  {"gradients", run.memory.gradients},
                                  {"optimizer", run.memory.moments},
                                  {"packed", run.memory.packed},
                                  {"activations", run.memory.activations},
                                  {"cache", run.memory.caches},
                                  {"available", run.available_memory}}},
                                {"notices", run.notices},
                                {"warnings", run.warnings}}
      .dump();
}

}  // namespace allot
