#include "allot/app/aliases.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <utility>

#include "allot/core/error.h"
#include "allot/store/store_options.h"

namespace allot {
namespace {

using Alias = std::pair<std::string_view, std::string_view>;

constexpr std::array<Alias, 34> kAliases = {{
    {"model_name_or_path", "model.path"},
    {"dataset_name", "data.train"},
    {"max_completion_length", "rollout.max_new_tokens"},
    {"num_generations", "alloc.group_size"},
    {"num_generations_eval", "eval.group_size"},
    {"num_iterations", "train.updates_per_rollout"},
    {"learning_rate", "optim.lr"},
    {"weight_decay", "optim.weight_decay"},
    {"max_grad_norm", "optim.max_grad_norm"},
    {"warmup_steps", "optim.warmup_steps"},
    {"lr_scheduler_type", "optim.schedule"},
    {"temperature", "rollout.temperature"},
    {"top_p", "rollout.top_p"},
    {"top_k", "rollout.top_k"},
    {"min_p", "rollout.min_p"},
    {"epsilon", "loss.clip_low"},
    {"epsilon_high", "loss.clip_high"},
    {"delta", "loss.ratio_cap"},
    {"max_steps", "train.max_steps"},
    {"seed", "train.seed"},
    {"save_steps", "checkpoint.every"},
    {"save_total_limit", "checkpoint.keep"},
    {"eval_steps", "eval.every"},
    {"logging_steps", "log.every"},
    {"report_to", "log.to"},
    {"log_completions", "log.completions"},
    {"output_dir", "train.output"},
    {"resume_from_checkpoint", "checkpoint.resume"},
    {"loss_type", "loss.preset"},
    {"importance_sampling_level", "loss.level"},
    {"entropy_coef", "loss.entropy_coef"},
    {"reward_weights", "reward.weights"},
    {"scale_rewards", "adv.scale"},
    {"beta", "loss.kl.beta"},
}};

constexpr std::array<Alias, 40> kForeign = {{
    {"algorithm.filter_groups.enable", "use alloc.method: dapo with alloc.refill.*"},
    {"filter_groups", "use alloc.method: dapo with alloc.refill.*"},
    {"max_num_gen_batches", "it has no effect in verl; use alloc.refill.max_rounds"},
    {"clip_ratio", "alone it has no effect in verl; use loss.clip_low and loss.clip_high"},
    {"dynamic_filtering_enable", "use alloc.method: dapo"},
    {"use_dynamic_sampling", "use alloc.method: dapo"},
    {"dynamic_sampling_max_gen_batches", "use alloc.refill.max_rounds"},
    {"replay_buffer_size", "use alloc.refill.keep_surplus"},
    {"num_train_epochs", "the length of a run is train.max_steps"},
    {"max_prompt_length", "use data.max_prompt_tokens"},
    {"actor_rollout_ref.model.path", "use model.path"},
    {"data.train_files", "use data.train"},
    {"data.val_files", "use data.eval"},
    {"data.max_prompt_length", "use data.max_prompt_tokens"},
    {"data.max_response_length", "use rollout.max_new_tokens"},
    {"data.train_batch_size", "use train.prompts_per_step"},
    {"actor_rollout_ref.rollout.n", "use alloc.group_size"},
    {"actor_rollout_ref.rollout.val_kwargs.n", "use eval.group_size"},
    {"actor_rollout_ref.actor.ppo_epochs", "use train.updates_per_rollout"},
    {"actor_rollout_ref.actor.ppo_mini_batch_size",
     "use train.minibatch_rows, which counts rollouts, not prompts"},
    {"actor_rollout_ref.actor.optim.lr", "use optim.lr"},
    {"actor_rollout_ref.actor.optim.weight_decay", "use optim.weight_decay"},
    {"actor_rollout_ref.actor.optim.clip_grad", "use optim.max_grad_norm"},
    {"actor_rollout_ref.actor.grad_clip", "use optim.max_grad_norm"},
    {"actor_rollout_ref.rollout.temperature", "use rollout.temperature"},
    {"actor_rollout_ref.rollout.top_p", "use rollout.top_p"},
    {"actor_rollout_ref.rollout.top_k", "use rollout.top_k"},
    {"actor_rollout_ref.actor.clip_ratio_low", "use loss.clip_low"},
    {"actor_rollout_ref.actor.clip_ratio_high", "use loss.clip_high"},
    {"actor_rollout_ref.actor.clip_ratio_c", "use loss.dual_clip_c"},
    {"actor_rollout_ref.actor.loss_agg_mode", "use loss.aggregation"},
    {"algorithm.norm_adv_by_std_in_grpo", "use adv.scale: group or none"},
    {"trainer.total_training_steps", "use train.max_steps"},
    {"trainer.save_freq", "use checkpoint.every"},
    {"trainer.max_actor_ckpt_to_keep", "use checkpoint.keep"},
    {"trainer.resume_mode", "use checkpoint.resume"},
    {"trainer.test_freq", "use eval.every"},
    {"trainer.logger", "use log.to"},
    {"trainer.default_local_dir", "use train.output"},
    {"n_samples_per_prompt", "use alloc.group_size"},
}};

constexpr std::array<std::string_view, 4> kBatchNames = {
    "per_device_train_batch_size", "gradient_accumulation_steps", "steps_per_generation",
    "generation_batch_size"};

template <std::size_t N>
std::string_view find(const std::array<Alias, N>& rows, std::string_view name) {
  for (const Alias& row : rows)
    if (row.first == name) return row.second;
  return {};
}

bool is_true(std::string_view text) { return text == "True" || text == "true"; }
bool is_false(std::string_view text) { return text == "False" || text == "false"; }

// The value of TRL's `name` as our key takes it.
std::string translated_value(std::string_view name, const std::string& text) {
  if (name == "log_completions" && is_true(text)) return std::to_string(LogOptions().completions);
  if (name == "log_completions" && is_false(text)) return "0";
  if (name == "resume_from_checkpoint" && is_true(text)) return "auto";
  if (name == "resume_from_checkpoint" && is_false(text)) return "disable";
  if (name == "scale_rewards" && is_true(text)) return "group";
  if (name == "scale_rewards" && is_false(text)) return "none";
  if (name == "report_to" && text == "all") return "tensorboard";
  return text;
}

// A whole number of at least 1.
int count_of(const Setting& setting) {
  int value = 0;
  const char* end = setting.text.data() + setting.text.size();
  const auto [stop, status] = std::from_chars(setting.text.data(), end, value);
  if (status != std::errc() || stop != end || value < 1)
    throw Error(ErrorKind::Config, setting.origin,
                concat("'", setting.key, "' = ", setting.text, " was given; a count is needed"));
  return value;
}

// "4 and 8": the divisors of `whole` beside `near`.
std::string divisors_near(int whole, int near) {
  int below = 0, above = 0;
  for (int d = 1; d <= whole && above == 0; ++d) {
    if (whole % d != 0) continue;
    (d < near ? below : above) = d;
  }
  if (below == 0) return std::to_string(above);
  return above == 0 ? std::to_string(below) : concat(below, " and ", above);
}

}  // namespace

std::optional<std::string> alias_target(std::string_view name) {
  const std::string_view target = find(kAliases, name);
  return target.empty() ? std::nullopt : std::optional<std::string>(target);
}

std::vector<std::string> alias_names() {
  std::vector<std::string> names(kBatchNames.begin(), kBatchNames.end());
  for (const Alias& row : kAliases) names.emplace_back(row.first);
  return names;
}

std::string foreign_name_hint(std::string_view name) { return std::string(find(kForeign, name)); }

Setting translated(const Setting& setting) {
  const auto target = alias_target(setting.key);
  if (!target) return setting;
  return {*target, translated_value(setting.key, setting.text), setting.origin};
}

std::vector<Setting> implied_settings(const std::vector<Setting>& given) {
  const auto find = [&](std::string_view name) {
    return std::find_if(given.begin(), given.end(),
                        [&](const Setting& setting) { return setting.key == name; });
  };
  const auto beta = find("beta"), type = find("loss_type");
  if (beta == given.end() && type == given.end()) return {};
  const std::string& origin = beta == given.end() ? type->origin : beta->origin;
  if (beta == given.end() || std::atof(beta->text.c_str()) == 0)
    return {{"loss.kl.beta", "0", origin}};
  return {{"loss.kl.placement", "in_loss", origin}, {"loss.kl.estimator", "k3", origin}};
}

bool is_batch_setting(std::string_view name) {
  return std::find(kBatchNames.begin(), kBatchNames.end(), name) != kBatchNames.end();
}

std::vector<Setting> batch_settings(const std::vector<Setting>& given, int num_generations) {
  if (given.empty()) return {};
  int per_device = 8, accumulation = 1, per_generation = 0, rollouts = 0;  // TRL's defaults
  for (const Setting& setting : given) {
    const int value = count_of(setting);
    if (setting.key == "per_device_train_batch_size") per_device = value;
    if (setting.key == "gradient_accumulation_steps") accumulation = value;
    if (setting.key == "steps_per_generation") per_generation = value;
    if (setting.key == "generation_batch_size") rollouts = value;
  }
  const std::string& origin = given.back().origin;
  if (per_generation == 0) per_generation = accumulation;
  const int product = per_device * per_generation;
  if (rollouts == 0) rollouts = product;
  if (rollouts % per_device != 0)
    throw Error(
        ErrorKind::Config, origin,
        concat("generation_batch_size ", rollouts,
               " is not divisible by per_device_train_batch_size ", per_device),
        concat("the nearest sizes that divide it are ", divisors_near(rollouts, per_device)));
  if (rollouts % num_generations != 0) {
    const int below = rollouts / num_generations * num_generations;
    throw Error(
        ErrorKind::Config, origin,
        concat(rollouts, " rollouts per step (per_device_train_batch_size ", per_device, " x ",
               rollouts / per_device, " steps) are not divisible by num_generations ",
               num_generations),
        concat("the nearest num_generations that divide them are ",
               divisors_near(rollouts, num_generations), "; the nearest rollouts per step are ",
               below > 0 ? concat(below, " and ") : "", below + num_generations));
  }
  const int update = std::min(per_device * accumulation, rollouts);
  return {{"train.prompts_per_step", std::to_string(rollouts / num_generations), origin},
          {"train.minibatch_rows", std::to_string(update == rollouts ? 0 : update), origin}};
}

}  // namespace allot
