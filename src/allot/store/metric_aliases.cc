#include "allot/store/metric_aliases.h"

#include <optional>
#include <span>
#include <string_view>

namespace allot {
namespace {

constexpr MetricAlias kTrl[] = {
    {"reward/mean", "reward"},
    {"reward/std", "reward_std"},
    {"tokens/generated_total", "num_tokens"},
    {"loss/total", "loss"},
    {"loss/policy", "policy_loss"},
    {"policy/entropy", "entropy"},
    {"policy/kl_ref", "kl"},
    {"policy/clip_low", "clip_ratio/low_mean"},
    {"policy/clip_high", "clip_ratio/high_mean"},
    {"policy/clip_region", "clip_ratio/region_mean"},
    {"mismatch/logp_diff_mean", "sampling/sampling_logp_difference/mean"},
    {"mismatch/logp_diff_max", "sampling/sampling_logp_difference/max"},
    {"mismatch/ratio_min", "sampling/importance_sampling_ratio/min"},
    {"mismatch/ratio_mean", "sampling/importance_sampling_ratio/mean"},
    {"mismatch/ratio_max", "sampling/importance_sampling_ratio/max"},
    {"optim/grad_norm", "grad_norm"},
    {"optim/lr", "learning_rate"},
    {"length/mean", "completions/mean_length"},
    {"length/min", "completions/min_length"},
    {"length/max", "completions/max_length"},
    {"length/terminated_mean", "completions/mean_terminated_length"},
    {"length/terminated_min", "completions/min_terminated_length"},
    {"length/terminated_max", "completions/max_terminated_length"},
    {"length/truncated_frac", "completions/clipped_ratio"},
    {"time/step", "step_time"},
    {"train/epoch", "epoch"},
    {"eval/test/mean_reward", "eval_reward"},
    {"eval/test/mean_tokens", "eval_completions/mean_length"},
    {"eval/test/truncated_share", "eval_completions/clipped_ratio"},
};

constexpr MetricAlias kVerl[] = {
    {"reward/mean", "critic/rewards/mean"},
    {"tokens/generated", "perf/total_num_tokens"},
    {"loss/policy", "actor/pg_loss"},
    {"policy/entropy", "actor/entropy"},
    {"policy/kl_ref", "actor/kl_loss"},
    {"policy/clip_region", "actor/pg_clipfrac"},
    {"policy/kl_anchor_k1", "actor/ppo_kl"},
    {"optim/grad_norm", "actor/grad_norm"},
    {"optim/lr", "actor/lr"},
    {"length/mean", "response_length/mean"},
    {"length/min", "response_length/min"},
    {"length/max", "response_length/max"},
    {"length/truncated_frac", "response_length/clip_ratio"},
    {"prompt/mean", "prompt_length/mean"},
    {"prompt/max", "prompt_length/max"},
    {"time/generate", "timing_s/gen"},
    {"time/score", "timing_s/reward"},
    {"time/train", "timing_s/update_actor"},
    {"time/step", "perf/time_per_step"},
    {"speed/tokens_per_s", "perf/throughput"},
    {"train/epoch", "training/epoch"},
    {"eval/test/pass@1", "val-core/test/acc/mean@1"},
};

std::span<const MetricAlias> table(std::string_view of) {
  if (of == "trl") return kTrl;
  if (of == "verl") return kVerl;
  return {};
}

std::optional<double> value(const std::vector<Metric>& metrics, std::string_view name) {
  for (const Metric& metric : metrics)
    if (metric.name == name) return metric.value;
  return std::nullopt;
}

// "reward/math/mean" is TRL's "rewards/math/mean".
void add_function_rewards(std::vector<Metric>& metrics, std::size_t own) {
  constexpr std::string_view kOurs = "reward/";
  for (std::size_t i = 0; i < own; ++i) {
    const std::string_view name = metrics[i].name;
    const bool of_function = name.starts_with(kOurs) && name.find('/', kOurs.size()) != name.npos;
    if (of_function)
      metrics.push_back({"rewards/" + std::string(name.substr(kOurs.size())), metrics[i].value});
  }
}

// TRL counts the groups whose rewards are all alike: right, wrong, or tied otherwise.
void add_zero_std(std::vector<Metric>& metrics) {
  double sum = 0;
  for (const char* part : {"group/frac_all_good", "group/frac_all_bad", "group/zero_cause/tie"}) {
    const auto share = value(metrics, part);
    if (!share) return;
    sum += *share;
  }
  metrics.push_back({"frac_reward_zero_std", sum});
}

}  // namespace

void add_aliases(std::vector<Metric>& metrics, const std::vector<std::string>& of) {
  const std::size_t own = metrics.size();
  for (const std::string& project : of) {
    for (const MetricAlias& alias : table(project))
      for (std::size_t i = 0; i < own; ++i)
        if (metrics[i].name == alias.ours) metrics.push_back({alias.theirs, metrics[i].value});
    if (project != "trl") continue;
    add_function_rewards(metrics, own);
    add_zero_std(metrics);
  }
}

std::vector<MetricAlias> metric_aliases(const std::string& of) {
  const auto rows = table(of);
  return {rows.begin(), rows.end()};
}

}  // namespace allot
