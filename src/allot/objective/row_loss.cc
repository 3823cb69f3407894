#include "allot/objective/row_loss.h"

#include <algorithm>
#include <cmath>

#include "allot/objective/ratio.h"
#include "allot/objective/surrogate.h"

namespace allot::objective {
namespace {

LogRatios weight_ratios(const RowView& view, std::span<const double> logprob) {
  return log_ratios(view.options.log_ratio_clamp, logprob,
                    weight_anchor(view.options, view.row, view.index), view.index);
}

// log s: mean or sum of the log ratios of the tokens that count, for the levels of a sequence.
double sequence_log_ratio(const RowView& view, const LogRatios& ratios) {
  const double sum = masked_sum(ratios.log, view.terms.mask);
  const double n = view.terms.size();
  if (view.options.level == ImportanceLevel::SequenceProduct)
    return std::clamp(sum, -view.options.log_ratio_clamp, view.options.log_ratio_clamp);
  return n > 0 ? sum / n : 0;
}

// Log ratio that stands for token t. `sequence`: log s at the moved log-probabilities.
double level_log_ratio(const RowView& view, const LogRatios& ratios, double sequence,
                       double sequence_fixed, double moved, std::size_t t) {
  switch (view.options.level) {
    case ImportanceLevel::SequenceGeometric:
    case ImportanceLevel::SequenceProduct:
      return sequence;
    case ImportanceLevel::SequenceGeometricToken:
      return sequence_fixed + moved;
    case ImportanceLevel::OfPreset:
    case ImportanceLevel::Token:
      break;
  }
  return ratios.log[t];
}

// One term per sequence, spread evenly over its tokens (product level only).
double spread(const RowView& view) {
  if (view.options.level != ImportanceLevel::SequenceProduct) return 1;
  const double n = view.terms.size();
  return n > 0 ? 1 / n : 1;
}

// Mean over the response of the clipped log ratios (GMPO).
double geometric_mean(const RowView& view, const LogRatios& ratios) {
  double sum = 0;
  for (std::size_t t = 0; t < ratios.log.size(); ++t)
    sum += view.terms.mask[t] *
           clipped_log_ratio(view.options, ratios.log[t], view.row.advantage_at(t)).log_ratio;
  const double n = view.terms.size();
  return std::exp(n > 0 ? sum / n : 0);
}

void count_token(const SurrogateTerm& term, double log_ratio, bool clamped, LossSums& sums) {
  sums.tokens += 1;
  sums.clipped_low += term.clipped_low;
  sums.clipped_high += term.clipped_high;
  sums.clipped_corner += term.clipped_corner;
  sums.clamped += clamped;
  sums.k1 -= log_ratio;
  sums.k3 += std::expm1(log_ratio) - log_ratio;
  sums.max_log_ratio = std::max(sums.max_log_ratio, std::abs(log_ratio));
}

// The coefficient of A at token t before the levels of a sequence spread it, and what was clipped.
SurrogateTerm token_term(const RowView& view, double log_ratio, double advantage) {
  SurrogateTerm term;
  if (is_detached_weight(view.options.surrogate))
    term.coefficient = detached_weight(view.options, log_ratio, advantage);
  else
    term = surrogate(view.options, std::exp(log_ratio), advantage);
  return term;
}

// The gradient of a function of the ratio of the whole response reaches all its tokens alike.
void share_over_sequence(const RowView& view, const LogRatios& ratios,
                         std::vector<double>& gradient) {
  double sum = 0;
  for (const double g : gradient) sum += g;
  const bool product = view.options.level == ImportanceLevel::SequenceProduct;
  const double n = view.terms.size();
  const bool flat =
      product && std::abs(masked_sum(ratios.log, view.terms.mask)) > view.options.log_ratio_clamp;
  if (flat) sum = 0;
  for (std::size_t t = 0; t < gradient.size(); ++t) {
    const double part = product ? view.terms.mask[t] : view.terms.mask[t] / std::max(n, 1e-300);
    gradient[t] = ratios.clamped[t] ? 0 : sum * part;
  }
}

}  // namespace

double policy_value(const RowView& view, std::span<const double> logprob) {
  const LossOptions& o = view.options;
  const LogRatios moved = weight_ratios(view, logprob);
  const LogRatios fixed = weight_ratios(view, view.row.logprob);
  const double sequence = sequence_log_ratio(view, moved);
  const double sequence_fixed = sequence_log_ratio(view, fixed);
  const double geometric =
      o.surrogate == Surrogate::GeometricMean ? geometric_mean(view, moved) : 0;
  const double share = spread(view);
  double loss = 0;
  for (std::size_t t = 0; t < logprob.size(); ++t) {
    const double scale = view.scale(t), advantage = view.row.advantage_at(t);
    if (scale == 0 || advantage == 0) continue;
    if (o.surrogate == Surrogate::GeometricMean) {
      loss -= scale * advantage * geometric;
    } else if (is_detached_weight(o.surrogate)) {
      const double log = level_log_ratio(view, fixed, sequence_fixed, sequence_fixed, 0, t);
      loss -= scale * advantage * detached_weight(o, log, advantage) * logprob[t];
    } else {
      const double log = level_log_ratio(view, moved, sequence, sequence_fixed,
                                         logprob[t] - view.row.logprob[t], t);
      loss -= scale * share * surrogate(o, std::exp(log), advantage).value;
    }
  }
  return loss;
}

PolicyGradient policy_gradient(const RowView& view) {
  const LossOptions& o = view.options;
  const std::size_t n = view.row.logprob.size();
  const LogRatios ratios = weight_ratios(view, view.row.logprob);
  const double sequence = sequence_log_ratio(view, ratios);
  const bool weight = is_detached_weight(o.surrogate);
  const bool geometric = o.surrogate == Surrogate::GeometricMean;
  const bool shared = geometric || (!weight && (o.level == ImportanceLevel::SequenceGeometric ||
                                                o.level == ImportanceLevel::SequenceProduct));
  const double mean = geometric ? geometric_mean(view, ratios) : 0;
  PolicyGradient out;
  out.gradient.assign(n, 0);
  std::vector<bool> kept(n, true);
  double ratio_sum = 0, clipped = 0;
  const double share = weight ? 1 : spread(view);
  for (std::size_t t = 0; t < n; ++t) {
    if (view.terms.mask[t] == 0) continue;
    const double advantage = view.row.advantage_at(t);
    const double log = level_log_ratio(view, ratios, sequence, sequence, 0, t);
    SurrogateTerm term;
    if (geometric) {
      kept[t] = clipped_log_ratio(o, log, advantage).kept;
      term.coefficient = mean;
      term.clipped_high = !kept[t] && advantage > 0;
      term.clipped_low = !kept[t] && advantage < 0;
    } else {
      term = token_term(view, log, advantage);
    }
    count_token(term, log, ratios.clamped[t], out.sums);
    const bool flat = ratios.clamped[t] && !weight && !shared;
    out.gradient[t] = flat ? 0 : -view.scale(t) * share * term.coefficient * advantage;
    ratio_sum += std::exp(log);
    clipped += term.clipped_low + term.clipped_high + term.clipped_corner;
  }
  if (shared) share_over_sequence(view, ratios, out.gradient);
  for (std::size_t t = 0; t < n; ++t)
    if (!kept[t]) out.gradient[t] = 0;
  const double tokens = std::max(1.0, out.sums.tokens);
  if (out.sums.tokens > 0) out.item = {ratio_sum / tokens, clipped / tokens};
  return out;
}

}  // namespace allot::objective
