#include "allot/methods/parts/useless_runs.h"

#include <algorithm>
#include <cmath>

namespace allot {

double keep_probability(double base, std::uint32_t length, double floor) {
  return std::max(std::pow(base, length), floor);
}

void KeepRate::adapt(double share, double target, double step, double low, double high) {
  base = share >= target ? std::max(base - step, low) : std::min(base + step, high);
}

NextDraw next_useful_draw(std::uint32_t missing, double useless_share, std::uint32_t smallest,
                          std::uint32_t largest) {
  const double useful = 1 - useless_share;
  const double estimate = useful > 0 ? 1.25 * missing / useful : HUGE_VAL;
  const double size = std::min<double>(largest, std::max<double>(smallest, std::ceil(estimate)));
  return {static_cast<std::uint32_t>(size), estimate <= largest};
}

}  // namespace allot
