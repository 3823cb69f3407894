#include "allot/objective/presets.h"

#include <algorithm>

#include "allot/core/error.h"

namespace allot::objective {
namespace {

// PPO-clip by token on the policy before the updates; whatever a row below does not name.
const PresetSettings kBase = {{"loss.surrogate", "ppo_clip"},
                              {"loss.level", "token"},
                              {"loss.weight_anchor", "old"},
                              {"loss.mask_anchor", "old"},
                              {"loss.clip_low", "0.2"},
                              {"loss.clip_high", "0.2"},
                              {"loss.dual_clip_c", "0"},
                              {"loss.ratio_cap", "0"},
                              {"loss.weight_min", "0"},
                              {"loss.weight_max", "0"},
                              {"loss.masks", "[none]"},
                              {"loss.divergence.kind", "binary_tv"},
                              {"loss.curvature.optimizer", "adam"},
                              {"loss.curvature.delta_f", "1e-4"},
                              {"loss.curvature.delta_h", "1e-2"},
                              {"loss.rejection.stat", "k1"},
                              {"loss.rejection.reduce", "token"},
                              {"loss.rejection.min", "0.5"},
                              {"loss.rejection.max", "2"},
                              {"loss.mismatch.weight", "none"},
                              {"loss.mismatch.level", "token"},
                              {"loss.mismatch.min", "0"},
                              {"loss.mismatch.max", "2"},
                              {"loss.kl.placement", "none"},
                              {"loss.kl.estimator", "k3"},
                              {"loss.kl.beta", "0"},
                              {"loss.kl.straight_through", "false"},
                              {"loss.kl.importance_weighted", "false"}};

constexpr std::string_view kClip = "min(r A, clip(r) A)";
constexpr std::string_view kSequenceClip = "min(s A, clip(s) A), s = (prod r)^(1/n)";
constexpr std::string_view kWeight = "sg[min(r, weight_max)] A log pi";

const std::pair<std::string_view, std::string_view> kUnscaled = {"adv.scale", "none"};
const std::pair<std::string_view, std::string_view> kSequenceMean = {"loss.aggregation",
                                                                     "seq_mean_token_mean"};
const std::pair<std::string_view, std::string_view> kTokenMean = {"loss.aggregation", "token_mean"};
const std::pair<std::string_view, std::string_view> kConstant = {"loss.aggregation",
                                                                 "seq_mean_token_sum_norm"};
const std::pair<std::string_view, std::string_view> kClipHigher = {"loss.clip_high", "0.28"};
const std::pair<std::string_view, std::string_view> kWeighted = {"loss.surrogate",
                                                                 "clipped_weight"};
const std::pair<std::string_view, std::string_view> kOnRollout = {"loss.weight_anchor", "rollout"};

const std::vector<PresetRow>& table() {
  static const std::vector<PresetRow> rows = {
      {"custom",
       "PPO-clip",
       kClip,
       "as a start for an own composition",
       "Schulman et al. 2017, arXiv 1707.06347",
       {}},
      {"grpo",
       "GRPO",
       "min(r A, clip(r) A) - beta k3",
       "the usual baseline; equal weight per response",
       "Shao et al. 2024, arXiv 2402.03300",
       {kSequenceMean, {"loss.kl.placement", "in_loss"}, {"loss.kl.beta", "0.04"}}},
      {"dapo",
       "DAPO",
       kClip,
       "long answers; the upper bound is wider so that entropy survives",
       "Yu et al. 2025, arXiv 2503.14476",
       {kClipHigher, kTokenMean}},
      {"dr_grpo",
       "Dr. GRPO",
       kClip,
       "no bias by length or by difficulty of the prompt",
       "Liu et al. 2025, arXiv 2503.20783",
       {kUnscaled, kConstant}},
      {"rloo",
       "RLOO",
       "A log pi",
       "one update per batch of rollouts",
       "Ahmadian et al. 2024, arXiv 2402.14740",
       {{"loss.surrogate", "reinforce"},
        {"adv.estimator", "leave_one_out"},
        {"adv.scale", "none"},
        {"loss.aggregation", "seq_mean_token_sum"},
        {"loss.kl.placement", "in_reward"},
        {"loss.kl.estimator", "k1"},
        {"loss.kl.beta", "0.03"}}},
      {"reinforce_pp",
       "REINFORCE++",
       kClip,
       "one response per prompt; the baseline is global",
       "Hu 2025, arXiv 2501.03262",
       {{"adv.estimator", "reinforce_plus_plus"},
        {"adv.scale", "whiten"},
        {"adv.unit", "token"},
        kTokenMean,
        {"loss.kl.placement", "in_reward"},
        {"loss.kl.estimator", "k1"},
        {"loss.kl.beta", "0.01"}}},
      {"reinforce_pp_baseline",
       "REINFORCE++-Baseline",
       "min(r A, clip(r) A) - beta k2",
       "small groups; the group gives the centre, the batch the scale",
       "Hu 2025, arXiv 2501.03262",
       {{"adv.estimator", "reinforce_plus_plus_baseline"},
        {"adv.scale", "whiten"},
        {"adv.unit", "token"},
        kTokenMean,
        {"loss.kl.placement", "in_loss"},
        {"loss.kl.estimator", "k2"},
        {"loss.kl.beta", "0.01"}}},
      {"gspo",
       "GSPO",
       kSequenceClip,
       "mixtures of experts; ratios of tokens too noisy",
       "Zheng et al. 2025, arXiv 2507.18071",
       {{"loss.level", "sequence_geometric"},
        {"loss.clip_low", "3e-4"},
        {"loss.clip_high", "4e-4"},
        kSequenceMean}},
      {"gspo_token",
       "GSPO-token",
       "min(s_t A_t, clip(s_t) A_t), s_t = sg[s] pi / sg[pi]",
       "GSPO with advantages by token",
       "Zheng et al. 2025, arXiv 2507.18071",
       {{"loss.level", "sequence_geometric_token"},
        {"loss.clip_low", "3e-4"},
        {"loss.clip_high", "4e-4"},
        kSequenceMean}},
      {"cispo",
       "CISPO",
       kWeight,
       "several updates per batch without losing rare tokens",
       "MiniMax 2025, arXiv 2506.13585",
       {kWeighted, {"loss.weight_max", "5"}, kTokenMean}},
      {"scale_rl",
       "ScaleRL",
       kWeight,
       "large runs; CISPO with batch-wide scale",
       "Khatri et al. 2025, arXiv 2510.13786",
       {kWeighted, {"loss.weight_max", "5"}, {"adv.scale", "batch"}, kTokenMean}},
      {"gdpo",
       "GDPO",
       kClip,
       "several rewards of different scale or difficulty",
       "Liu et al. 2026, arXiv 2601.05242",
       {{"adv.reward_aggregation", "normalize_then_sum"}, kClipHigher, kTokenMean}},
      {"pg_tis",
       "policy gradient with truncated importance sampling",
       kWeight,
       "rollouts of a stale or differently computed policy, no recomputation",
       "Ionides 2008; Yao et al. 2025 (off-policy-rl)",
       {kWeighted, kOnRollout, {"loss.weight_max", "3"}, kUnscaled}},
      {"minirl",
       "MiniRL",
       "sg[r_mu] A log pi, clipped where r_old leaves the band",
       "the engine's error corrected, the trust region around the old policy",
       "Zheng et al. 2025, arXiv 2512.01374",
       {kWeighted,
        kOnRollout,
        {"loss.weight_max", "1e9"},
        {"loss.masks", "[ppo_clip]"},
        kClipHigher,
        kUnscaled}},
      {"minirl_tis",
       "MiniRL, truncated",
       "sg[min(r_mu, 3)] A log pi, same mask",
       "MiniRL where weights explode",
       "Zheng et al. 2025, arXiv 2512.01374",
       {kWeighted,
        kOnRollout,
        {"loss.weight_max", "3"},
        {"loss.masks", "[ppo_clip]"},
        kClipHigher,
        kUnscaled}},
      {"dppo",
       "Divergence PPO",
       "sg[min(r_mu, weight_max)] A log pi, dropped where D > delta",
       "stale rollouts; the trust region in probability, not in ratio",
       "arXiv 2602.04879",
       {kWeighted,
        kOnRollout,
        {"loss.weight_max", "10"},
        {"loss.mask_anchor", "rollout"},
        {"loss.masks", "[divergence]"},
        kUnscaled,
        kConstant}},
      {"jackpot",
       "Jackpot",
       "b min(r A, clip(r) A) over accepted tokens",
       "rollouts of another, e.g. smaller model",
       "arXiv 2602.06107",
       {{"loss.mismatch.weight", "obrs_reweight"}, {"loss.masks", "[obrs]"}, kTokenMean}},
      {"capo",
       "CAPO",
       "min(r A, clip(r) A) over tokens of small curvature",
       "large learning rates",
       "Melo et al. 2025, arXiv 2510.00819",
       {{"loss.masks", "[curvature]"}, kSequenceMean}},
      {"dr_capo",
       "Dr. CAPO",
       "min(r A, clip(r) A) over tokens of small curvature",
       "CAPO without the biases of GRPO",
       "Melo et al. 2025, arXiv 2510.00819",
       {{"loss.masks", "[curvature]"},
        {"loss.curvature.delta_f", "1e-3"},
        {"loss.curvature.delta_h", "5e-4"},
        kUnscaled,
        kConstant}},
      {"tis",
       "TIS",
       "min(rho, 2) min(r A, clip(r) A)",
       "the engine's probabilities differ from the trainer's",
       "Yao et al. 2025 (off-policy-rl)",
       {{"loss.mismatch.weight", "truncate"}}},
      {"seq_tis",
       "Seq-TIS",
       "min(prod rho, 2) min(r A, clip(r) A)",
       "the same, unbiased by sequence, for short answers",
       "Li et al. 2025 (rl-collapse)",
       {{"loss.mismatch.weight", "truncate"}, {"loss.mismatch.level", "sequence"}}},
      {"icepop",
       "IcePop",
       "rho min(r A, clip(r) A) where .5 <= rho <= 5",
       "mixtures of experts whose engine disagrees on some tokens",
       "Ling team 2025, arXiv 2510.18855",
       {{"loss.mismatch.weight", "mask"},
        {"loss.mismatch.min", "0.5"},
        {"loss.mismatch.max", "5"}}},
      {"mis",
       "Seq-MIS",
       "prod rho min(r A, clip(r) A) where prod rho <= 3",
       "whole responses that the trainer would hardly write are left out",
       "Li et al. 2025 (rl-collapse)",
       {{"loss.mismatch.weight", "mask"},
        {"loss.mismatch.level", "sequence"},
        {"loss.mismatch.max", "3"}}},
      {"geo_rs",
       "Geo-RS",
       "min(r A, clip(r) A) where .999 <= geo rho <= 1.001",
       "long answers with a mismatch",
       "Li et al. 2025 (rl-collapse)",
       {{"loss.masks", "[rejection]"},
        {"loss.rejection.stat", "k1"},
        {"loss.rejection.reduce", "seq_mean"},
        {"loss.rejection.min", "0.999"},
        {"loss.rejection.max", "1.001"}}},
      {"v32",
       "DeepSeek-V3.2 style",
       "min(r A, clip(r) A) - beta r k3, bad stale answers left out",
       "stale rollouts with a reference policy",
       "DeepSeek-AI 2025, arXiv 2512.02556",
       {{"loss.masks", "[off_policy_sequence]"},
        {"loss.kl.placement", "in_loss"},
        {"loss.kl.beta", "0.001"},
        {"loss.kl.importance_weighted", "true"}}},
      {"intellect2",
       "two-sided clip",
       "min(r A, clip(r) A), r capped at 4",
       "negative advantages with exploding ratios",
       "Prime Intellect 2025, arXiv 2505.07291",
       {{"loss.ratio_cap", "4"}}},
      {"sapo",
       "SAPO",
       "(4 / tau) sigmoid(tau (r - 1)) A",
       "a soft trust region instead of a clip",
       "Gao et al. 2025, arXiv 2511.20347",
       {{"loss.surrogate", "soft"}, kSequenceMean}},
      {"gmpo",
       "GMPO",
       "(prod clipped r)^(1/n) A",
       "outlying ratios of single tokens",
       "Zhao et al. 2025, arXiv 2507.20673",
       {{"loss.surrogate", "geometric_mean"},
        {"loss.clip_low", "0.4"},
        {"loss.clip_high", "0.4"},
        kSequenceMean}},
      {"luspo",
       "LUSPO",
       "n min(s A, clip(s) A)",
       "GSPO without its preference for short answers",
       "arXiv 2602.05261",
       {{"loss.level", "sequence_geometric"},
        {"loss.clip_low", "3e-4"},
        {"loss.clip_high", "4e-4"},
        {"loss.aggregation", "seq_mean_token_sum"}}},
      {"vespo",
       "VESPO",
       "sg[exp(lambda + k log w - lambda w)] A log pi, w = prod r",
       "stale rollouts, smooth in the ratio of the whole answer",
       "arXiv 2602.10693",
       {{"loss.surrogate", "gamma_weight"}, {"loss.level", "sequence_product"}, kTokenMean}},
      {"top_entropy",
       "80/20",
       "min(r A, clip(r) A) over the 20 % of tokens of largest entropy",
       "only forking tokens are to be trained",
       "Wang et al. 2025, arXiv 2506.01939",
       {{"loss.masks", "[top_entropy]"}}},
      {"flow_rl",
       "FlowRL",
       "w (log Z + (log pi - log ref) / n - beta A)^2, w = clip(prod r)",
       "diverse answers: the reward's distribution is matched, not its mode",
       "Zhu et al. 2025, arXiv 2509.15207",
       {{"loss.surrogate", "flow_balance"}, {"loss.level", "sequence_product"}}},
  };
  return rows;
}

std::string settings_text(const PresetSettings& settings) {
  std::string text;
  for (const auto& [key, value] : settings)
    text += concat(text.empty() ? "" : ", ", "`", key, "=", value, "`");
  return text.empty() ? "all defaults" : text;
}

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

}  // namespace

std::span<const PresetRow> presets() { return table(); }

const PresetRow& preset(std::string_view name) {
  std::vector<std::string> names;
  for (const PresetRow& row : table()) {
    if (row.name == name) return row;
    names.emplace_back(row.name);
  }
  const std::string near = nearest(name, names);
  throw Error(
      ErrorKind::Config, "loss.preset",
      concat("'", name, "' was given; the name of a published loss is needed"),
      near.empty() ? "docs/objectives.md lists them" : concat("did you mean '", near, "'?"));
}

PresetSettings preset_settings(const PresetRow& row, std::string_view prefix) {
  PresetSettings out;
  for (const auto& setting : kBase)
    if (setting.first.starts_with(prefix)) out.push_back(setting);
  for (const auto& setting : row.settings) {
    if (!setting.first.starts_with(prefix)) continue;
    const auto same = std::find_if(out.begin(), out.end(),
                                   [&](const auto& s) { return s.first == setting.first; });
    if (same == out.end())
      out.push_back(setting);
    else
      same->second = setting.second;
  }
  return out;
}

std::string presets_table() {
  std::string out =
      "| preset | method | loss of a token is minus | when | what differs from `custom` | source "
      "|\n"
      "|---|---|---|---|---|---|\n";
  for (const PresetRow& row : table())
    out += concat("| `", row.name, "` | ", row.title, " | ", cell(row.formula), " | ", row.when,
                  " | ", settings_text(row.settings), " | ", row.citation, " |\n");
  return out;
}

}  // namespace allot::objective
