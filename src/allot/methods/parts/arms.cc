#include "allot/methods/parts/arms.h"

#include <algorithm>
#include <cmath>
#include <compare>

#include "allot/methods/parts/advantages.h"
#include "allot/methods/parts/selectors.h"

namespace allot {

ArmFeatures features_of(const Arm& arm, std::uint64_t round) {
  return {arm.reward,
          arm.advantage,
          arm.pool_mean,
          arm.entropy,
          arm.clip_fraction,
          arm.drift,
          arm.length,
          arm.truncated ? 1.0 : 0.0,
          static_cast<double>(round - arm.round),
          static_cast<double>(arm.uses)};
}

void RunningMoments::add(const ArmFeatures& features) {
  ++count_;
  for (std::size_t k = 0; k < kArmFeatures; ++k) {
    const double before = features[k] - mean_[k];
    mean_[k] += before / count_;
    squares_[k] += before * (features[k] - mean_[k]);
  }
}

ArmFeatures RunningMoments::standardised(const ArmFeatures& features) const {
  ArmFeatures out{};
  for (std::size_t k = 0; k < kArmFeatures; ++k) {
    const double variance = count_ > 0 ? squares_[k] / count_ : 0;
    if (variance > 1e-12) out[k] = (features[k] - mean_[k]) / std::sqrt(variance);
  }
  return out;
}

std::uint32_t choose_arms(std::span<const double> scores, ArmRange from, std::uint32_t k,
                          double epsilon, RandomStream stream, Ragged<std::uint32_t>& taken) {
  std::uint32_t explored = 0;
  for (std::uint32_t slot = 0; slot < k; ++slot) explored += stream.uniform() < epsilon;
  for (std::uint32_t i = 0; i < from.count; ++i) taken.push(from.first + i);
  const std::span<std::uint32_t> order = taken.open();
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const auto above = std::weak_order(scores[b], scores[a]);  // an order of NaN, too
    return std::is_neq(above) ? std::is_lt(above) : a < b;
  });
  draw_to_front(order.subspan(k - explored), explored, stream);
  std::sort(order.begin(), order.begin() + k);
  taken.cut(k);
  taken.close();
  return explored;
}

double correlation(std::span<const double> a, std::span<const double> b) {
  const double mean_a = mean_of(a), mean_b = mean_of(b);
  double product = 0, squares_a = 0, squares_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    product += (a[i] - mean_a) * (b[i] - mean_b);
    squares_a += (a[i] - mean_a) * (a[i] - mean_a);
    squares_b += (b[i] - mean_b) * (b[i] - mean_b);
  }
  const double scale = std::sqrt(squares_a * squares_b);
  return scale > 0 ? product / scale : 0;
}

}  // namespace allot
