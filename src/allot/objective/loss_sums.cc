#include "allot/objective/loss_sums.h"

#include <algorithm>

namespace allot::objective {

void LossSums::add(const LossSums& other) {
  loss += other.loss;
  tokens += other.tokens;
  clipped_low += other.clipped_low;
  clipped_high += other.clipped_high;
  clipped_corner += other.clipped_corner;
  clamped += other.clamped;
  k1 += other.k1;
  k3 += other.k3;
  policy += other.policy;
  kl += other.kl;
  entropy += other.entropy;
  kl_estimate += other.kl_estimate;
  entropy_sum += other.entropy_sum;
  trained += other.trained;
  zero_signal += other.zero_signal;
  max_log_ratio = std::max(max_log_ratio, other.max_log_ratio);
}

std::vector<Metric> metrics_of(const LossSums& sums, double updates) {
  const double tokens = std::max(1.0, sums.tokens);
  return {
      {"loss/total", sums.loss / std::max(1.0, updates)},
      {"loss/policy", (sums.loss - sums.kl - sums.entropy) / std::max(1.0, updates)},
      {"policy/clip_low", sums.clipped_low / tokens},
      {"policy/clip_high", sums.clipped_high / tokens},
      {"policy/clip_region", (sums.clipped_low + sums.clipped_high + sums.clipped_corner) / tokens},
      {"policy/kl_anchor_k1", sums.k1 / tokens},
      {"policy/kl_anchor_k3", sums.k3 / tokens},
      {"policy/clip_corner", sums.clipped_corner / tokens},
      {"policy/clamped", sums.clamped / tokens},
      {"policy/max_log_ratio", sums.max_log_ratio}};
}

}  // namespace allot::objective
