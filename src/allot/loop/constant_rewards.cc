#include "allot/loop/constant_rewards.h"

#include "allot/core/error.h"

namespace allot {
namespace {

constexpr std::string_view kPrefix = "reward/", kMean = "/mean", kDeviation = "/std";

// "task" of "reward/task/mean"; nothing for other names, "reward/mean" among them.
std::optional<std::string> function_of(std::string_view name, std::string_view ending) {
  if (!name.starts_with(kPrefix) || !name.ends_with(ending) ||
      name.size() <= kPrefix.size() + ending.size())
    return std::nullopt;
  return std::string(name.substr(kPrefix.size(), name.size() - kPrefix.size() - ending.size()));
}

}  // namespace

std::vector<Event> ConstantRewards::step(const StepRecord& record) {
  if (left_ == 0) return {};
  --left_, ++seen_;
  for (const Metric& metric : record.metrics) {
    if (const auto function = function_of(metric.name, kMean)) {
      const auto [place, is_new] = value_.emplace(*function, metric.value);
      if (!is_new && place->second != metric.value) place->second.reset();
    }
    const auto function = function_of(metric.name, kDeviation);
    if (function && metric.value != 0) value_[*function] = std::nullopt;
  }
  std::vector<Event> events;
  if (left_ > 0) return events;
  for (const auto& [function, value] : value_)
    if (value)
      events.push_back({Severity::Warning, "constant_reward",
                        concat("reward function ", function, " gave ", *value,
                               " to every response of the first ", seen_,
                               " steps; nothing can be learned of it"),
                        record.step});
  return events;
}

}  // namespace allot
