// Everything of a step's loss that carries no gradient, decided once over ALL rows of the step:
// which tokens count (masks that renormalise), what they weigh (omega), and the factors k b of the
// masks that leave the denominators alone and of the mismatch weight. With these terms a loss can
// be taken over any part of the rows, and the parts add up to the whole. Source: objectives,
// sections 7, 8 and 10.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "allot/objective/curvature_moments.h"
#include "allot/objective/loss_row.h"
#include "allot/objective/normalizer.h"
#include "allot/objective/options.h"
#include "allot/objective/term_sums.h"

namespace allot::objective {

struct RowTerms {
  double omega = 0;            // weight of one token
  double sequence_weight = 0;  // D / B: of a loss with one term per response
  double entropy_weight = 0;   // D / N: of one token in the mean entropy
  std::vector<double> mask;    // m, [tokens]: 0, 1, or the probability of expected rejection
  std::vector<double> factor;  // k b, [tokens]
  double size() const;         // n_i, the sum of the mask
};

// Uniform number in (0, 1) of a token, the same for every update on its rollout.
using TokenDraw = std::function<double(std::uint64_t rollout_id, std::size_t token)>;

// Keyed by (seed, step, rollout id, token).
TokenDraw keyed_draw(std::uint64_t seed, std::uint64_t step);

struct StepTerms {
  std::vector<RowTerms> rows;
  GlobalCounts counts;
  TermSums sums;
  std::map<std::uint32_t, double> prompt_weight;  // by group: sum of omega over tokens

  // Those of `sums`, loss/prompt_weight_{min,max}, train/{sequences,prompts}.
  std::vector<Metric> metrics() const;
};

// `options` expanded. `moments`: what the mask `curvature` in its form for Adam knows of the steps
// before; without them this is the first. Throws Error(Data) naming the row that lacks what the
// options need.
StepTerms step_terms(const LossOptions& options, const Normalizer& normalizer,
                     std::span<const LossRow> rows, const TokenDraw& draw,
                     const CurvatureMoments* moments = nullptr);

// Whether the masks depend on CurvatureMoments, which are then to be advanced after every update by
// head_gradient(), the mean over the tokens that count.
bool keeps_curvature_moments(const LossOptions& options);
HeadGradient head_gradient(std::span<const LossRow> rows, std::span<const RowTerms> terms);

// ---- the same in parts, for a trainer that computes a micro-batch at a time ----

// True where the terms of one row depend on what the policies say of the others, so that
// part_terms() cannot tell them: masks by a drawn or an entropy threshold, normalised weights.
bool needs_whole_step(const LossOptions& options);

// What is known of a row before any policy has seen it.
struct RowShape {
  std::uint32_t group = 0;
  std::size_t tokens = 0;
  bool truncated = false;
};
// What the denominators of a loss count that does not need the whole step.
GlobalCounts step_counts(const LossOptions& options, std::span<const RowShape> rows);

// Terms of some rows, with the counts of all. Throws Error(Internal) for options that need the
// whole step.
StepTerms part_terms(const LossOptions& options, const Normalizer& normalizer,
                     const GlobalCounts& counts, std::span<const LossRow> rows);

// The tokens that count before any mask of the options: generated and scorable.
std::vector<double> base_mask(const LossRow& row, std::size_t index);

// Mean of the entropies over the tokens that count; rows without them are left out.
double mean_entropy(std::span<const LossRow> rows, std::span<const RowTerms> terms);

}  // namespace allot::objective
