// The modelled effect of one token's gradient step on the last layer, for the mask of CAPO
// (arXiv 2510.00819). Source: objectives, section 7.
//
// Last layer z = W h, p = softmax(z) over the given ids, v = e_a - p; the step is G for the
// gradient g = A v h', and u = G h. Plain steps have G = g, u = A |h|^2 v; those of Adam are
// modelled in curvature_moments.h. Everything is a contraction of rank one; W itself is not needed.
#pragma once

#include <cstdint>
#include <span>

#include "allot/objective/curvature_moments.h"
#include "allot/objective/factor_options.h"
#include "allot/objective/loss_row.h"

namespace allot::objective {

struct Curvature {
  double step = 0;     // <g, G> = A v.u
  double hessian = 0;  // q = A [ (v.u)^2 - u'(diag p - p p')u ]
  double m_h = 0;      // lr <g, G> + lr^2 q / 2
  double m_f = 0;      // lr^2 (v.u)^2 / 2
};

// Of plain gradient steps. `logprob`: of the ids, renormalised here. `action`: index among them, or
// -1 if the sampled token is none of them, which gives v = -p.
Curvature curvature(std::span<const double> logprob, std::ptrdiff_t action,
                    std::span<const double> hidden, double advantage, double lr);

// Of Adam's steps: `ids` as `logprob`.
Curvature curvature(std::span<const double> logprob, std::ptrdiff_t action,
                    std::span<const double> hidden, double advantage, double lr,
                    std::span<const std::int64_t> ids, const CurvatureMoments& moments);

// Whether the token stays: m_f < delta_f, and m_h within delta_h. `moments` matter to Adam's form
// alone; without them it stands before its first step.
bool keeps_curvature(const CurvatureOptions& options, const LossRow& row, std::size_t index,
                     std::size_t t, const CurvatureMoments* moments);

// Adds the gradient of a token that stayed.
void add_head_gradient(const LossRow& row, std::size_t t, HeadGradient& gradient);

}  // namespace allot::objective
