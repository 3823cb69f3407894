#include "allot/loop/score_metrics.h"

#include <algorithm>
#include <cmath>

namespace allot {
namespace {

void put_function(const std::string& name, std::span<const double> values,
                  std::vector<Metric>& out) {
  if (values.empty()) return;
  // Around the first value: equal ones have exactly their own mean, and no spread.
  const auto n = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double value : values) {
    const double x = value - values[0];
    sum += x;
    squares += x * x;
  }
  const double mean = sum / n;
  out.push_back({"reward/" + name + "/mean", values[0] + mean});
  out.push_back({"reward/" + name + "/std", std::sqrt(std::max(0.0, squares / n - mean * mean))});
}

}  // namespace

std::vector<Metric> score_metrics(const RolloutStore& store, std::span<const RolloutId> generated,
                                  std::span<const std::string> functions) {
  std::vector<std::vector<double>> values(functions.size());
  std::vector<double> seconds;
  double unparseable = 0, limit = 0;
  for (const RolloutId id : generated) {
    const Score& score = store.get(id).score;
    if (score.seconds > 0) seconds.push_back(score.seconds);
    if (score.scoring != Scoring::Scored) continue;
    unparseable += !score.parsed && score.reason.starts_with("unparseable");
    limit += !score.parsed && score.reason.starts_with("limit");
    for (std::size_t f = 0; f < functions.size(); ++f) {
      const float value = functions.size() == 1    ? score.reward
                          : f < score.parts.size() ? score.parts[f]
                                                   : std::nanf("");
      if (!std::isnan(value)) values[f].push_back(value);
    }
  }
  std::vector<Metric> out;
  for (std::size_t f = 0; f < functions.size(); ++f) put_function(functions[f], values[f], out);
  if (unparseable > 0) out.push_back({"verifier/unparseable", unparseable});
  if (limit > 0) out.push_back({"verifier/limit", limit});
  if (!seconds.empty()) {
    const auto rank = static_cast<std::size_t>(
        std::ceil(0.99 * static_cast<double>(seconds.size())));  // of the nearest-rank percentile
    const auto at = seconds.begin() + static_cast<std::ptrdiff_t>(rank - 1);
    std::nth_element(seconds.begin(), at, seconds.end());
    out.push_back({"verifier/p99_us", 1e6 * *at});
  }
  return out;
}

}  // namespace allot
