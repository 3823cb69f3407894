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

std::vector<double> token_weights(const Normalizer& normalizer, std::span<const RowSize> rows) {
  double tokens = 0, count = 0;
  std::map<std::uint32_t, double> group_rows;
  for (const RowSize& row : rows) {
    if (row.tokens == 0) continue;
    tokens += row.tokens;
    count += 1;
    group_rows[row.group] += 1;
  }
  if (normalizer.fixed_rows > 0) count = normalizer.fixed_rows;
  const auto groups = static_cast<double>(group_rows.size());

  std::vector<double> omega(rows.size(), 0);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].tokens == 0) continue;
    const double length = normalizer.length_divisor > 0 ? normalizer.length_divisor
                                                        : static_cast<double>(rows[i].tokens);
    switch (normalizer.aggregation) {
      case Aggregation::TokenMean:
        omega[i] = 1 / tokens;
        break;
      case Aggregation::TokenSum:
        omega[i] = 1;
        break;
      case Aggregation::SeqMeanTokenSum:
        omega[i] = 1 / count;
        break;
      case Aggregation::SeqMeanTokenMean:
      case Aggregation::SeqMeanTokenSumNorm:
        omega[i] = 1 / (count * length);
        break;
      case Aggregation::PromptMean:
        omega[i] = 1 / (groups * group_rows[rows[i].group] * length);
        break;
      case Aggregation::Method:
        throw Error(ErrorKind::Internal, "loss", "a normaliser must name its aggregation");
    }
  }
  return omega;
}

}  // namespace allot::objective
