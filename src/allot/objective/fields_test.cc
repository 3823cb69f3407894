#include "allot/objective/fields.h"

#include <cmath>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/objective/presets.h"

namespace allot::objective {
namespace {

Fields two_rows() {
  Fields f;
  f.logprobs = {{-.4, -.8, -.1}, {-.45}};
  f.old_logprobs = {{-.5, -1.1, -.1}, {-.3}};
  f.external_advantage = {{1}, {-1}};
  return f;
}

std::string refusal(const Fields& fields) {
  try {
    (void)step_of(fields);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Data);
    return error.what();
  }
  return "";
}

TEST(Fields, MakeRows) {
  Fields f = two_rows();
  f.mask = {{1, 0, 1}, {1}};
  f.old_logprobs[0][1] = std::nan("");  // padding is not read
  f.item_weight = {{2}, {1}};
  f.anchor_override = {"recompute", "behaviour"};
  const Step step = step_of(f);
  EXPECT_EQ(step.rows[0].old[1], 0);
  EXPECT_EQ(step.rows[0].weight, 2);
  EXPECT_EQ(step.rows[0].advantage, 1);
  EXPECT_EQ(step.rows[1].anchor, Anchor::Behaviour);
  EXPECT_EQ(step.rows[1].rollout_id, 1u);
}

TEST(Fields, WhatRowsDoNotShowToBeMissingIsRefused) {
  Fields f = two_rows();
  f.ref_logprobs = f.old_logprobs;
  const auto message = [&](const char* preset, const std::vector<std::string>& masks) {
    LossOptions options;
    options.preset = preset;
    options.masks = masks;
    try {
      (void)evaluate(options, {}, f);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(message("flow_rl", {}).find("field log_partition is missing"), std::string::npos);
  EXPECT_NE(message("dapo", {"truncated"}).find("field truncated is missing"), std::string::npos);
  f.log_partition = f.truncated = {{0}, {1}};
  EXPECT_EQ(message("flow_rl", {}), "");
  EXPECT_EQ(message("dapo", {"truncated"}), "");
}

TEST(Fields, RefusalsNameFieldAndRow) {
  Fields f = two_rows();
  f.old_logprobs[1].push_back(0);
  EXPECT_NE(refusal(f).find("old_logprobs, row 1"), std::string::npos);
  f = two_rows();
  f.mask = {{1, 1, 1}};
  EXPECT_NE(refusal(f).find("mask has 1 rows"), std::string::npos);
  f = two_rows();
  f.external_advantage.clear();
  EXPECT_NE(refusal(f).find("rewards"), std::string::npos);
  f.rewards = {{1}, {0}};
  EXPECT_NE(refusal(f).find("group_index"), std::string::npos);
  f.group_index = {{0}, {-1}};
  EXPECT_NE(refusal(f).find("group_index, row 1"), std::string::npos);
  f = two_rows();
  f.anchor_override = {"recompute", "other"};
  EXPECT_NE(refusal(f).find("anchor_override, row 1"), std::string::npos);
  f = two_rows();
  f.rollout_topk_ids = {{{1}, {1}, {1}}, {{1}}};
  f.topk_logprobs = {{{-1}, {-1}, {-1, -2}}, {{-1}}};
  EXPECT_NE(refusal(f).find("topk_logprobs, row 0"), std::string::npos);
}

// Stands for the options of advantages, which another room has.
struct Adv {
  double eps = -1;
  std::string estimator = "group_relative", scale = "group", unit = "sequence";
  template <class V>
  void fields(V& v) {
    v("eps", eps, Range{-1, 1}, "");
    v("estimator", estimator, "");
    v("scale", scale, "");
    v("unit", unit, "");
  }
};

TEST(Fields, SettingsComeAfterThePresetsOwn) {
  Adv adv;
  LossOptions loss;
  OptionList list = OptionList::of(loss, "loss");
  list.add(adv, "adv");
  apply_settings(list, {{"adv.unit", "sequence"}, {"loss.preset", "reinforce_pp"}}, "test");
  EXPECT_EQ(adv.estimator, "reinforce_plus_plus");
  EXPECT_EQ(adv.scale, "whiten");
  EXPECT_EQ(adv.unit, "sequence");
  EXPECT_EQ(loss.preset, "reinforce_pp");
}

}  // namespace
}  // namespace allot::objective
