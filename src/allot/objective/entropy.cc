#include "allot/objective/entropy.h"

#include <algorithm>

namespace allot::objective {

void EntropyCoefficient::after_step(double entropy) {
  if (!options_.adaptive) return;
  const double move = entropy < options_.target ? options_.step : -options_.step;
  value_ = std::max(0.0, value_ + move);
}

}  // namespace allot::objective
