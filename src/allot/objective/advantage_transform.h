// Advantages that need more than rewards: log-probabilities or numbers of tokens. They start from
// the scalars of methods/parts/advantages.h and are given by token. Source: objectives, section
// 4.2 (REINFORCE++, arXiv 2501.03262) and 4.3 (GDPO, arXiv 2601.05242).
#pragma once

#include <span>
#include <vector>

#include "allot/objective/loss_row.h"
#include "allot/objective/options.h"

namespace allot::objective {

// How moments over a step are taken.
struct WhitenRule {
  bool biased = false;    // variance / n instead of / (n - 1)
  double floor = 1e-8;    // (x - mean) / sqrt(variance + floor)
  double std_offset = 0;  // with floor 0: (x - mean) / (sqrt(variance) + offset)
};
WhitenRule whiten_rule(Compat compat);

struct Moments {
  double count = 0, mean = 0, squares = 0;  // squares: sum of (x - mean)^2
  void add(double value, double weight);
  void add(const Moments& other);  // of another part of the step
};

// (x - mean) / sd by the rule.
double whitened(const WhitenRule& rule, const Moments& moments, double value);

// Sum over the response of log old - log ref, over tokens that count: taken from the reward with
// weight beta before the estimator (RLOO). 0 for a row without any.
double kl_of_row(const LossRow& row, std::size_t index);

// REINFORCE++: return gamma^(n - t) R - beta sum_{s >= t} gamma^(s - t) (log old - log ref)_s of
// the t-th of the n tokens that count, whitened over all of the step. `rewards`: R by row. Sets
// token_advantage.
void reinforce_plus_plus(std::span<const double> rewards, double beta, double gamma,
                         const WhitenRule& rule, std::span<LossRow> rows);

// A token's advantage is its row's, whitened over all tokens of the step (each row weighs by its
// length): REINFORCE++-Baseline and GDPO with adv.unit = token. Sets `advantage`; rows without
// tokens stay out of the moments.
void whiten_by_token(const WhitenRule& rule, std::span<LossRow> rows);

}  // namespace allot::objective
