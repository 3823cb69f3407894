#include "allot/methods/parts/max_variance.h"

#include <algorithm>

namespace allot {
namespace {

// Relative to the largest value: sums of equal rewards in another order must count as equal.
constexpr double kRounding = 1e-12;

// k of the best m; `order`: the rewards' indices, largest reward first.
std::uint32_t best_from_top(std::span<const double> rewards, std::span<const std::uint32_t> order,
                            std::uint32_t m) {
  const auto n = static_cast<std::uint32_t>(rewards.size());
  // Moved so that the smallest is 0: the variance is the same, and 0/1 rewards stay whole numbers,
  // for which m^2 * variance = m * sum of squares - (sum)^2 is exact.
  const double smallest = rewards[order.back()];
  const auto ranked = [&](std::uint32_t i) { return rewards[order[i]] - smallest; };
  double sum = 0, squares = 0;
  for (std::uint32_t i = n - m; i < n; ++i) sum += ranked(i), squares += ranked(i) * ranked(i);
  double best = m * squares - sum * sum;
  std::uint32_t from_top = 0;
  for (std::uint32_t k = 1; k <= m; ++k) {  // the k-th largest in, the largest of the bottom out
    const double in = ranked(k - 1), gone = ranked(n - m + k - 1);
    sum += in - gone;
    squares += in * in - gone * gone;
    const double variance = m * squares - sum * sum;
    if (variance <= best + kRounding * m * squares) continue;
    best = variance;
    from_top = k;
  }
  return from_top;
}

}  // namespace

std::uint32_t add_max_variance_subset(std::span<const double> rewards, std::uint32_t m,
                                      Ragged<std::uint32_t>& kept) {
  const auto n = static_cast<std::uint32_t>(rewards.size());
  m = std::min(m, n);
  for (std::uint32_t i = 0; i < n; ++i) kept.push(i);
  const std::span<std::uint32_t> order = kept.open();
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return rewards[a] != rewards[b] ? rewards[a] > rewards[b] : a < b;
  });
  const std::uint32_t from_top = m > 0 ? best_from_top(rewards, order, m) : 0;
  std::copy(order.end() - (m - from_top), order.end(), order.begin() + from_top);
  std::sort(order.begin(), order.begin() + m);
  kept.cut(m);
  kept.close();
  return from_top;
}

}  // namespace allot
