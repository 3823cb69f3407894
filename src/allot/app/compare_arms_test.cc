#include "allot/app/compare_arms.h"

#include <gtest/gtest.h>

#include "allot/core/error.h"

namespace allot {
namespace {

RunConfig base() {
  RunConfig config;
  config.compare.methods = {"grpo", "aero"};
  return config;
}

std::string refusal(const RunConfig& config) {
  try {
    compare_arms(config);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
    return error.what();
  }
  return "accepted";
}

TEST(CompareArms, WithoutAGridAreTheMethods) {
  RunConfig config = base();
  config.compare.settings = {"aero:optim.lr=0.5"};
  const auto arms = compare_arms(config);
  ASSERT_EQ(arms.size(), 2u);
  EXPECT_EQ(arms[0].name, "grpo");
  EXPECT_EQ(arms[1].name, "aero");
  EXPECT_EQ(arms[1].config.alloc.method, "aero");
  EXPECT_EQ(arms[1].config.optim.lr, 0.5);
  EXPECT_NE(arms[0].config.optim.lr, 0.5);
}

TEST(CompareArms, AGridGivesAllCombinations) {
  RunConfig config = base();
  config.compare.grid = {"alloc.group_size=4|16", "optim.lr=1e-4|2e-4|3e-4"};
  const auto arms = compare_arms(config);
  ASSERT_EQ(arms.size(), 12u);
  EXPECT_EQ(arms[0].name, "grpo-group_size=4-lr=1e-4");
  EXPECT_EQ(arms[1].name, "grpo-group_size=4-lr=2e-4");
  EXPECT_EQ(arms[11].name, "aero-group_size=16-lr=3e-4");
  EXPECT_EQ(arms[4].config.alloc.group_size, 16);
  EXPECT_EQ(arms[4].config.optim.lr, 2e-4);
  EXPECT_TRUE(arms[4].config.compare.grid.empty());
}

TEST(CompareArms, RefusesWhatCannotBeCompared) {
  const auto with = [](const std::string& entry) {
    RunConfig config = base();
    config.compare.grid = {entry};
    return refusal(config);
  };
  EXPECT_NE(with("alloc.group_size").find("key=value|value is needed"), std::string::npos);
  EXPECT_NE(with("alloc.group_size=4||8").find("key=value|value"), std::string::npos);
  EXPECT_NE(with("alloc.group_sise=4").find("alloc.group_size"), std::string::npos);
  EXPECT_NE(with("alloc.group_size=0").find("1 .. 65536"), std::string::npos);
  EXPECT_NE(with("model.dim=64|128").find("the same for all"), std::string::npos);
  EXPECT_NE(with("alloc.group_size=4|4").find("two arms"), std::string::npos);
  RunConfig twice = base();
  twice.compare.methods = {"grpo", "grpo"};
  EXPECT_NE(refusal(twice).find("two arms"), std::string::npos);
  std::string many = "train.prompts_per_step=1";
  for (int i = 2; i < 300; ++i) many += "|" + std::to_string(i);
  EXPECT_NE(with(many).find("more than 256"), std::string::npos);
}

}  // namespace
}  // namespace allot
