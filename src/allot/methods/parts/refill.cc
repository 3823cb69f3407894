#include "allot/methods/parts/refill.h"

#include <algorithm>
#include <cmath>

namespace allot {

std::uint32_t draw_size(const Filling& f) {
  if (f.have >= f.wanted) return 0;
  const double share =
      f.seen > 0 ? static_cast<double>(f.accepted) / f.seen : 1 / f.candidates_per_group;
  const double needed = std::ceil(1.25 * (f.wanted - f.have) / std::max(share, 0.05));
  const double largest = std::ceil(f.wanted * f.candidates_per_group);
  return static_cast<std::uint32_t>(std::max(8.0, std::min(largest, needed)));
}

}  // namespace allot
