// How far the policy has moved at one token, for the trust region of Divergence PPO
// (arXiv 2602.04879): divergence of pi from mu over a coarse partition of the vocabulary, a lower
// bound of the full one. Source: objectives, section 7.
#pragma once

#include <cstddef>

#include "allot/objective/loss_row.h"
#include "allot/objective/options.h"

namespace allot::objective {

// {sampled token, rest}. TV = |pi - mu|; KL = sum mu log(mu / pi). Log-probabilities.
double binary_tv(double pi, double mu);
double binary_kl(double pi, double mu);

// {each of top.ids, the sampled token, rest}. `pi`, `mu`: of the sampled token. Masses of the rest
// are at least 1e-12.
double top_k_tv(const TopK& top, std::int64_t sampled, double pi, double mu);
double top_k_kl(const TopK& top, std::int64_t sampled, double pi, double mu);

// As the options say, at token t of row `index`; `pi` is the current policy. Throws Error(Data)
// where the top-K lists are missing.
double divergence(Divergence kind, const LossRow& row, std::size_t index, std::size_t t, double mu);

}  // namespace allot::objective
