#include "allot/tasks/levels.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "allot/core/error.h"

namespace allot {

void Levels::validate(const std::string& key) const {
  if (min > max)
    throw Error(ErrorKind::Config, key,
                concat("min ", min, " is above max ", max, "; min <= max is needed"));
  const std::size_t count = static_cast<std::size_t>(max - min) + 1;
  if (weights.empty()) return;
  if (weights.size() != count)
    throw Error(ErrorKind::Config, key + ".weights",
                concat(weights.size(), " weights were given for the levels ", min, " to ", max,
                       "; ", count, " are needed"),
                "one weight per level, or none for equal shares");
  for (const double weight : weights)
    if (!(weight >= 0) || !std::isfinite(weight))
      throw Error(ErrorKind::Config, key + ".weights",
                  concat("weight ", weight, " was given; a number of at least 0 is needed"));
  if (std::accumulate(weights.begin(), weights.end(), 0.0) <= 0)
    throw Error(ErrorKind::Config, key + ".weights",
                "all weights are 0; at least one positive weight is needed");
}

std::vector<int> Levels::quotas(int total) const {
  const std::size_t count = static_cast<std::size_t>(max - min) + 1;
  const std::vector<double> shares = weights.empty() ? std::vector<double>(count, 1.0) : weights;
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  std::vector<int> quota(count);
  std::vector<double> remainder(count);
  int given = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double exact = total * shares[i] / sum;
    quota[i] = static_cast<int>(exact);
    remainder[i] = exact - quota[i];
    given += quota[i];
  }
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return remainder[a] > remainder[b]; });
  for (std::size_t i = 0; given < total; i = (i + 1) % count) {
    if (shares[order[i]] <= 0) continue;
    ++quota[order[i]];
    ++given;
  }
  return quota;
}

}  // namespace allot
