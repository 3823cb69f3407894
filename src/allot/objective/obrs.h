// Optimal budgeted rejection sampling (Jackpot, arXiv 2602.06107): tokens of another policy mu are
// accepted so that those that stay look as if sampled from p, and weighed for the rest of the way.
//
//   a = min(1, p / (lambda mu))      Z = sum_x min(mu, p / lambda)      w = Z max(lambda, p / mu)
//
// so that a w = Z p / mu. Z is summed over the likeliest tokens of both. Source: objectives, 7.
#pragma once

#include <cstddef>

#include "allot/objective/factor_options.h"
#include "allot/objective/loss_row.h"

namespace allot::objective {

double obrs_acceptance(double lambda, double p, double mu);  // log-probabilities

// Z over the ids of `top`; with the whole vocabulary it is exact.
double obrs_mass(const ObrsOptions& options, const TopK& top);

// b = min(w, c1), times min(old / current, c2) where p is the current policy. `mass`: Z, already
// multiplied by kappa.
double obrs_weight(const ObrsOptions& options, double mass, double p, double mu, double old,
                   double current);

}  // namespace allot::objective
