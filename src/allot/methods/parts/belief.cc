#include "allot/methods/parts/belief.h"

#include <algorithm>
#include <bit>

namespace allot {

BetaPrior prior_of_rate(double rate, double strength) {
  const double within = std::clamp(rate, .02, .98);
  return {within * strength, (1 - within) * strength};
}

double RecentVerdicts::last_rate() const {
  return last_n > 0 ? static_cast<double>(last_right) / last_n : 0;
}

double RecentVerdicts::rate_of_newest(std::uint32_t n) const {
  const auto known = static_cast<std::uint32_t>(std::min<std::uint64_t>({count, n, kMost}));
  if (known == 0) return 0;
  const std::uint64_t mask = ~std::uint64_t{0} >> (kMost - known);
  return static_cast<double>(std::popcount(bits & mask)) / known;
}

}  // namespace allot
