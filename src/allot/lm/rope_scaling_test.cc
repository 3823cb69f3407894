// Against frequencies that transformers 5.23 computes (in float) for published shapes; whole models
// with stretched positions: transformers_parity_test.cc.
#include "allot/lm/rope_scaling.h"

#include <map>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/lm/config.h"

namespace allot::lm {
namespace {

struct Published {
  const char* name;
  int head_dim;
  double theta;
  RopeScaling scaling;
  double amplitude;
  std::map<int, double> inverse;  // by dimension
};

const Published kPublished[] = {
    {"Llama 3.1",
     128,
     5e5,
     {.type = RopeType::Llama3, .factor = 8, .original_context = 8192},
     1,
     {{0, 1},
      {1, 0.8146172165870667},
      {16, 0.03760603070259094},
      {21, 0.013490419834852219},
      {32, 0.0005248460220173001},
      {35, 9.556212171446532e-05},
      {42, 2.2748929040972143e-05},
      {63, 3.068925877869333e-07}}},
    {"Qwen 2.5, 128 k",
     128,
     1e6,
     {.type = RopeType::Yarn, .factor = 4, .original_context = 32768},
     1.138629436111989,
     {{0, 1},
      {1, 0.8058422207832336},
      {16, 0.03162277862429619},
      {21, 0.010746078565716743},
      {32, 0.0006029411451891065},
      {35, 0.0002462583943270147},
      {42, 2.8869548259535804e-05},
      {63, 3.102344408034696e-07}}},
    {"every option of yarn",
     64,
     1e4,
     {.type = RopeType::Yarn,
      .factor = 40,
      .original_context = 4096,
      .beta_fast = 20,
      .beta_slow = 2,
      .mscale = 1,
      .mscale_all_dim = 0.707,
      .truncate = false},
     1.0857263992561355,
     {{0, 1},
      {1, 0.7498942017555237},
      {8, 0.10000000149011612},
      {10, 0.05623412877321243},
      {16, 0.005253213457763195},
      {19, 0.0006734338821843266},
      {21, 5.928434620727785e-05},
      {31, 3.3338035336782923e-06}}},
    {"linear",
     64,
     1e4,
     {.type = RopeType::Linear, .factor = 3},
     1,
     {{0, 0.3333333432674408}, {1, 0.24996472895145416}, {31, 4.4450716814026237e-05}}}};

TEST(RopeScaling, FrequenciesAreThoseOfTransformers) {
  for (const Published& p : kPublished) {
    SCOPED_TRACE(p.name);
    ModelConfig config;
    config.head_dim = p.head_dim;
    config.rope_theta = p.theta;
    config.rope_scaling = p.scaling;
    config.context = 1 << 17;
    config.validate();
    const RopeFrequencies made = rope_frequencies(config);
    EXPECT_NEAR(made.amplitude, p.amplitude, 1e-12);
    ASSERT_EQ(made.inverse.size(), static_cast<std::size_t>(p.head_dim / 2));
    for (const auto& [i, wanted] : p.inverse) {
      EXPECT_NEAR(made.inverse[i] / wanted, 1, 2e-6) << i;
    }
  }
}

TEST(RopeScaling, AnAttentionFactorWins) {
  ModelConfig config;
  config.rope_scaling = {.type = RopeType::Yarn, .factor = 4, .attention_factor = 0.75};
  EXPECT_EQ(rope_frequencies(config).amplitude, 0.75);
  config.rope_scaling.attention_factor = 0;
  config.rope_scaling.factor = 1;
  EXPECT_EQ(rope_frequencies(config).amplitude, 1);
}

TEST(RopeScaling, ValidateNamesTheField) {
  const auto refusal = [](const RopeScaling& scaling) -> std::string {
    try {
      scaling.validate();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal({}), "");
  EXPECT_NE(refusal({.factor = 0.5}).find("factor"), std::string::npos);
  EXPECT_NE(refusal({.original_context = -1}).find("original_max"), std::string::npos);
  EXPECT_NE(refusal({.low_freq_factor = 4}).find("high_freq_factor"), std::string::npos);
  EXPECT_NE(refusal({.beta_slow = 0}).find("beta_slow"), std::string::npos);
  EXPECT_NE(refusal({.beta_fast = 0.5}).find("beta_fast"), std::string::npos);
  EXPECT_NE(refusal({.attention_factor = -1}).find("attention_factor"), std::string::npos);
}

}  // namespace
}  // namespace allot::lm
