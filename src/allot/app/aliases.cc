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

constexpr std::array<Alias, 39> kAliases = {{
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
    {"multi_objective_aggregation", "adv.reward_aggregation"},
    {"top_entropy_quantile", "loss.top_entropy"},
    {"off_policy_mask_threshold", "loss.off_policy_delta"},
    {"vllm_importance_sampling_clip_min", "loss.mismatch.min"},
    {"vllm_importance_sampling_clip_max", "loss.mismatch.max"},
}};

// These stand for a key or value only together with others (implied_settings).
constexpr std::array<std::string_view, 3> kPartNames = {"mask_truncated_completions",
                                                        "vllm_importance_sampling_correction",
                                                        "vllm_importance_sampling_mode"};

constexpr std::array<Alias, 59> kForeign = {{
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
    {"actor_rollout_ref.actor.clip_ratio",
     "alone it has no effect in verl; use loss.clip_low and loss.clip_high"},
    {"actor_rollout_ref.actor.loss_scale_factor", "use loss.norm_constant"},
    {"actor_rollout_ref.actor.policy_loss.loss_mode", "use loss.preset"},
    {"actor_rollout_ref.actor.use_kl_loss", "use loss.kl.placement: in_loss"},
    {"actor_rollout_ref.actor.kl_loss_coef", "use loss.kl.beta"},
    {"actor_rollout_ref.actor.kl_loss_type", "use loss.kl.estimator"},
    {"actor_rollout_ref.actor.entropy_coeff", "use loss.entropy_coef"},
    {"algorithm.use_kl_in_reward", "use loss.kl.placement: in_reward"},
    {"algorithm.adv_estimator", "use adv.estimator"},
    {"algorithm.gdpo_reward_keys", "use adv.reward_aggregation and reward.functions"},
    {"algorithm.gdpo_reward_weights", "use adv.reward_weights"},
    {"algorithm.rollout_correction", "use loss.mismatch.*"},
    {"data.prompt_key", "use data.columns.prompt"},
    {"trainer.total_epochs", "the length of a run is train.max_steps"},
    {"train.epochs", "the length of a run is train.max_steps"},
    {"trainer.resume_from_path", "use checkpoint.resume, which takes a folder"},
    {"trainer.val_before_train", "use eval.every"},
    {"trainer.rollout_data_dir", "responses are kept in the run's own folder: log.completions"},
    {"trainer.log_val_generations", "use log.completions, or allot eval --samples"},
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
  if (name == "vllm_importance_sampling_clip_max" && text == "None") return "1e9";
  if (name == "vllm_importance_sampling_clip_min" && text == "None") return "0";
  return text;
}

// The last setting of that name, nullptr without any.
const Setting* find(const std::vector<Setting>& given, std::string_view name) {
  const auto found = std::find_if(given.rbegin(), given.rend(),
                                  [&](const Setting& setting) { return setting.key == name; });
  return found == given.rend() ? nullptr : &*found;
}

bool truth_of(const Setting& setting) {
  if (is_true(setting.text) || is_false(setting.text)) return is_true(setting.text);
  throw Error(
      ErrorKind::Config, setting.origin,
      concat("'", setting.key, "' = ", setting.text, " was given; True or False is needed"));
}

// beta is the weight of a KL term in the loss (k3); a loss_type has none unless a beta is given.
void add_kl(const std::vector<Setting>& given, std::vector<Setting>& out) {
  const Setting *beta = find(given, "beta"), *type = find(given, "loss_type");
  if (beta == nullptr && type == nullptr) return;
  const std::string& origin = beta == nullptr ? type->origin : beta->origin;
  if (beta == nullptr || std::atof(beta->text.c_str()) == 0) {
    out.push_back({"loss.kl.beta", "0", origin});
    return;
  }
  out.push_back({"loss.kl.placement", "in_loss", origin});
  out.push_back({"loss.kl.estimator", "k3", origin});
}

// Each of three names adds a mask to the others.
void add_masks(const std::vector<Setting>& given, std::vector<Setting>& out) {
  std::string masks, origin;
  const auto add = [&](const char* mask, const Setting& because) {
    masks += concat(masks.empty() ? "" : ", ", mask);
    origin = because.origin;
  };
  const Setting* truncated = find(given, "mask_truncated_completions");
  if (truncated != nullptr && truth_of(*truncated)) add("truncated", *truncated);
  const Setting* entropy = find(given, "top_entropy_quantile");
  if (entropy != nullptr && std::atof(entropy->text.c_str()) < 1) add("top_entropy", *entropy);
  const Setting* off_policy = find(given, "off_policy_mask_threshold");
  if (off_policy != nullptr) add("off_policy_sequence", *off_policy);
  if (!masks.empty()) out.push_back({"loss.masks", concat("[", masks, "]"), origin});
}

// TRL corrects unless told otherwise; here any of the names but a False asks for it. "token_mask".
void add_mismatch(const std::vector<Setting>& given, std::vector<Setting>& out) {
  const Setting* correction = find(given, "vllm_importance_sampling_correction");
  const Setting* mode = find(given, "vllm_importance_sampling_mode");
  const Setting* largest = find(given, "vllm_importance_sampling_clip_max");
  const Setting* any = nullptr;
  for (const Setting* one :
       {mode, largest, correction, find(given, "vllm_importance_sampling_clip_min")})
    if (any == nullptr) any = one;
  if (any == nullptr) return;
  if (correction != nullptr && !truth_of(*correction)) {
    out.push_back({"loss.mismatch.weight", "none", correction->origin});
    return;
  }
  const std::string text = mode == nullptr ? "sequence_mask" : mode->text;
  const std::size_t bar = text.find('_');
  const std::string level = text.substr(0, bar),
                    weight = bar == std::string::npos ? "" : text.substr(bar + 1);
  if ((level != "token" && level != "sequence") || (weight != "mask" && weight != "truncate"))
    throw Error(ErrorKind::Config, any->origin,
                concat("'", any->key, "' = ", text,
                       " was given; token_truncate, token_mask, sequence_truncate or "
                       "sequence_mask is needed"));
  out.push_back({"loss.mismatch.weight", weight, any->origin});
  out.push_back({"loss.mismatch.level", level, any->origin});
  if (largest == nullptr) out.push_back({"loss.mismatch.max", "3", any->origin});
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
  names.insert(names.end(), kPartNames.begin(), kPartNames.end());
  for (const Alias& row : kAliases) names.emplace_back(row.first);
  return names;
}

std::string foreign_name_hint(std::string_view name) { return std::string(find(kForeign, name)); }

Setting translated(const Setting& setting) {
  const auto target = alias_target(setting.key);
  if (!target) return setting;
  if (setting.key == "loss_type" && setting.text == "bnpo")
    throw Error(ErrorKind::Config, setting.origin,
                "'loss_type' = bnpo was given, a mean over the tokens of each micro-batch; no "
                "result here depends on how a step is cut, so a mean over the step is needed",
                "loss_type=dapo");
  return {*target, translated_value(setting.key, setting.text), setting.origin};
}

std::vector<Setting> implied_settings(const std::vector<Setting>& given) {
  std::vector<Setting> out;
  add_kl(given, out);
  add_masks(given, out);
  add_mismatch(given, out);
  return out;
}

bool is_batch_setting(std::string_view name) {
  return std::find(kBatchNames.begin(), kBatchNames.end(), name) != kBatchNames.end();
}

bool is_part_setting(std::string_view name) {
  return std::find(kPartNames.begin(), kPartNames.end(), name) != kPartNames.end();
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
