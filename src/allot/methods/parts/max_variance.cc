#include "allot/methods/parts/max_variance.h"

#include <algorithm>
#include <numeric>

namespace allot {
namespace {

// Relative to the largest value: sums of equal rewards in another order must count as equal.
constexpr double kRounding = 1e-12;

}  // namespace

VarianceSubset max_variance_subset(std::span<const double> rewards, std::uint32_t m) {
  VarianceSubset out;
  const auto n = static_cast<std::uint32_t>(rewards.size());
  m = std::min(m, n);
  if (m == 0) return out;
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return rewards[a] > rewards[b]; });

  // Moved so that the smallest is 0: the variance is the same, and 0/1 rewards stay whole numbers,
  // for which m^2 * variance = m * sum of squares - (sum)^2 is exact.
  const double smallest = rewards[order.back()];
  const auto ranked = [&](std::uint32_t i) { return rewards[order[i]] - smallest; };
  double sum = 0, squares = 0;
  for (std::uint32_t i = n - m; i < n; ++i) sum += ranked(i), squares += ranked(i) * ranked(i);
  double best = m * squares - sum * sum;
  for (std::uint32_t k = 1; k <= m; ++k) {  // the k-th largest in, the largest of the bottom out
    const double in = ranked(k - 1), gone = ranked(n - m + k - 1);
    sum += in - gone;
    squares += in * in - gone * gone;
    const double variance = m * squares - sum * sum;
    if (variance <= best + kRounding * m * squares) continue;
    best = variance;
    out.from_top = k;
  }
  out.kept.assign(order.begin(), order.begin() + out.from_top);
  out.kept.insert(out.kept.end(), order.end() - (m - out.from_top), order.end());
  std::sort(out.kept.begin(), out.kept.end());
  return out;
}

}  // namespace allot
