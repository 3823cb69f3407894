#include "allot/app/dry_run.h"

#include <algorithm>
#include <atomic>
#include <map>

#include <nlohmann/json.hpp>

#include "allot/app/check_data.h"
#include "allot/app/run_world.h"
#include "allot/core/error.h"

namespace allot {
namespace {

constexpr std::size_t kKeysShown = 3;

std::size_t longest_prompt(const RunWorld& world) {
  std::size_t longest = 0;
  for (const PromptId id : world.task().train->ids())
    longest = std::max(longest, world.encode(world.task().train->get(id).text).size());
  return longest;
}

void estimate_memory(DryRun& run, const lm::Model& model, const RunConfig& config,
                     std::size_t prompt_tokens) {
  const LearnerOptions& learner = config.learner;
  // Responses of a micro-batch; prompts of whole groups are computed once each.
  const auto responses = static_cast<std::int64_t>(
      std::min<std::uint64_t>(static_cast<std::uint64_t>(learner.micro_rollouts),
                              std::max<std::uint64_t>(1, run.budget_rollouts)));
  const auto group = static_cast<std::int64_t>(std::max<std::uint64_t>(1, run.group_size));
  const std::int64_t prompts = (responses + group - 1) / group;
  const std::int64_t rows =
      responses * run.longest_response + prompts * static_cast<std::int64_t>(prompt_tokens);
  run.training = training_memory(model.config(),
                                 {rows, learner.shards, std::min(learner.workers, learner.shards)});
  if (config.sampler.engine != EngineKind::Local) return;
  run.generation = lm::estimate_generation_memory(
      model.config(), model.dtype(),
      {config.engine.workers, config.engine.slots, config.engine.dtype},
      {run.budget_rollouts, static_cast<std::uint32_t>(group), static_cast<int>(prompt_tokens),
       static_cast<int>(run.longest_response)});
}

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

std::string megabytes(std::uint64_t bytes) {
  return concat(static_cast<double>(bytes / 10000) / 100, " MB");
}

// What generation needs beside the weights that it shares with training.
std::uint64_t own_bytes(const lm::GenerationMemory& memory) {
  return memory.total() - memory.weights;
}

}  // namespace

std::uint64_t DryRun::peak_bytes() const {
  const auto weights = static_cast<std::uint64_t>(training.weights);
  const auto moments = static_cast<std::uint64_t>(training.moments);
  return std::max(
      static_cast<std::uint64_t>(training.total()) + generation.rounded + generation.packed,
      weights + moments + own_bytes(generation));
}

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
  estimate_memory(run, start->model, config, longest_prompt(world));
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
  const TrainingMemory& training = run.training;
  const auto bytes = [](std::int64_t n) { return megabytes(static_cast<std::uint64_t>(n)); };
  line("memory", concat("about ", megabytes(run.peak_bytes()),
                        " at the peak, the program's own 150 MB on top"));
  line("training",
       concat("weights ", bytes(training.weights), ", gradients ", bytes(training.gradients),
              ", moments ", bytes(training.moments), ", activations ", bytes(training.activations),
              ", scratch ", bytes(training.scratch)));
  line("sampling", run.generation.total() == 0
                       ? std::string("by a server")
                       : concat("packed weights ", megabytes(run.generation.packed),
                                ", keys and values ", megabytes(run.generation.caches),
                                ", scratch ", megabytes(run.generation.scratch)));
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
                                 {{"peak", run.peak_bytes()},
                                  {"weights", run.training.weights},
                                  {"gradients", run.training.gradients},
                                  {"moments", run.training.moments},
                                  {"activations", run.training.activations},
                                  {"training_scratch", run.training.scratch},
                                  {"packed_weights", run.generation.packed},
                                  {"keys_and_values", run.generation.caches},
                                  {"generation_scratch", run.generation.scratch}}}}
      .dump();
}

}  // namespace allot
