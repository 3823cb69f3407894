// The masks of loss.masks over the rows of a step. Masks that renormalise (curvature, obrs,
// truncated) change which tokens count; the others are factors of the tokens that count.
// Source: objectives, section 7.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "allot/core/types.h"
#include "allot/objective/step_terms.h"

namespace allot::objective {

// Changes terms[i].mask; obrs also sets the factor if it reweighs. `moments` as step_terms().
void apply_renormalizing(const LossOptions& options, std::span<const LossRow> rows,
                         const TokenDraw& draw, const CurvatureMoments* moments,
                         std::vector<RowTerms>& terms, std::vector<MaskCount>& counts);

// Multiplies terms[i].factor.
void apply_factors(const LossOptions& options, std::span<const LossRow> rows,
                   std::vector<RowTerms>& terms, std::vector<MaskCount>& counts);

// log rho = log old - log rollout, clamped. Throws Error(Data) where one is missing.
std::vector<double> log_rho(const LossOptions& options, const LossRow& row, std::size_t index);

}  // namespace allot::objective
