// omega: the weight of one token in the loss, for the contract's normalisers and the six
// aggregations. Source: objectives, section 10; contract, "Loss applied by the driver".
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "allot/core/types.h"
#include "allot/objective/options.h"

namespace allot::objective {

struct RowSize {
  std::uint32_t group = 0;   // any numbers; equal means the same group
  std::uint32_t tokens = 0;  // trained tokens n_i; rows without any count nowhere
};

//   TokenMean 1/N          TokenSum 1             SeqMeanTokenMean 1/(B n_i)
//   SeqMeanTokenSum 1/B    SeqMeanTokenSumNorm 1/(B C)    PromptMean 1/(P n_g n_i)
//
// with N tokens, B rows, P groups, n_g rows of the group, C = length_divisor. Norm::Fixed is
// SeqMeanTokenMean with B replaced by a constant.
struct Normalizer {
  Aggregation aggregation = Aggregation::PromptMean;  // never Method
  double fixed_rows = 0;                              // > 0: used for B
  double length_divisor = 0;                          // > 0: used for n_i, and for C

  // For a part of the batch that is normalised over itself and holds `share` of its items.
  Normalizer of_share(double share) const;
};

// What options and batch together ask for. Throws Error(Config) if options replace a fixed
// normaliser, Error(Internal) for Norm::Fixed without a constant above 0.
Normalizer normalizer_of(const LossOptions& options, const TrainBatch& batch);

// What the denominators count, in the whole step: all micro-batches, all ranks.
struct GlobalCounts {
  double tokens = 0, rows = 0;
  std::map<std::uint32_t, double> group_rows;  // by group: rows with tokens
  double ranks = 1;                            // D: gradients are averaged over so many later

  double groups() const { return static_cast<double>(group_rows.size()); }
  // Counts of another part of the step.
  void add(const GlobalCounts& part);
};

// One row, whose number of trained tokens need not be whole (expected rejection sampling).
struct RowMass {
  std::uint32_t group = 0;
  double tokens = 0;
};

GlobalCounts counts_of(std::span<const RowMass> rows);

// omega of the rows of any part of the step. Throws Error(Internal) for counts that do not cover
// the rows; they are never replaced by local sums.
std::vector<double> token_weights(const Normalizer& normalizer, std::span<const RowMass> rows,
                                  const GlobalCounts& counts);

// omega of each row's tokens; the same for all tokens of a row, 0 for a row without tokens. `rows`
// are ALL rows that are normalised together, never a micro-batch.
std::vector<double> token_weights(const Normalizer& normalizer, std::span<const RowSize> rows);

}  // namespace allot::objective
