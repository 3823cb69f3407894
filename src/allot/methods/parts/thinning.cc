#include "allot/methods/parts/thinning.h"

#include <algorithm>

namespace allot {

std::vector<double> thinning_weights(std::span<const double> values, double threshold, double rate,
                                     const std::vector<double>& uniforms) {
  std::vector<double> weights(values.size(), 1);
  // Values that are equal but for rounding are not below their own mean.
  const double below = threshold * (1 - 1e-9);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] < below) weights[i] = uniforms[i] < rate ? 0 : 1 / (1 - rate);
  return weights;
}

std::vector<std::vector<std::size_t>> pack_rows(std::span<const std::uint32_t> lengths,
                                                std::uint32_t limit, std::size_t window) {
  std::vector<std::size_t> waiting;  // longest first, then oldest
  std::size_t next = 0;
  const auto longer = [&](std::size_t a, std::size_t b) {
    return lengths[a] != lengths[b] ? lengths[a] > lengths[b] : a < b;
  };
  const auto refill = [&] {
    for (; waiting.size() < window && next < lengths.size(); ++next)
      if (lengths[next] <= limit)
        waiting.insert(std::upper_bound(waiting.begin(), waiting.end(), next, longer), next);
  };
  std::vector<std::vector<std::size_t>> rows;
  std::uint32_t room = 0;
  for (refill(); !waiting.empty(); refill()) {
    auto fitting = std::find_if(waiting.begin(), waiting.end(),
                                [&](std::size_t i) { return lengths[i] <= room; });
    if (rows.empty() || fitting == waiting.end()) {
      rows.emplace_back();
      room = limit;
      fitting = waiting.begin();
    }
    rows.back().push_back(*fitting);
    room -= lengths[*fitting];
    waiting.erase(fitting);
  }
  return rows;
}

double row_fill(std::span<const std::uint32_t> lengths,
                const std::vector<std::vector<std::size_t>>& rows, std::uint32_t limit) {
  double used = 0;
  for (const auto& row : rows)
    for (const std::size_t i : row) used += lengths[i];
  return rows.empty() ? 0 : used / (static_cast<double>(rows.size()) * limit);
}

}  // namespace allot
