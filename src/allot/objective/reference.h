// The policy loss in double precision, as loops: the oracle of every faster form, and what
// `allot objective` prints. Source: objectives, section 1 and sections 5, 6, 10.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/types.h"
#include "allot/objective/loss_sums.h"
#include "allot/objective/normalizer.h"
#include "allot/objective/options.h"

namespace allot::objective {

// One response. `old` is the policy at the start of the update phase, `rollout` the one that
// generated; the ratio is against the one that `anchor` names. All are [tokens].
struct LossRow {
  std::uint32_t group = 0;
  double advantage = 0, weight = 1;
  Anchor anchor = Anchor::StepStart;
  std::vector<double> logprob;
  std::vector<double> old;      // empty: the current policy, detached (a single update)
  std::vector<double> rollout;  // may be empty for Anchor::StepStart
};

struct LossResult {
  double loss = 0;                            // the surrogate as written (value mode)
  double coefficient_loss = 0;                // same gradient: - sum omega v sg(c) A logprob
  std::vector<std::vector<double>> gradient;  // dL / d logprob, per row and token
  std::vector<ItemRatio> items;               // per row
  LossSums sums;                              // over rows with advantage and weight other than 0
};

// `omega` per row from token_weights(). Throws Error(Data) for a missing anchor, lengths that
// differ, and numbers that are NaN; naming the row.
LossResult reference_loss(const LossOptions& options, std::span<const LossRow> rows,
                          std::span<const double> omega);

// The same with omega from the rows themselves.
LossResult reference_loss(const LossOptions& options, const Normalizer& normalizer,
                          std::span<const LossRow> rows);

}  // namespace allot::objective
