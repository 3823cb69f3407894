// The surrogate f of one token: its value and its gradient coefficient. Source: objectives, 6.
//
// Two kinds: functions of the ratio, whose value carries the gradient, and detached weights of the
// log-probability (clipped_weight, gamma_weight, reinforce), whose coefficient is the weight.
#pragma once

#include "allot/objective/options.h"

namespace allot::objective {

struct SurrogateTerm {
  double value = 0;        // A f(r); the loss of the token is minus this
  double coefficient = 0;  // c >= 0 with d(-A f)/d logprob = -c A
  // Which bound took the gradient away: A < 0 and small r, A > 0 and large r, or the dual clip or
  // ratio cap (A < 0 and large r).
  bool clipped_low = false, clipped_high = false, clipped_corner = false;
};

// ppo_clip and soft. `options` must be expanded; ratio > 0.
SurrogateTerm surrogate(const LossOptions& options, double ratio, double advantage);

bool is_detached_weight(Surrogate surrogate);

// clipped_weight, gamma_weight, reinforce: the weight of A log pi. `log_ratio` of the token or, for
// the product of a response, of the whole response.
double detached_weight(const LossOptions& options, double log_ratio, double advantage);

// Geometric mean (GMPO): the log ratio that one token adds to the mean, and whether its gradient
// stays. log r <= clip_high counts where A > 0, log r >= -clip_low where A < 0.
struct ClippedLogRatio {
  double log_ratio = 0;
  bool kept = true;
};
ClippedLogRatio clipped_log_ratio(const LossOptions& options, double log_ratio, double advantage);

}  // namespace allot::objective
