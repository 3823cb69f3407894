#include "allot/objective/reference.h"

#include <algorithm>
#include <cmath>

#include "allot/core/error.h"
#include "allot/objective/surrogate.h"

namespace allot::objective {
namespace {

[[noreturn]] void refuse(std::size_t row, const std::string& what) {
  throw Error(ErrorKind::Data, "objective", concat("row ", row, ": ", what));
}

const std::vector<double>& anchor_of(const LossRow& row, std::size_t index) {
  if (row.anchor == Anchor::StepStart) {
    const auto& anchor = row.old.empty() ? row.logprob : row.old;
    if (anchor.size() != row.logprob.size())
      refuse(index, concat("old has ", anchor.size(), " log-probabilities, logprob has ",
                           row.logprob.size(), "; one each is needed"));
    return anchor;
  }
  if (row.rollout.size() != row.logprob.size())
    refuse(index,
           concat("the behaviour anchor has ", row.rollout.size(),
                  " log-probabilities, logprob has ", row.logprob.size(), "; one each is needed"));
  return row.rollout;
}

// One token of a row with advantage A.
struct Token {
  double value = 0, coefficient = 0, ratio = 1;
  LossSums counts;  // of this token; the loss is left to the caller
};

Token token_of(const LossOptions& options, double difference, double advantage) {
  const double bound = options.log_ratio_clamp;
  const double log_ratio = std::clamp(difference, -bound, bound);
  const bool clamped = std::abs(difference) > bound;
  Token token;
  token.ratio = std::exp(log_ratio);
  const SurrogateTerm term = surrogate(options, token.ratio, advantage);
  token.value = term.value;
  token.coefficient = clamped ? 0 : term.coefficient;  // the value is flat beyond the clamp
  token.counts.tokens = 1;
  token.counts.clipped_low = term.clipped_low;
  token.counts.clipped_high = term.clipped_high;
  token.counts.clipped_corner = term.clipped_corner;
  token.counts.clamped = clamped;
  token.counts.k1 = -log_ratio;
  token.counts.k3 = std::expm1(log_ratio) - log_ratio;
  token.counts.max_log_ratio = std::abs(log_ratio);
  return token;
}

}  // namespace

LossResult reference_loss(const LossOptions& given, std::span<const LossRow> rows,
                          std::span<const double> omega) {
  const LossOptions options = given.expanded();
  if (omega.size() != rows.size())
    throw Error(ErrorKind::Internal, "objective", "one token weight per row is needed");
  LossResult out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const LossRow& row = rows[i];
    const std::vector<double>& anchor = anchor_of(row, i);
    if (!std::isfinite(row.advantage) || !std::isfinite(row.weight))
      refuse(i, concat("advantage ", row.advantage, ", weight ", row.weight,
                       "; finite ones are needed"));
    const double scale = omega[i] * row.weight;
    const std::size_t n = row.logprob.size();
    std::vector<double>& gradient = out.gradient.emplace_back(n, 0.0);
    ItemRatio& item = out.items.emplace_back();
    if (row.advantage == 0 || row.weight == 0 || n == 0) continue;
    double ratios = 0, clipped = 0;
    for (std::size_t t = 0; t < n; ++t) {
      const double difference = row.logprob[t] - anchor[t];
      if (std::isnan(difference)) refuse(i, concat("token ", t, ": not a log-probability"));
      const Token token = token_of(options, difference, row.advantage);
      out.loss -= scale * token.value;
      out.coefficient_loss -= scale * token.coefficient * row.advantage * row.logprob[t];
      gradient[t] = -scale * token.coefficient * row.advantage;
      ratios += token.ratio;
      clipped += token.counts.clipped_low + token.counts.clipped_high + token.counts.clipped_corner;
      out.sums.add(token.counts);
    }
    item = {ratios / static_cast<double>(n), clipped / static_cast<double>(n)};
  }
  out.sums.loss = out.loss;
  return out;
}

LossResult reference_loss(const LossOptions& options, const Normalizer& normalizer,
                          std::span<const LossRow> rows) {
  std::vector<RowSize> sizes;
  for (const LossRow& row : rows)
    sizes.push_back({row.group, static_cast<std::uint32_t>(row.logprob.size())});
  return reference_loss(options, rows, token_weights(normalizer, sizes));
}

}  // namespace allot::objective
