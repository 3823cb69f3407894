#include "allot/objective/kl.h"

#include <algorithm>
#include <cmath>

namespace allot::objective {
namespace {

constexpr double kClamp = 20;

double plain_value(KlEstimator estimator, double d) {
  switch (estimator) {
    case KlEstimator::K1:
      return d;
    case KlEstimator::Abs:
      return std::abs(d);
    case KlEstimator::K2:
      return d * d / 2;
    case KlEstimator::OfPreset:
    case KlEstimator::K3:
      break;
  }
  return std::expm1(-d) + d;
}

double plain_coefficient(KlEstimator estimator, double d) {
  switch (estimator) {
    case KlEstimator::K1:
      return 1;
    case KlEstimator::Abs:
      return d > 0 ? 1 : d < 0 ? -1 : 0;
    case KlEstimator::K2:
      return d;
    case KlEstimator::OfPreset:
    case KlEstimator::K3:
      break;
  }
  return -std::expm1(-d);
}

double cut_value(const KlOptions& options, double value) {
  return options.estimator == KlEstimator::K3 ? std::min(value, options.k3_cap) : value;
}

}  // namespace

double k1(double difference) { return std::clamp(difference, -kClamp, kClamp); }

KlTerm kl_term(const KlOptions& options, double difference, double ratio) {
  const double d = k1(difference);
  const bool flat = std::abs(difference) > kClamp;
  const double value = plain_value(options.estimator, d), cut = cut_value(options, value);
  KlTerm term{cut, flat || cut < value ? 0 : plain_coefficient(options.estimator, d)};
  if (options.straight_through == Switch::On) term.coefficient = flat ? 0 : d;
  if (options.importance_weighted == Switch::On) {
    // d (r k3) = r k3 + r (1 - exp(-d)) = r d
    term.coefficient = ratio * (term.value + term.coefficient);
    term.value *= ratio;
  }
  return term;
}

double kl_value(const KlOptions& options, double difference, double fixed, double ratio) {
  const double d = k1(difference), at = k1(fixed);
  if (options.straight_through == Switch::On)
    return cut_value(options, plain_value(options.estimator, at)) + d * d / 2 - at * at / 2;
  const double value = cut_value(options, plain_value(options.estimator, d));
  return options.importance_weighted == Switch::On ? ratio * value : value;
}

}  // namespace allot::objective
