#include "allot/objective/normalizer.h"

#include <algorithm>
#include <map>

#include "allot/core/error.h"

namespace allot::objective {
namespace {

Aggregation aggregation_of(Norm norm) {
  switch (norm) {
    case Norm::PerToken:
      return Aggregation::TokenMean;
    case Norm::PerGroup:
      return Aggregation::PromptMean;
    case Norm::PerRollout:
    case Norm::Fixed:
      break;
  }
  return Aggregation::SeqMeanTokenMean;
}

// omega without the factor of ranks. `group_rows`: n_g of the row's group.
double weight_of(const Normalizer& normalizer, const RowMass& row, const GlobalCounts& counts,
                 double count, double group_rows) {
  const double length = normalizer.length_divisor > 0 ? normalizer.length_divisor : row.tokens;
  switch (normalizer.aggregation) {
    case Aggregation::TokenMean:
      return 1 / std::max(1.0, counts.tokens);
    case Aggregation::TokenSum:
      return 1;
    case Aggregation::SeqMeanTokenSum:
      return 1 / count;
    case Aggregation::SeqMeanTokenMean:
    case Aggregation::SeqMeanTokenSumNorm:
      return 1 / (count * length);
    case Aggregation::PromptMean:
      return 1 / (counts.groups() * group_rows * length);
    case Aggregation::Method:
      break;
  }
  throw Error(ErrorKind::Internal, "loss", "a normaliser must name its aggregation");
}

}  // namespace

Normalizer Normalizer::of_share(double share) const {
  Normalizer out = *this;
  out.fixed_rows *= share;
  return out;
}

Normalizer normalizer_of(const LossOptions& given, const TrainBatch& batch) {
  const LossOptions options = given.expanded();
  const bool fixed = batch.norm == Norm::Fixed;
  if (fixed && !(batch.fixed > 0))
    throw Error(ErrorKind::Internal, "loss",
                concat("the batch has Norm::Fixed with the constant ", batch.fixed,
                       "; it must be above 0"));
  Normalizer out;
  out.aggregation = aggregation_of(batch.norm);
  out.fixed_rows = fixed ? batch.fixed : 0;
  out.length_divisor = batch.length_divisor > 0 ? batch.length_divisor : options.length_divisor;
  if (options.aggregation == Aggregation::Method) return out;
  if (fixed)
    throw Error(ErrorKind::Config, "loss",
                "loss.aggregation is set, but the allocation method's weights hold only with its "
                "own fixed normaliser",
                "set loss.aggregation to method");
  out.aggregation = options.aggregation;
  if (options.aggregation == Aggregation::SeqMeanTokenSumNorm)
    out.length_divisor = options.norm_constant;
  return out;
}

void GlobalCounts::add(const GlobalCounts& part) {
  tokens += part.tokens;
  rows += part.rows;
  for (const auto& [group, count] : part.group_rows) group_rows[group] += count;
}

GlobalCounts counts_of(std::span<const RowMass> rows) {
  GlobalCounts counts;
  for (const RowMass& row : rows) {
    if (row.tokens == 0) continue;
    counts.tokens += row.tokens;
    counts.rows += 1;
    counts.group_rows[row.group] += 1;
  }
  return counts;
}

std::vector<double> token_weights(const Normalizer& normalizer, std::span<const RowMass> rows,
                                  const GlobalCounts& counts) {
  const double count = normalizer.fixed_rows > 0 ? normalizer.fixed_rows : counts.rows;
  std::vector<double> omega(rows.size(), 0);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].tokens == 0) continue;
    const auto group = counts.group_rows.find(rows[i].group);
    if (!(count > 0) || !(counts.tokens > 0) || group == counts.group_rows.end())
      throw Error(ErrorKind::Internal, "loss",
                  concat("row ", i,
                         " is not among the counted ones; counts of the whole step are "
                         "needed"));
    omega[i] = counts.ranks * weight_of(normalizer, rows[i], counts, count, group->second);
  }
  return omega;
}

std::vector<double> token_weights(const Normalizer& normalizer, std::span<const RowSize> rows) {
  std::vector<RowMass> masses;
  for (const RowSize& row : rows) masses.push_back({row.group, static_cast<double>(row.tokens)});
  return token_weights(normalizer, masses, counts_of(masses));
}

}  // namespace allot::objective
