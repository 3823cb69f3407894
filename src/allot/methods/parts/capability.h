// CoBA's value of rollouts: saturating in their number, and preferring the difficulty that suits
// the policy's overall failure rate. Source: arXiv 2602.03048.
#pragma once

#include <cstdint>
#include <vector>

#include "allot/core/options.h"

namespace allot {

struct CapabilityOptions {
  double kappa = 11, gamma = 10, lambda = 8, a_min = 1.5, a_max = 9.5, tau = 4;

  template <class V>
  void fields(V& v) {
    v("kappa", kappa, Range{2, 1e4}, "a + b of the preference Beta(a, b) over pass rates");
    v("gamma", gamma, Range{0, 1e3}, "how sharply failure rates below one half are told apart");
    v("lambda", lambda, Range{0, 1e4}, "how far a moves with the failure rate");
    v("a_min", a_min, Range{1e-3, 1e4}, "least a: where a policy that always succeeds ends");
    v("a_max", a_max, Range{1e-3, 1e4}, "largest a; above 1 below kappa the preference is bounded");
    v("tau", tau, Range{1e-6, 1e6}, "rollouts / tau * p (1 - p) is how far a prompt is saturated");
  }
};

// The failure rate softened below one half, continuous there: F, or sigmoid(gamma (F - 1/2)).
double softened_failure(double failure, double gamma);

struct Capability {
  double a = 1, b = 1;

  double mode() const { return (a - 1) / (a + b - 2); }  // a, b > 1
  double density(double p) const;                        // of Beta(a, b); 0 < p < 1
};

// a = a_min + lambda * softened failure within [a_min, a_max]; b = kappa - a. A weak policy prefers
// easy prompts.
Capability capability_of(double mean_failure, const CapabilityOptions& options);

// V(n, p) = density(p) (1 - exp(-n p (1 - p) / tau)), 0 for p = 0 and p = 1, and what the n-th
// rollout adds to it, n >= 1.
double capability_value(const Capability& capability, double n, double p, double tau);
double capability_gain(const Capability& capability, std::uint32_t n, double p, double tau);

// The mean of the newest values.
class MovingMean {
 public:
  void add(double value, std::size_t window);
  bool empty() const { return values_.empty(); }
  double mean() const;  // 0 of none

  template <class V>
  void state(V& v) {
    v(values_);
  }

 private:
  std::vector<double> values_;  // oldest first
};

}  // namespace allot
