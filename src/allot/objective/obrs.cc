#include "allot/objective/obrs.h"

#include <algorithm>
#include <cmath>

namespace allot::objective {

double obrs_acceptance(double lambda, double p, double mu) {
  return std::exp(std::min(0.0, p - mu - std::log(lambda)));
}

double obrs_mass(const ObrsOptions& options, const TopK& top) {
  const std::vector<double>& target = options.target == ObrsTarget::Old ? top.old : top.current;
  double mass = 0;
  for (std::size_t k = 0; k < top.ids.size(); ++k)
    mass += std::exp(std::min(top.rollout[k], target[k] - std::log(options.lambda)));
  return mass;
}

double obrs_weight(const ObrsOptions& options, double mass, double p, double mu, double old,
                   double current) {
  const double w = mass * std::exp(std::max(std::log(options.lambda), p - mu));
  const double capped = std::min(w, options.c1);
  if (options.target == ObrsTarget::Old) return capped;
  return capped * std::min(std::exp(old - current), options.c2);
}

}  // namespace allot::objective
