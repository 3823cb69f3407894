#include "allot/loop/score_metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "allot/core/error.h"

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

// The nearest-rank percentiles. Reorders the values.
template <class T>
void put_percentiles(const std::string& unit, std::vector<T>& values, double scale,
                     std::vector<Metric>& out) {
  if (values.empty()) return;
  for (const int percent : {50, 99}) {
    const std::size_t rank = (values.size() * static_cast<std::size_t>(percent) + 99) / 100;
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(rank - 1);
    std::nth_element(values.begin(), at, values.end());
    out.push_back({concat("verifier/p", percent, "_", unit), scale * static_cast<double>(*at)});
  }
}

}  // namespace

std::vector<Metric> score_metrics(const RolloutStore& store, std::span<const RolloutId> generated,
                                  std::span<const std::string> functions,
                                  std::span<const std::string> marks) {
  std::vector<std::vector<double>> values(functions.size());
  std::vector<double> seconds, marked(marks.size());
  std::vector<std::uint32_t> steps;
  for (const RolloutId id : generated) {
    const Score& score = store.get(id).score;
    if (score.seconds > 0) seconds.push_back(score.seconds);
    if (score.steps) steps.push_back(*score.steps);
    for (std::size_t i = 0; i < marks.size(); ++i) marked[i] += score.marks >> i & 1U;
    if (score.scoring != Scoring::Scored) continue;
    for (std::size_t f = 0; f < functions.size(); ++f) {
      const float value = functions.size() == 1    ? score.reward
                          : f < score.parts.size() ? score.parts[f]
                                                   : std::nanf("");
      if (!std::isnan(value)) values[f].push_back(value);
    }
  }
  std::vector<Metric> out;
  for (std::size_t f = 0; f < functions.size(); ++f) put_function(functions[f], values[f], out);
  for (std::size_t i = 0; i < marks.size(); ++i)
    if (marked[i] > 0) out.push_back({"verifier/" + marks[i], marked[i]});
  put_percentiles("us", seconds, 1e6, out);
  put_percentiles("steps", steps, 1, out);
  return out;
}

}  // namespace allot
