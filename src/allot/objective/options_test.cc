#include "allot/objective/options.h"

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/objective/presets.h"
#include "allot/objective/requirements.h"

namespace allot::objective {
namespace {

using Settings = std::vector<std::pair<const char*, const char*>>;

LossOptions set(const Settings& values) {
  LossOptions options;
  OptionList list = OptionList::of(options, "loss");
  for (const auto& [key, value] : values) list.set(key, value, "test");
  return options;
}

std::string refusal(const LossOptions& options) {
  try {
    options.validate();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
    return error.what();
  }
  return "";
}

TEST(LossOptions, TheDefaultIsDapo) {
  const LossOptions o = LossOptions{}.expanded();
  EXPECT_EQ(o.clip_low, 0.2);
  EXPECT_EQ(o.clip_high, 0.28);
  EXPECT_EQ(o.aggregation, Aggregation::Method);
  EXPECT_EQ(refusal(LossOptions{}), "");
}

TEST(LossOptions, APresetFillsOnlyWhatIsNotGivenInAnyOrderOfKeys) {
  const auto a = set({{"loss.clip_high", "0.5"}, {"loss.preset", "grpo"}}).expanded();
  const auto b = set({{"loss.preset", "grpo"}, {"loss.clip_high", "0.5"}}).expanded();
  for (const LossOptions& o : {a, b}) {
    EXPECT_EQ(o.clip_low, 0.2);
    EXPECT_EQ(o.clip_high, 0.5);
  }
  EXPECT_EQ(set({{"loss.preset", "grpo"}}).expanded().clip_high, 0.2);
}

TEST(LossOptions, ExpandingTwiceChangesNothing) {
  LossOptions once = set({{"loss.preset", "grpo"}, {"loss.preset_full", "true"}}).expanded();
  LossOptions twice = once.expanded();
  EXPECT_EQ(OptionList::of(once, "loss").yaml(), OptionList::of(twice, "loss").yaml());
  EXPECT_EQ(once.aggregation, Aggregation::SeqMeanTokenMean);
}

TEST(LossOptions, AggregationOfAPresetNeedsPresetFull) {
  EXPECT_EQ(set({{"loss.preset", "dapo"}}).expanded().aggregation, Aggregation::Method);
  EXPECT_EQ(set({{"loss.preset", "dapo"}, {"loss.preset_full", "true"}}).expanded().aggregation,
            Aggregation::TokenMean);
}

TEST(LossOptions, ContradictionsNameBothKeys) {
  const std::string both = refusal(set({{"loss.dual_clip_c", "3"}, {"loss.ratio_cap", "4"}}));
  EXPECT_NE(both.find("loss.dual_clip_c"), std::string::npos);
  EXPECT_NE(both.find("loss.ratio_cap"), std::string::npos);
  EXPECT_NE(refusal(set({{"loss.ratio_cap", "1.2"}})).find("loss.clip_high"), std::string::npos);
  EXPECT_NE(refusal(set({{"loss.dual_clip_c", "1"}})), "");
  EXPECT_NE(refusal(set({{"loss.clip_low", "-0.5"}})), "");
  EXPECT_NE(refusal(set({{"loss.norm_constant", "16"}})), "");
  EXPECT_NE(refusal(set({{"loss.aggregation", "token_mean"}, {"loss.length_divisor", "9"}})), "");
}

TEST(LossOptions, ASumWithAConstantNeedsTheConstant) {
  EXPECT_NE(
      refusal(set({{"loss.aggregation", "seq_mean_token_sum_norm"}})).find("loss.norm_constant"),
      std::string::npos);
  EXPECT_NE(refusal(set({{"loss.preset", "dr_grpo"}, {"loss.preset_full", "true"}})), "");
  EXPECT_EQ(
      refusal(set(
          {{"loss.preset", "dr_grpo"}, {"loss.preset_full", "true"}, {"loss.norm_constant", "8"}})),
      "");
}

// Section 16: every combination that contradicts itself is refused with both keys named.
TEST(LossOptions, RefusalsNameBothKeys) {
  struct Case {
    Settings settings;
    const char *first, *second;
  };
  const Case cases[] = {
      {{{"loss.weight_anchor", "rollout"}, {"loss.mismatch.weight", "truncate"}},
       "loss.weight_anchor",
       "loss.mismatch.weight"},
      {{{"loss.surrogate", "clipped_weight"}}, "loss.surrogate", "loss.weight_max"},
      {{{"loss.preset", "cispo"}, {"loss.clip_high", ".2"}}, "loss.clip_high", "loss.weight_max"},
      {{{"loss.weight_max", "3"}}, "loss.weight_max", "loss.surrogate"},
      {{{"loss.preset", "dppo"}, {"loss.preset_full", "true"}},
       "loss.aggregation",
       "loss.norm_constant"},
      {{{"loss.preset", "intellect2"}, {"loss.dual_clip_c", "3"}},
       "loss.dual_clip_c",
       "loss.ratio_cap"},
      {{{"loss.preset", "sapo"}, {"loss.dual_clip_c", "3"}}, "loss.dual_clip_c", "loss.surrogate"},
      {{{"loss.kl.placement", "in_loss"}, {"loss.kl.estimator", "k1"}, {"loss.kl.beta", "1"}},
       "loss.kl.estimator",
       "loss.kl.placement"},
      {{{"loss.kl.placement", "in_reward"}, {"loss.kl.beta", "1"}},
       "loss.kl.placement",
       "loss.kl.estimator"},
      {{{"loss.kl.beta", "1"}}, "loss.kl.beta", "loss.kl.placement"},
      {{{"loss.kl.placement", "in_loss"},
        {"loss.kl.importance_weighted", "true"},
        {"loss.kl.estimator", "k2"}},
       "loss.kl.importance_weighted",
       "loss.kl.estimator"},
      {{{"loss.preset", "capo"}}, "loss.masks", "loss.curvature.lr"},
      {{{"loss.preset", "jackpot"}, {"loss.masks", "none"}}, "loss.mismatch.weight", "loss.masks"},
      {{{"loss.preset", "vespo"}, {"loss.level", "token"}}, "loss.surrogate", "loss.level"},
      {{{"loss.preset", "gmpo"}, {"loss.level", "sequence_product"}},
       "loss.surrogate",
       "loss.level"},
      {{{"loss.preset", "icepop"}, {"loss.mismatch.max", ".1"}},
       "loss.mismatch.min",
       "loss.mismatch.max"},
      {{{"loss.masks", "[none, truncated]"}}, "loss.masks", "none"},
      {{{"loss.preset", "flow_rl"}, {"loss.mismatch.weight", "truncate"}},
       "loss.surrogate flow_balance",
       "loss.mismatch.level"},
      {{{"loss.preset", "flow_rl"},
        {"loss.masks", "rejection"},
        {"loss.rejection.reduce", "token"}},
       "loss.surrogate flow_balance",
       "loss.rejection.reduce"},
      {{{"loss.preset", "flow_rl"}, {"loss.masks", "[truncated, top_entropy]"}},
       "loss.surrogate flow_balance",
       "loss.masks has top_entropy"},
  };
  for (const Case& c : cases) {
    const std::string message = refusal(set(c.settings));
    EXPECT_NE(message.find(c.first), std::string::npos) << c.first << ": " << message;
    EXPECT_NE(message.find(c.second), std::string::npos) << c.second << ": " << message;
  }
  EXPECT_NE(refusal(set({{"loss.masks", "divergenc"}})).find("did you mean 'divergence'"),
            std::string::npos);
  EXPECT_NE(refusal(set({{"loss.preset", "gpso"}})).find("did you mean 'gspo'"), std::string::npos);
}

TEST(LossOptions, AllPresetsAreValidOnceTheirConstantsAreGiven) {
  for (const PresetRow& row : presets()) {
    SCOPED_TRACE(row.name);
    LossOptions o;
    o.preset = std::string(row.name);
    EXPECT_EQ(o.expanded().has_mask("curvature") ? "" : refusal(o), "");
    o.preset_full = true;
    o.curvature.lr = .1;
    if (o.expanded().aggregation == Aggregation::SeqMeanTokenSumNorm) o.norm_constant = 8;
    EXPECT_EQ(refusal(o), "");
    LossOptions once = o.expanded(), twice = once.expanded();
    EXPECT_EQ(OptionList::of(once, "loss").yaml(), OptionList::of(twice, "loss").yaml());
    EXPECT_EQ(refusal(once), "");
  }
}

TEST(LossOptions, VerlBoundsTheCornerOfItsTokenLossOnly) {
  const auto corner = [](const Settings& settings) { return set(settings).expanded().dual_clip_c; };
  EXPECT_EQ(corner({{"loss.compat", "verl"}}), 3);
  EXPECT_EQ(corner({{"loss.compat", "verl"}, {"loss.dual_clip_c", "0"}}), 0);
  EXPECT_EQ(corner({{"loss.compat", "verl"}, {"loss.preset", "gspo"}}), 0);
  EXPECT_EQ(corner({{"loss.compat", "trl"}}), 0);
}

TEST(LossOptions, ADivergenceMaskComparesWithTheRolloutUnlessToldOtherwise) {
  const auto anchor = [](const Settings& settings) { return set(settings).expanded().mask_anchor; };
  EXPECT_EQ(anchor({{"loss.masks", "divergence"}}), RatioAnchor::Rollout);
  EXPECT_EQ(anchor({{"loss.masks", "divergence"}, {"loss.mask_anchor", "old"}}), RatioAnchor::Old);
  EXPECT_EQ(anchor({{"loss.masks", "[divergence, ppo_clip]"}}), RatioAnchor::Old);
  EXPECT_EQ(anchor({{"loss.masks", "truncated"}}), RatioAnchor::Old);
}

TEST(Requirements, EachPresetAsksForWhatItReads) {
  const auto names = [](const char* preset) {
    std::string all;
    for (const std::string& name : requirements(set({{"loss.preset", preset}})).names())
      all += (all.empty() ? "" : " ") + name;
    return all;
  };
  EXPECT_EQ(names("dapo"), "old_logprobs");
  EXPECT_EQ(names("grpo"), "old_logprobs ref_logprobs");
  EXPECT_EQ(names("pg_tis"), "rollout_logprobs");
  EXPECT_EQ(names("minirl"), "old_logprobs rollout_logprobs");
  EXPECT_EQ(names("dppo"), "rollout_logprobs");
  EXPECT_EQ(names("tis"), "old_logprobs rollout_logprobs");
  EXPECT_EQ(names("rloo"), "old_logprobs ref_logprobs");
  EXPECT_EQ(names("jackpot"), "old_logprobs rollout_logprobs topk");
  EXPECT_EQ(names("capo"), "old_logprobs topk hidden");
  EXPECT_EQ(names("top_entropy"), "old_logprobs entropy");
  EXPECT_EQ(names("flow_rl"), "old_logprobs ref_logprobs log_partition");
  EXPECT_EQ(names("v32"), "old_logprobs rollout_logprobs ref_logprobs");
}

TEST(Requirements, RawLogProbabilitiesAreRefusedWhereTheyAreRead) {
  RunFacts facts;
  facts.processed_logprobs = false;
  EXPECT_NO_THROW(validate_run(set({{"loss.preset", "dapo"}}), facts));
  EXPECT_THROW(validate_run(set({{"loss.preset", "tis"}}), facts), Error);
  facts.truncated_sampling = true;
  facts.mean_group_size = 2;
  facts.updates_per_rollout = 4;
  EXPECT_EQ(run_warnings(set({{"loss.preset", "tis"}}), facts).size(), 2u);
  EXPECT_EQ(run_warnings(set({{"loss.preset", "v32"}}), facts).size(), 2u);
  EXPECT_EQ(run_warnings(set({{"loss.level", "sequence_product"}}), facts).size(), 2u);
}

TEST(LossOptions, WarnsOfAReplacedNormaliserAndOfSequenceWidths) {
  EXPECT_TRUE(LossOptions{}.warnings().empty());
  EXPECT_EQ(set({{"loss.aggregation", "token_mean"}}).warnings().size(), 1u);
  EXPECT_EQ(set({{"loss.clip_low", "0.0003"}}).warnings().size(), 1u);
  EXPECT_EQ(set({{"loss.preset", "gspo"}}).warnings().size(), 0u);
  EXPECT_EQ(set({{"loss.preset", "gspo"}, {"loss.clip_high", ".2"}}).warnings().size(), 1u);
  EXPECT_EQ(set({{"loss.level", "sequence_product"}}).warnings().size(), 1u);
  EXPECT_EQ(set({{"loss.preset", "gspo"}, {"loss.aggregation", "token_mean"}}).warnings().size(),
            2u);
  EXPECT_EQ(set({{"loss.preset", "dppo"}}).warnings().size(), 0u);
  EXPECT_EQ(set({{"loss.preset", "dppo"}, {"loss.mask_anchor", "old"}}).warnings().size(), 1u);
}

}  // namespace
}  // namespace allot::objective
