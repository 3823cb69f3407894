// Curves over a cost axis: resampling on a common axis, bands over seeds, first crossings.
// Nothing here extrapolates: outside its own range a curve has no value.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace allot {

struct CurvePoint {
  double x = 0, y = 0;
};
using Curve = std::vector<CurvePoint>;  // x ascending

// The cost on the horizontal axis.
enum class Axis { Compute, Generated, Rollouts, Seconds };

// Linear interpolation at x; nullopt outside [front.x, back.x] and for an empty curve.
std::optional<double> value_at(std::span<const CurvePoint> curve, double x);

// Smallest x at which the curve is >= target, by linear interpolation; nullopt: never reached.
std::optional<double> first_crossing(std::span<const CurvePoint> curve, double target);

struct BandPoint {
  double x = 0, mean = 0;
  std::optional<double> low, high;  // 95 % t interval; absent with fewer than two curves
};

// Mean and band at `points` equally spaced x over the range that all curves share, plus the common
// end points. One curve: the curve itself, thinned to at most `points`.
std::vector<BandPoint> band_over(std::span<const Curve> curves, std::size_t points);

// At most `limit` points that keep both ends and the extremes in between.
Curve thinned(const Curve& curve, std::size_t limit);

// Mean over a window of `width` points centred on each (shorter at the ends).
Curve smoothed(const Curve& curve, std::size_t width);

}  // namespace allot
