// Means with 95 % intervals, and paired differences: Student's t and the percentile bootstrap.
//
// With one value there is no interval; it is absent, never zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace allot {

struct Interval {
  double low = 0, high = 0;
};

struct Estimate {
  double mean = 0;
  std::size_t n = 0;
  std::optional<Interval> interval;  // 95 %; absent for n < 2
};

// Quantile of Student's t distribution: P(T <= result) = p, for p in (0, 1) and df >= 1.
double student_t_quantile(double p, double df);

// Mean and its t interval. Throws Error(Internal) for an empty span.
Estimate mean_estimate(std::span<const double> values);

// Mean of treated[i] - base[i] and its t interval. Equal lengths, not empty.
Estimate paired_difference(std::span<const double> treated, std::span<const double> base);

// Geometric mean of treated[i] / base[i]; the interval is that of the mean log ratio. All > 0.
Estimate paired_ratio(std::span<const double> treated, std::span<const double> base);

// Percentile bootstrap of the mean: `draws` resamples, keyed by `seed` (RandomUse::Bootstrap).
// Absent for fewer than two values.
std::optional<Interval> bootstrap_mean(std::span<const double> values, std::uint64_t seed,
                                       std::size_t draws = 10000);

}  // namespace allot
