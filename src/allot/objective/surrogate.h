// The surrogate f of one token: its value and its gradient coefficient. Source: objectives, 6.
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

// `options` must be expanded; ratio > 0.
SurrogateTerm surrogate(const LossOptions& options, double ratio, double advantage);

}  // namespace allot::objective
