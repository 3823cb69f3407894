#include "allot/store/function_rewards.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace allot {
namespace {

using nlohmann::json;

TEST(RewardText, IsAnObjectByFunction) {
  const std::vector<std::string> functions = {"exact", "my \"odd\" one\n", "format"};
  const RewardText text(functions);
  const std::vector<float> parts = {1, std::nanf(""), -0.1f};
  const auto made = text(parts);
  ASSERT_TRUE(made);
  const json object = json::parse(*made);
  EXPECT_EQ(object, json({{"exact", 1}, {"my \"odd\" one\n", nullptr}, {"format", -0.1}}));
  const FunctionRewards values = function_rewards(*made);
  ASSERT_EQ(values.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(values[i].first, functions[i]);
  EXPECT_EQ(values[0].second, 1.0);
  EXPECT_FALSE(values[1].second);
  EXPECT_EQ(values[2].second, -0.1);
}

TEST(RewardText, ReadsBackAsTheSameFloat) {
  const std::vector<std::string> functions = {"a", "b"};
  const RewardText text(functions);
  for (const float value : {0.1f, 1 / 3.0f, -1e-30f, 3e38f, std::numeric_limits<float>::min()}) {
    const std::vector<float> parts = {value, HUGE_VALF};
    const FunctionRewards values = function_rewards(text(parts).value());
    EXPECT_EQ(static_cast<float>(values.at(0).second.value()), value);
    EXPECT_FALSE(values.at(1).second);
  }
}

TEST(RewardText, IsNothingWhereTheRewardSaysItAll) {
  const std::vector<std::string> one = {"exact"}, two = {"exact", "format"};
  EXPECT_FALSE(RewardText({})({}));
  EXPECT_FALSE(RewardText(one)(std::vector<float>{1}));
  EXPECT_FALSE(RewardText(two)({}));  // the verifier failed
}

TEST(FunctionRewards, OfOtherTextAreNone) {
  for (const char* text : {"", "[1]", "{", "7"})
    EXPECT_TRUE(function_rewards(text).empty()) << text;
}

}  // namespace
}  // namespace allot
