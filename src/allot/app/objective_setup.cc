#include "allot/app/objective_setup.h"

#include <utility>

#include "allot/core/error.h"
#include "allot/methods/parts/reward_advantages.h"
#include "allot/objective/presets.h"

namespace allot {
namespace {

using objective::LossOptions;

bool takes_kl_from_reward(const LossOptions& loss) {
  return loss.kl.placement == objective::KlPlacement::InReward && loss.kl.beta > 0;
}

bool compares_lists(const LossOptions& loss) {
  return loss.has_mask("obrs") ||
         (loss.has_mask("divergence") && objective::requirements(loss).top_k);
}

// What of adv.* no method does, by its key; "" = nothing.
std::string beyond_methods(const AdvantageOptions& adv) {
  if (adv.estimator == AdvantageEstimator::ReinforcePlusPlus ||
      adv.estimator == AdvantageEstimator::ReinforcePlusPlusBaseline)
    return "adv.estimator";
  if (adv.reward_aggregation == RewardAggregation::NormalizeThenSum)
    return "adv.reward_aggregation";
  if (!adv.reward_weights.empty()) return "adv.reward_weights";
  if (adv.unit == StatsUnit::Token) return "adv.unit";
  return "";
}

// These ship groups as they were generated, with the advantages of adv.*; elsewhere an estimator
// would see what selection left over.
bool ships_whole_groups(const std::string& method) { return method == "grpo" || method == "dapo"; }

objective::RunFacts facts_of(const RunConfig& config) {
  objective::RunFacts facts;
  facts.updates_per_rollout = config.learner.updates_per_rollout;
  if (config.learner.minibatch_rows > 0)
    facts.updates_per_rollout = std::max(2, facts.updates_per_rollout);
  facts.mean_group_size = config.alloc.group_size;
  facts.truncated_sampling = truncates(config.sampling);
  const bool raw = config.sampler.engine == EngineKind::Server &&
                   config.sampler.server.logprobs == remote::LogprobMode::Raw;
  facts.processed_logprobs =
      !raw || (config.sampling.temperature == 1 && !facts.truncated_sampling);
  facts.group_scale = advantages_in_force(config).scale == AdvantageScale::Group;
  return facts;
}

// What of a preset's row stays out of force.
std::string left_out(const RunConfig& config) {
  if (config.loss.preset_full) return "";
  AdvantageOptions adv = config.adv;
  const OptionList list = OptionList::of(adv, "adv");
  std::string text;
  for (const auto& [key, value] : objective::preset(config.loss.preset).settings) {
    const bool aggregation =
        key == "loss.aggregation" && config.loss.aggregation == objective::Aggregation::Method;
    const Option* option = key.starts_with("adv.") ? list.find(std::string(key)) : nullptr;
    if (!aggregation && (option == nullptr || option->plain_text() == value)) continue;
    text += concat(text.empty() ? "" : ", ", key, "=", value);
  }
  return text;
}

}  // namespace

bool truncates(const SamplingOptions& s) {
  return s.top_p < 1 || s.top_k > 0 || s.min_p > 0 || s.temperature == 0;
}

AdvantageOptions advantages_in_force(const RunConfig& config) {
  AdvantageOptions adv = config.adv;
  if (!config.loss.preset_full) return adv;
  OptionList list = OptionList::of(adv, "adv");
  AdvantageOptions unset;
  const OptionList defaults = OptionList::of(unset, "adv");
  for (const auto& [key, value] :
       objective::preset_settings(objective::preset(config.loss.preset), "adv.")) {
    const std::string name(key);
    if (list.find(name)->text() == defaults.find(name)->text())
      list.set(name, std::string(value), "loss.preset");
  }
  return adv;
}

bool learner_estimates(const RunConfig& config) {
  return !beyond_methods(advantages_in_force(config)).empty() ||
         takes_kl_from_reward(config.loss.expanded());
}

AdvantageOptions advantages_of_method(const RunConfig& config) {
  const AdvantageOptions adv = advantages_in_force(config);
  if (beyond_methods(adv).empty()) return adv;
  AdvantageOptions plain;
  plain.resolution = adv.resolution;
  return plain;
}

void check_objective(const RunConfig& config) {
  config.loss.validate();
  const LossOptions loss = config.loss.expanded();
  const AdvantageOptions adv = advantages_in_force(config);
  adv.validate();
  advantages_of_method(config).validate_for_methods();
  objective::validate_run(loss, facts_of(config));
  if (takes_kl_from_reward(loss) && adv.reward_aggregation == RewardAggregation::NormalizeThenSum)
    throw Error(ErrorKind::Config, "loss",
                "loss.kl.placement is in_reward and adv.reward_aggregation normalize_then_sum, "
                "which has no single reward to take the KL from",
                "loss.kl.placement=in_loss, or sum_then_normalize");
  if (compares_lists(loss) && config.sampler.engine == EngineKind::Server)
    throw Error(ErrorKind::Config, "loss",
                "loss.masks compares lists of likely tokens of the policy that sampled, and "
                "rollout.engine is server, which reports the sampled token alone",
                "rollout.engine=local, or masks that compare the sampled token alone");
  if (loss.has_mask("curvature") && config.optim.lr == 0)
    throw Error(ErrorKind::Config, "loss",
                "loss.masks has curvature and optim.lr is 0; the mask models a step");
}

void check_objective_of_method(const RunConfig& config) {
  const AdvantageOptions adv = advantages_in_force(config);
  const LossOptions loss = config.loss.expanded();
  const std::string key =
      takes_kl_from_reward(loss) ? "loss.kl.placement in_reward" : beyond_methods(adv);
  if (!key.empty() && !ships_whole_groups(config.alloc.method))
    throw Error(ErrorKind::Config, "loss",
                concat(key, " is estimated over whole groups, and alloc.method = ",
                       config.alloc.method, " selects rollouts or has advantages of its own"),
                "alloc.method: grpo or dapo");
}

void check_objective_of_method(const RunConfig& config, const Needs& needs) {
  check_objective_of_method(config);
  if (compares_lists(config.loss.expanded()) && needs.hold)
    throw Error(
        ErrorKind::Config, "loss",
        concat("loss.masks compares lists of likely tokens of the policy that sampled, and "
               "alloc.method = ",
               config.alloc.method, " trains on rollouts of earlier steps, whose policy is gone"),
        "another method, or masks that compare the sampled token alone");
}

std::vector<std::string> objective_warnings(const RunConfig& config) {
  std::vector<std::string> out = config.loss.warnings();
  for (std::string& warning : objective::run_warnings(config.loss, facts_of(config)))
    out.push_back(std::move(warning));
  const AdvantageEstimator estimator = advantages_in_force(config).estimator;
  const bool global = estimator == AdvantageEstimator::ReinforcePlusPlus ||
                      estimator == AdvantageEstimator::ReinforcePlusPlusBaseline;
  if (global && config.alloc.method == "grpo")
    out.push_back(
        "adv.estimator has a baseline over the whole step, under which a group of equal rewards "
        "counts too; alloc.grpo.ship_zero=true trains on such groups");
  if (advantages_in_force(config).reward_aggregation == RewardAggregation::NormalizeThenSum &&
      config.reward.functions.size() <= 1)
    out.push_back(
        "adv.reward_aggregation is normalize_then_sum and there is one reward: it acts as "
        "sum_then_normalize");
  const std::string missing = left_out(config);
  if (config.loss.preset != LossOptions().preset && !missing.empty())
    out.push_back(concat("of loss.preset ", config.loss.preset, " ", missing,
                         " stays out of force; loss.preset_full=true applies it"));
  return out;
}

LossParts loss_parts(const RunConfig& config, const lm::Model& start,
                     std::optional<lm::Model> sampler) {
  LossParts parts;
  parts.seed = config.train.seed;
  parts.sampler = std::move(sampler);
  if (objective::requirements(config.loss).reference) parts.reference = start.clone();
  if (!learner_estimates(config)) return parts;
  AdvantageOptions adv = advantages_in_force(config);
  if (adv.reward_weights.empty()) adv.reward_weights = config.reward.weights;
  parts.estimator = reward_estimator(adv);
  return parts;
}

}  // namespace allot
