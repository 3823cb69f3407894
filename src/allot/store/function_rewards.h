// What each reward function gave for a rollout, as the column `rewards` holds it: a JSON object,
// null for a function that had no value.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace allot {

using FunctionRewards = std::vector<std::pair<std::string, std::optional<double>>>;  // by function

class RewardText {
 public:
  explicit RewardText(std::span<const std::string> functions);

  // Nothing where there is one function only, whose value is the reward itself, or where `parts`
  // are not of these functions (the verifier failed).
  std::optional<std::string> operator()(std::span<const float> parts) const;

 private:
  std::vector<std::string> keys_;  // "\"format\":"
};

// Of text that RewardText made; nothing of other text.
FunctionRewards function_rewards(const std::string& text);

}  // namespace allot
