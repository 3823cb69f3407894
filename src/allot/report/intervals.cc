// Student's t by the regularised incomplete beta function, evaluated as a continued fraction
// (modified Lentz); the quantile by bisection, which needs no starting guess and cannot diverge.
#include "allot/report/intervals.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "allot/core/error.h"
#include "allot/core/random.h"

namespace allot {
namespace {

constexpr double kLevel = 0.95;

// The continued fraction of I_x(a, b); converges fast for x < (a + 1) / (a + b + 2).
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  const auto away_from_zero = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), result = d;
  for (int m = 1; m < 10000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    result *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    result *= d * c;
    if (std::abs(d * c - 1) < 1e-16) break;
  }
  return result;
}

// I_x(a, b); `complement` = 1 - x, given separately so that neither end loses digits.
double incomplete_beta(double a, double b, double x, double complement) {
  if (x <= 0) return 0;
  if (complement <= 0) return 1;
  const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) +
                                a * std::log(x) + b * std::log(complement));
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, complement) / b;
}

// P(T > t) for t >= 0.
double upper_tail(double t, double df) {
  const double sum = df + t * t;
  return 0.5 * incomplete_beta(df / 2, 0.5, df / sum, t * t / sum);
}

void require(bool holds, const char* where, const char* what) {
  if (!holds) throw Error(ErrorKind::Internal, where, what);
}

double mean_of(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

double student_t_quantile(double p, double df) {
  require(p > 0 && p < 1, "student_t_quantile", "p must lie inside (0, 1)");
  require(df >= 1, "student_t_quantile", "df must be at least 1");
  if (p == 0.5) return 0;
  const double tail = std::min(p, 1 - p);
  double low = 0, high = 1;
  while (upper_tail(high, df) > tail) high *= 2;
  for (int i = 0; i < 200 && high - low > 1e-15 * high; ++i) {
    const double middle = (low + high) / 2;
    (upper_tail(middle, df) > tail ? low : high) = middle;
  }
  const double t = (low + high) / 2;
  return p > 0.5 ? t : -t;
}

Estimate mean_estimate(std::span<const double> values) {
  require(!values.empty(), "mean_estimate", "at least one value is needed");
  Estimate estimate{mean_of(values), values.size(), std::nullopt};
  if (values.size() < 2) return estimate;
  double squares = 0;
  for (const double value : values) squares += (value - estimate.mean) * (value - estimate.mean);
  const double n = static_cast<double>(values.size());
  const double half =
      student_t_quantile(0.5 + kLevel / 2, n - 1) * std::sqrt(squares / (n - 1) / n);
  estimate.interval = {estimate.mean - half, estimate.mean + half};
  return estimate;
}

Estimate paired_difference(std::span<const double> treated, std::span<const double> base) {
  require(treated.size() == base.size(), "paired_difference", "equal lengths are needed");
  std::vector<double> differences;
  for (std::size_t i = 0; i < treated.size(); ++i) differences.push_back(treated[i] - base[i]);
  return mean_estimate(differences);
}

Estimate paired_ratio(std::span<const double> treated, std::span<const double> base) {
  require(treated.size() == base.size(), "paired_ratio", "equal lengths are needed");
  std::vector<double> logs;
  for (std::size_t i = 0; i < treated.size(); ++i) {
    require(treated[i] > 0 && base[i] > 0, "paired_ratio", "positive values are needed");
    logs.push_back(std::log(treated[i] / base[i]));
  }
  Estimate estimate = mean_estimate(logs);
  estimate.mean = std::exp(estimate.mean);
  if (estimate.interval)
    estimate.interval = {std::exp(estimate.interval->low), std::exp(estimate.interval->high)};
  return estimate;
}

std::optional<Interval> bootstrap_mean(std::span<const double> values, std::uint64_t seed,
                                       std::size_t draws) {
  if (values.size() < 2 || draws == 0) return std::nullopt;
  RandomStream random({seed, RandomUse::Bootstrap});
  std::vector<double> means(draws);
  for (double& mean : means) {
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += values[random.below(values.size())];
    mean = sum / static_cast<double>(values.size());
  }
  std::sort(means.begin(), means.end());
  const double last = static_cast<double>(draws - 1);
  const auto at = [&](double p) { return means[static_cast<std::size_t>(std::lround(p * last))]; };
  return Interval{at(0.5 - kLevel / 2), at(0.5 + kLevel / 2)};
}

}  // namespace allot
