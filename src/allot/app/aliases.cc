#include "allot/app/aliases.h"

#include <array>
#include <utility>

namespace allot {
namespace {

using Row = std::pair<std::string_view, std::string_view>;

constexpr std::array<Row, 24> kAliases = {{
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
}};

constexpr std::array<Row, 10> kForeign = {{
    {"output_dir", "run folders are train.output/NAME; use train.output and --name"},
    {"algorithm.filter_groups.enable", "use alloc.method: dapo with alloc.refill.*"},
    {"filter_groups", "use alloc.method: dapo with alloc.refill.*"},
    {"max_num_gen_batches", "it has no effect in verl; use alloc.refill.max_rounds"},
    {"clip_ratio", "alone it has no effect in verl; use loss.clip_low and loss.clip_high"},
    {"dynamic_filtering_enable", "use alloc.method: dapo"},
    {"use_dynamic_sampling", "use alloc.method: dapo"},
    {"dynamic_sampling_max_gen_batches", "use alloc.refill.max_rounds"},
    {"replay_buffer_size", "use alloc.refill.keep_surplus"},
    {"beta", "a KL term to a reference model is not part of this version"},
}};

template <std::size_t N>
std::string_view find(const std::array<Row, N>& rows, std::string_view name) {
  for (const Row& row : rows)
    if (row.first == name) return row.second;
  return {};
}

}  // namespace

std::optional<std::string> alias_target(std::string_view name) {
  const std::string_view target = find(kAliases, name);
  return target.empty() ? std::nullopt : std::optional<std::string>(target);
}

std::string foreign_name_hint(std::string_view name) { return std::string(find(kForeign, name)); }

}  // namespace allot
