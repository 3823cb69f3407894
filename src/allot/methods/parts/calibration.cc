#include "allot/methods/parts/calibration.h"

#include <algorithm>
#include <array>

namespace allot {
namespace {

constexpr int kBins = 5;

}  // namespace

void set_calibration(MetricList& metrics, std::span<const Prediction> predictions) {
  std::array<Prediction, kBins> bins;
  double error = 0, n = 0;
  for (const Prediction& p : predictions) {
    Prediction& bin = bins[static_cast<std::size_t>(std::clamp(p.rate * kBins, 0.0, kBins - 1.0))];
    bin.right += p.right, bin.n += p.n;
    n += p.n;
    error += p.right * (1 - p.rate) * (1 - p.rate) + (p.n - p.right) * p.rate * p.rate;
  }
  metrics.set_share("belief/brier", error, n);
  for (int k = 0; k < kBins; ++k)
    metrics.set_share("belief/calib_bins/" + std::to_string(k),
                      bins[static_cast<std::size_t>(k)].right, bins[static_cast<std::size_t>(k)].n);
}

}  // namespace allot
