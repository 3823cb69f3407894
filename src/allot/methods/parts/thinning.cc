#include "allot/methods/parts/thinning.h"

#include <algorithm>
#include <vector>

namespace allot {

double thinning_weight(double value, double threshold, double rate, double uniform) {
  // Values that are equal but for rounding are not below their own mean.
  const double below = threshold * (1 - 1e-9);
  if (!(value < below)) return 1;
  return uniform < rate ? 0 : 1 / (1 - rate);
}

Ragged<std::size_t> pack_rows(std::span<const std::uint32_t> lengths, std::uint32_t limit,
                              std::size_t window) {
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
  Ragged<std::size_t> rows;
  std::uint32_t room = 0;
  for (refill(); !waiting.empty(); refill()) {
    auto fitting = std::find_if(waiting.begin(), waiting.end(),
                                [&](std::size_t i) { return lengths[i] <= room; });
    if (rows.open().empty() || fitting == waiting.end()) {
      if (!rows.open().empty()) rows.close();
      room = limit;
      fitting = waiting.begin();
    }
    rows.push(*fitting);
    room -= lengths[*fitting];
    waiting.erase(fitting);
  }
  if (!rows.open().empty()) rows.close();
  return rows;
}

double row_fill(std::span<const std::uint32_t> lengths, const Ragged<std::size_t>& rows,
                std::uint32_t limit) {
  double used = 0;
  for (const std::size_t i : rows.values()) used += lengths[i];
  return rows.size() == 0 ? 0 : used / (static_cast<double>(rows.size()) * limit);
}

}  // namespace allot
