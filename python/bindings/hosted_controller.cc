#include "bindings/hosted_controller.h"

#include <algorithm>
#include <cmath>

#include "allot/core/error.h"
#include "allot/core/state.h"

namespace allot::python {
namespace {

constexpr const char* kBlobName = "allot.python";
constexpr std::uint32_t kBlobVersion = 1;

ControllerOptions controller_options(const HostedOptions& options) {
  return {.method = options.alloc.method,
          .seed = options.seed,
          .host = options.host,
          .reward_resolution = options.adv.resolution,
          .data_size = options.data_size};
}

}  // namespace

struct HostedController::Saved {
  std::string controller;
  Memory memory;

  template <class V>
  void state(V& v) {
    v(controller);
    v(memory);
  }
};

HostedController::HostedController(HostedOptions options)
    : options_(std::move(options)),
      controller_(make_method(options_.alloc, options_.adv), controller_options(options_)) {}

std::unique_lock<std::mutex> HostedController::enter() const {
  std::unique_lock<std::mutex> lock(*inside_, std::try_to_lock);
  if (!lock)
    throw Error(ErrorKind::Internal, "controller",
                "another thread is inside this Controller; one thread at a time is needed");
  return lock;
}

std::uint32_t HostedController::groups_of(const GivenBudget& given, std::size_t prompts) const {
  if (given.groups) return static_cast<std::uint32_t>(*given.groups);
  const Needs& needs = controller_.needs();
  if (needs.draw == Draw::Pool || needs.candidate_factor == 0)
    throw Error(ErrorKind::Config, "Budget.groups",
                concat("None was given, and method '", controller_.method_name(), "' is shown ",
                       needs.draw == Draw::Pool ? "all prompts of the data set"
                                                : "its prompts by refill alone",
                       "; the number of groups wanted is needed"),
                "budget=allot.Budget(groups=64)");
  const double groups = static_cast<double>(prompts) / static_cast<double>(needs.candidate_factor);
  return static_cast<std::uint32_t>(std::max(prompts > 0 ? 1.0 : 0.0, std::round(groups)));
}

Budget HostedController::budget_of(const GivenBudget& given, std::size_t prompts) const {
  Budget budget = step_budget(options_.alloc, groups_of(given, prompts));
  if (given.rollouts) budget.rollouts = *given.rollouts;
  if (given.tokens) budget.tokens = *given.tokens;
  if (given.hard_rollouts) budget.hard_rollouts = given.hard_rollouts;
  if (given.hard_tokens) budget.hard_tokens = given.hard_tokens;
  if (given.run_rollouts) budget.run_rollouts = given.run_rollouts;
  if (given.run_steps) budget.run_steps = given.run_steps;
  if (given.n_min) budget.n_min = static_cast<std::uint32_t>(*given.n_min);
  if (given.n_max) budget.n_max = static_cast<std::uint32_t>(*given.n_max);
  if (given.max_tokens) budget.max_tokens = static_cast<std::uint32_t>(*given.max_tokens);
  return budget;
}

Plan HostedController::remembered(Plan plan) {
  for (const Issued& issued : plan.generate)
    memory_.asked.push_back({issued.first, issued.n, issued.prompt});
  return plan;
}

Plan HostedController::plan(std::span<const PromptRef> prompts,
                            const std::optional<GivenBudget>& given, std::optional<Version> policy,
                            std::span<const RolloutId> lost) {
  const Budget budget = budget_of(given.value_or(options_.budget), prompts.size());
  const Version version = policy.value_or(memory_.policy);
  Plan plan = controller_.plan(prompts, budget, version, lost);
  memory_.policy = memory_.step_policy = version;
  memory_.asked.clear();
  return remembered(std::move(plan));
}

std::optional<PromptId> HostedController::prompt_of(RolloutId id) const {
  const auto after = std::upper_bound(memory_.asked.begin(), memory_.asked.end(), id,
                                      [](RolloutId x, const Asked& a) { return x < a.first; });
  if (after == memory_.asked.begin()) return std::nullopt;
  const Asked& asked = *std::prev(after);
  return id < asked.first + asked.n ? std::optional(asked.prompt) : std::nullopt;
}

std::vector<Outcome> HostedController::completed(Outcomes& outcomes) const {
  std::vector<Outcome> out;
  out.reserve(outcomes.rows.size());
  for (OutcomeRow& row : outcomes.rows) {
    Outcome outcome = row.outcome;
    // An id that was never asked for keeps prompt 0: the Controller says what is wrong with it.
    if (!row.has_prompt) outcome.prompt = prompt_of(outcome.id).value_or(0);
    if (!row.has_behaviour) outcome.behaviour = memory_.step_policy;
    if (!row.has_correct)
      outcome.correct = outcome.scoring == Scoring::Scored &&
                        static_cast<double>(outcome.reward) > options_.success_threshold;
    outcome.parts = row.parts;
    out.push_back(outcome);
  }
  return out;
}

Plan HostedController::observe(Outcomes outcomes, std::span<const PromptRef> more_prompts,
                               bool deadline) {
  return remembered(controller_.observe(completed(outcomes), more_prompts, deadline));
}

TrainBatch HostedController::finalize() {
  const std::uint64_t step = controller_.step();
  TrainBatch batch = controller_.finalize();
  memory_.finalized = step;
  memory_.asked.clear();
  return batch;
}

void HostedController::feedback(const Result& result) {
  Feedback feedback;
  feedback.step = memory_.finalized.value_or(controller_.step());
  feedback.before = memory_.policy;
  feedback.after = result.after.value_or(feedback.before + (result.updated ? 1 : 0));
  feedback.updated = result.updated;
  feedback.mean_reward = result.mean_reward;
  feedback.mean_entropy = result.mean_entropy;
  feedback.items = result.items;
  controller_.feedback(feedback);
  memory_.policy = feedback.after;
  memory_.finalized.reset();
}

std::string HostedController::save(std::uint64_t dataset_hash) const {
  return save_state(kBlobName, kBlobVersion, Saved{controller_.save(dataset_hash), memory_});
}

void HostedController::load(std::string_view blob, std::uint64_t dataset_hash) {
  Saved saved;
  load_state(kBlobName, kBlobVersion, blob, saved);
  controller_.load(saved.controller, dataset_hash);
  memory_ = std::move(saved.memory);
}

}  // namespace allot::python
