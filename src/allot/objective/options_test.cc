#include "allot/objective/options.h"

#include <gtest/gtest.h>

#include "allot/core/error.h"

namespace allot::objective {
namespace {

LossOptions set(std::initializer_list<std::pair<const char*, const char*>> values) {
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

TEST(LossOptions, WarnsOfAReplacedNormaliserAndOfSequenceWidths) {
  EXPECT_TRUE(LossOptions{}.warnings().empty());
  EXPECT_EQ(set({{"loss.aggregation", "token_mean"}}).warnings().size(), 1u);
  EXPECT_EQ(set({{"loss.clip_low", "0.0003"}}).warnings().size(), 1u);
}

}  // namespace
}  // namespace allot::objective
