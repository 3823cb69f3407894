#include "allot/methods/parts/choosing.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace allot {
namespace {

// Sequence numbers from here on are choices; selections within a group use 0, rescues few more.
constexpr std::uint32_t kChoice = 1u << 31;

}  // namespace

RandomStream choice_stream(std::uint64_t seed, std::uint64_t step, PromptId prompt) {
  return RandomStream({seed, RandomUse::Method, step, prompt, kChoice});
}

std::vector<std::uint32_t> nearest_to(std::span<const double> values, double low, double high,
                                      std::uint32_t wanted, std::span<const double> ties) {
  const auto rank = [&](std::uint32_t i) {
    const double distance = std::max({0.0, low - values[i], values[i] - high});
    return std::tuple(distance, ties.empty() ? 0.0 : ties[i], i);
  };
  std::vector<std::uint32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0u);
  const auto kept = std::min<std::size_t>(wanted, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                    [&](std::uint32_t a, std::uint32_t b) { return rank(a) < rank(b); });
  order.resize(kept);
  return order;
}

}  // namespace allot
