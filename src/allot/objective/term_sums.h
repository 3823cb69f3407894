// What masks kept and how far the rollout policy was, as sums over tokens, so that parts of a step
// add up. Source: objectives, section 16.
#pragma once

#include <string>
#include <vector>

#include "allot/core/types.h"

namespace allot::objective {

// How many tokens a mask saw and kept, by the sign of their advantage.
struct MaskCount {
  std::string name;
  double seen_positive = 0, kept_positive = 0, seen_other = 0, kept_other = 0;

  void count(double advantage, double mask, double kept);
};

// Of the edge old / rollout, over the tokens that count.
struct EdgeSums {
  double tokens = 0, rho = 0, rho_square = 0, k1 = 0, k3 = 0;

  void add_token(double log_rho);
};

struct TermSums {
  std::vector<MaskCount> masks;  // in the order of loss.masks, the same for all parts of a step
  EdgeSums edge;

  // Of another part of the step.
  void add(const TermSums& part);
  // mask/NAME_keep_pos, mask/NAME_keep_neg; mismatch/{k1,k3,ess,chi_square} where a row has
  // log-probabilities of the rollout policy. ess is a number of tokens.
  std::vector<Metric> metrics() const;
};

}  // namespace allot::objective
