#include "allot/methods/parts/cero_duals.h"

#include <algorithm>
#include <cmath>

namespace allot {
namespace {

bool in_order(const Ranked& a, const Ranked& b) { return a.before(b); }

}  // namespace

double CeroScale::gamma() const { return step > 0 ? step : 1 / std::sqrt(rounds); }

double conjugate(double theta, double c, double most_units) {
  if (c <= 0 || theta >= c) return 0;
  if (theta <= c * std::exp(-c * most_units))
    return theta * most_units - 1 + std::exp(-c * most_units);
  return theta / c * std::log(c / theta) + theta / c - 1;
}

double best_units(double theta, double c, double most_units) {
  if (c <= 0 || theta >= c) return 0;
  // theta <= c exp(-c Z) is ln(c / theta) / c >= Z; theta = 0 gives infinity.
  return std::min(std::log(c / theta) / c, most_units);
}

double next_slope(double slope, double q, double units, const CeroScale& scale) {
  const double wanted =
      best_units(scale.top_slope() * slope, scale.steepness(q), scale.most_units());
  const double excess = (units - wanted / scale.rounds) / scale.per_prompt;
  return std::clamp(slope - scale.gamma() * excess, 0.0, 1.0);
}

double next_price(double price, double units, const CeroScale& scale) {
  const double widest = std::max(scale.mean_round(), scale.per_round - scale.mean_round());  // G_B
  if (widest <= 0) return price;
  return std::clamp(price - scale.gamma() * (scale.mean_round() - units) / widest, 0.0, 1.0);
}

void Ranking::offer(const Ranked& candidate) {
  if (heap_.size() == size_) {
    if (size_ == 0 || !candidate.before(heap_.front())) return;
    std::pop_heap(heap_.begin(), heap_.end(), in_order);
    heap_.pop_back();
  }
  heap_.push_back(candidate);
  std::push_heap(heap_.begin(), heap_.end(), in_order);
}

std::vector<Ranked> Ranking::take() {
  std::sort_heap(heap_.begin(), heap_.end(), in_order);
  return std::move(heap_);
}

RoundUnits round_units(std::span<const Ranked> ranked, double price, const RoundLimits& limits) {
  RoundUnits out;
  const std::uint64_t most = limits.per_prompt;
  for (const Ranked& prompt : ranked) {
    const std::uint64_t room = limits.per_round - out.planned_sum;
    const std::uint64_t planned = prompt.slope > price ? std::min(most, room) : 0;
    const std::uint64_t paid = std::min(planned, limits.left - out.executed_sum);
    out.planned.push_back(static_cast<std::uint32_t>(planned));
    out.executed.push_back(static_cast<std::uint32_t>(paid));
    out.planned_sum += planned;
    out.executed_sum += paid;
  }
  const std::uint64_t aim = std::min(limits.at_least, limits.left);
  for (std::uint32_t& units : out.executed) {
    if (out.executed_sum >= aim) break;
    const std::uint64_t more = std::min(most - units, aim - out.executed_sum);
    units += static_cast<std::uint32_t>(more);
    out.executed_sum += more;
  }
  return out;
}

}  // namespace allot
