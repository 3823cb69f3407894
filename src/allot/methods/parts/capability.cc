#include "allot/methods/parts/capability.h"

#include <algorithm>
#include <cmath>

#include "allot/methods/parts/advantages.h"

namespace allot {

double softened_failure(double failure, double gamma) {
  return failure > .5 ? failure : 1 / (1 + std::exp(-gamma * (failure - .5)));
}

double Capability::density(double p) const {
  const double log_beta = std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b);
  return std::exp((a - 1) * std::log(p) + (b - 1) * std::log1p(-p) - log_beta);
}

Capability capability_of(double mean_failure, const CapabilityOptions& o) {
  const double moved = o.a_min + o.lambda * softened_failure(mean_failure, o.gamma);
  const double a = std::clamp(moved, o.a_min, o.a_max);
  return {a, o.kappa - a};
}

double capability_value(const Capability& capability, double n, double p, double tau) {
  if (p <= 0 || p >= 1) return 0;
  return capability.density(p) * -std::expm1(-n * p * (1 - p) / tau);
}

double capability_gain(const Capability& capability, std::uint32_t n, double p, double tau) {
  if (p <= 0 || p >= 1) return 0;  // the density may be infinite there, and the rest is 0
  const double c = p * (1 - p) / tau;
  return capability.density(p) * -std::expm1(-c) * std::exp(-c * (n - 1.0));
}

void MovingMean::add(double value, std::size_t window) {
  values_.push_back(value);
  if (values_.size() > window) values_.erase(values_.begin());
}

double MovingMean::mean() const { return mean_of(values_); }

}  // namespace allot
