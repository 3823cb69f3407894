// The modelled effect of one token's gradient step on the last layer, for the mask of CAPO
// (arXiv 2510.00819), with plain gradient steps. Source: objectives, section 7.
//
// Last layer z = W h, p = softmax(z) over the given ids, v = e_a - p, u = A |h|^2 v. Everything is
// a contraction of rank one; W itself is not needed.
#pragma once

#include <cstdint>
#include <span>

#include "allot/objective/factor_options.h"
#include "allot/objective/loss_row.h"

namespace allot::objective {

struct Curvature {
  double step = 0;     // <g, G> = A^2 |v|^2 |h|^2
  double hessian = 0;  // q = A [ (v.u)^2 - u'(diag p - p p')u ]
  double m_h = 0;      // lr <g, G> + lr^2 q / 2
  double m_f = 0;      // lr^2 (v.u)^2 / 2
};

// `logprob`: of the ids, renormalised here. `action`: index among them, or -1 if the sampled token
// is none of them, which gives v = -p.
Curvature curvature(std::span<const double> logprob, std::ptrdiff_t action,
                    std::span<const double> hidden, double advantage, double lr);

// Whether the token stays: m_f < delta_f, and m_h within delta_h.
bool keeps_curvature(const CurvatureOptions& options, const LossRow& row, std::size_t index,
                     std::size_t t);

}  // namespace allot::objective
