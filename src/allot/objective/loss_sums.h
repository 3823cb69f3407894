// What a loss reports beside its gradient, as sums over tokens, so that parts of a batch add up.
// Source: objectives, section 16; names as in conventions, section 5.3.
#pragma once

#include <vector>

#include "allot/core/types.h"

namespace allot::objective {

struct LossSums {
  double loss = 0;  // in value mode
  double tokens = 0;
  double clipped_low = 0, clipped_high = 0, clipped_corner = 0, clamped = 0;  // tokens
  double k1 = 0, k3 = 0;  // of the policy against the anchor: -log r and r - 1 - log r
  double max_log_ratio = 0;
  double policy = 0, kl = 0, entropy = 0;   // the loss by term
  double kl_estimate = 0, entropy_sum = 0;  // over tokens
  double trained = 0, zero_signal = 0;      // tokens that count; those of rows without advantage

  void add(const LossSums& other);
};

// Of one row: mean ratio and share of tokens whose gradient a bound took away.
struct ItemRatio {
  double ratio = 1, clip_fraction = 0;
};

// loss/{total,policy} (equal where the loss has no term of KL or entropy),
// policy/{clip_low,clip_high,clip_region,kl_anchor_k1,kl_anchor_k3,max_log_ratio}, and
// policy/{clip_corner,clamped} where they are not 0. `sums` of several updates: their mean loss
// needs `updates`.
std::vector<Metric> metrics_of(const LossSums& sums, double updates);

}  // namespace allot::objective
