#include "allot/store/function_rewards.h"

#include <charconv>
#include <cmath>

#include <nlohmann/json.hpp>

namespace allot {
namespace {

using nlohmann::ordered_json;

void append_number(std::string& text, float value) {
  if (!std::isfinite(value)) {
    text += "null";
    return;
  }
  char digits[32];  // the shortest that reads back as the same float
  text.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

}  // namespace

RewardText::RewardText(std::span<const std::string> functions) {
  for (const std::string& name : functions)
    keys_.push_back(
        ordered_json(name).dump(-1, ' ', false, ordered_json::error_handler_t::replace) + ":");
}

std::optional<std::string> RewardText::operator()(std::span<const float> parts) const {
  if (keys_.size() < 2 || parts.size() != keys_.size()) return std::nullopt;
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    text += i > 0 ? "," : "{";
    text += keys_[i];
    append_number(text, parts[i]);
  }
  return text + "}";
}

FunctionRewards function_rewards(const std::string& text) {
  FunctionRewards values;
  const auto object = ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return values;
  for (const auto& [name, value] : object.items())
    values.emplace_back(name,
                        value.is_number() ? std::optional(value.get<double>()) : std::nullopt);
  return values;
}

}  // namespace allot
