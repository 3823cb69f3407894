#include "allot/report/curves.h"

#include <algorithm>
#include <cmath>

#include "allot/report/intervals.h"

namespace allot {

std::optional<double> value_at(std::span<const CurvePoint> curve, double x) {
  if (curve.empty() || !(x >= curve.front().x && x <= curve.back().x)) return std::nullopt;
  const auto right = std::lower_bound(curve.begin(), curve.end(), x,
                                      [](const CurvePoint& p, double v) { return p.x < v; });
  if (right->x == x || right == curve.begin()) return right->y;
  const CurvePoint& a = *(right - 1);
  return a.y + (right->y - a.y) * (x - a.x) / (right->x - a.x);
}

std::optional<double> first_crossing(std::span<const CurvePoint> curve, double target) {
  for (std::size_t i = 0; i < curve.size(); ++i) {
    if (!(curve[i].y >= target)) continue;
    if (i == 0) return curve[0].x;
    const CurvePoint &a = curve[i - 1], &b = curve[i];
    return a.x + (b.x - a.x) * (target - a.y) / (b.y - a.y);  // a.y < target <= b.y
  }
  return std::nullopt;
}

namespace {

std::vector<BandPoint> single_line(const Curve& curve, std::size_t points) {
  std::vector<BandPoint> line;
  for (const CurvePoint& p : thinned(curve, points))
    line.push_back({p.x, p.y, std::nullopt, std::nullopt});
  return line;
}

}  // namespace

std::vector<BandPoint> band_over(std::span<const Curve> curves, std::size_t points) {
  if (curves.size() == 1) return single_line(curves[0], points);
  std::vector<BandPoint> band;
  double low = -HUGE_VAL, high = HUGE_VAL;
  for (const Curve& curve : curves) {
    if (curve.empty()) return band;
    low = std::max(low, curve.front().x);
    high = std::min(high, curve.back().x);
  }
  if (curves.empty() || points == 0 || low > high) return band;
  const std::size_t last = low == high ? 0 : std::max<std::size_t>(points, 2) - 1;
  for (std::size_t i = 0; i <= last; ++i) {
    const double share = last ? static_cast<double>(i) / static_cast<double>(last) : 0;
    const double x = i == last ? high : low + (high - low) * share;
    std::vector<double> values;
    for (const Curve& curve : curves) values.push_back(value_at(curve, x).value());
    const Estimate estimate = mean_estimate(values);
    band.push_back({x, estimate.mean, estimate.interval->low, estimate.interval->high});
  }
  return band;
}

Curve thinned(const Curve& curve, std::size_t limit) {
  if (curve.size() <= limit || limit < 4) return curve;
  Curve kept = {curve.front()};
  // Buckets between the two ends, each giving its lowest and its highest point in order.
  const std::size_t buckets = (limit - 2) / 2, inner = curve.size() - 2;
  for (std::size_t b = 0; b < buckets; ++b) {
    const auto begin = curve.begin() + 1 + static_cast<std::ptrdiff_t>(b * inner / buckets);
    const auto end = curve.begin() + 1 + static_cast<std::ptrdiff_t>((b + 1) * inner / buckets);
    auto [low, high] = std::minmax_element(
        begin, end, [](const CurvePoint& p, const CurvePoint& q) { return p.y < q.y; });
    if (high < low) std::swap(low, high);
    kept.push_back(*low);
    if (high != low) kept.push_back(*high);
  }
  kept.push_back(curve.back());
  return kept;
}

Curve smoothed(const Curve& curve, std::size_t width) {
  const std::size_t reach = width / 2;
  Curve smooth;
  for (std::size_t i = 0; i < curve.size(); ++i) {
    const std::size_t first = i - std::min(i, reach);
    const std::size_t last = std::min(curve.size() - 1, i + reach);
    double sum = 0;
    for (std::size_t j = first; j <= last; ++j) sum += curve[j].y;
    smooth.push_back({curve[i].x, sum / static_cast<double>(last - first + 1)});
  }
  return smooth;
}

}  // namespace allot
