#include "allot/methods/parts/proportional.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace allot {

// The sum of clip(s * weight_i) is piecewise linear and rises with s: walk its corners up to the
// segment that reaches `total`. O(n log n).
std::vector<double> proportional_shares(std::span<const double> weights, double total, double low,
                                        double high) {
  std::vector<std::pair<double, double>> corners;  // (s, change of slope)
  for (const double w : weights) {
    corners.emplace_back(low / w, w);
    corners.emplace_back(high / w, -w);
  }
  std::sort(corners.begin(), corners.end());
  double sum = low * static_cast<double>(weights.size()), slope = 0, s = 0;
  for (const auto& [corner, change] : corners) {
    const double reached = sum + slope * (corner - s);
    if (reached >= total) break;
    sum = reached;
    s = corner;
    slope += change;
  }
  if (slope > 0 && total > sum) s += (total - sum) / slope;
  std::vector<double> shares;
  for (const double w : weights) shares.push_back(std::clamp(s * w, low, high));
  return shares;
}

std::vector<std::uint32_t> proportional_counts(std::span<const double> weights, std::uint64_t total,
                                               std::uint32_t low, std::uint32_t high) {
  const std::size_t size = weights.size();
  total = std::clamp(total, std::uint64_t{low} * size, std::uint64_t{high} * size);
  const auto shares = proportional_shares(weights, static_cast<double>(total), low, high);
  std::vector<std::uint32_t> counts;
  std::uint64_t given = 0;
  for (const double share : shares) {
    counts.push_back(static_cast<std::uint32_t>(std::floor(share)));
    given += counts.back();
  }
  std::vector<std::size_t> order(size);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return shares[a] - std::floor(shares[a]) > shares[b] - std::floor(shares[b]);
  });
  // Shares add up to `total` but for rounding, so one pass is enough; the second is for that.
  for (int pass = 0; pass < 2; ++pass)
    for (const std::size_t i : order) {
      if (given >= total) break;
      if (counts[i] == high) continue;
      ++counts[i], ++given;
    }
  return counts;
}

}  // namespace allot
