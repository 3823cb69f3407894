#include "allot/objective/reference.h"

#include <algorithm>
#include <cmath>

#include "allot/core/error.h"
#include "allot/objective/flow_balance.h"
#include "allot/objective/kl.h"
#include "allot/objective/ratio.h"
#include "allot/objective/row_loss.h"

namespace allot::objective {
namespace {

bool has_advantage(const LossRow& row) {
  if (row.token_advantage.empty()) return row.advantage != 0;
  return std::any_of(row.token_advantage.begin(), row.token_advantage.end(),
                     [](double a) { return a != 0; });
}

void check_row(const LossRow& row, std::size_t index) {
  bool finite = std::isfinite(row.advantage) && std::isfinite(row.weight);
  for (const double a : row.token_advantage) finite = finite && std::isfinite(a);
  if (!finite)
    refuse_row(index, concat("advantage ", row.advantage, ", weight ", row.weight,
                             "; finite ones are needed"));
}

bool has_kl(const LossOptions& o) { return o.kl.placement == KlPlacement::InLoss && o.kl.beta > 0; }

const std::vector<double>& reference_of(const LossRow& row, std::size_t index) {
  if (row.reference.size() != row.logprob.size())
    refuse_row(index,
               "loss.kl needs log-probabilities of the reference policy, one each per token");
  return row.reference;
}

// KL and entropy: neither v, nor k, nor b multiply them.
struct RowExtras {
  double kl = 0, kl_sum = 0, entropy = 0;
};

double token_kl_scale(const RowView& view, std::size_t t) {
  return view.terms.omega * view.terms.mask[t] * view.options.kl.beta;
}

// Importance ratios of the KL's own factor: of tokens, whatever the level.
LogRatios kl_ratios(const RowView& view, std::span<const double> logprob) {
  return log_ratios(view.options.log_ratio_clamp, logprob,
                    weight_anchor(view.options, view.row, view.index), view.index);
}

RowExtras add_extras(const RowView& view, std::vector<double>& gradient) {
  RowExtras out;
  const std::size_t n = view.row.logprob.size();
  if (has_kl(view.options)) {
    const std::vector<double>& reference = reference_of(view.row, view.index);
    const LogRatios ratios = kl_ratios(view, view.row.logprob);
    for (std::size_t t = 0; t < n; ++t) {
      if (view.terms.mask[t] == 0) continue;
      const KlTerm term =
          kl_term(view.options.kl, view.row.logprob[t] - reference[t], std::exp(ratios.log[t]));
      out.kl += token_kl_scale(view, t) * term.value;
      out.kl_sum += view.terms.mask[t] * term.value;
      gradient[t] += token_kl_scale(view, t) * term.coefficient;
    }
  }
  if (!view.row.entropy.empty()) {
    if (view.row.entropy.size() != n) refuse_row(view.index, "entropy needs one value per token");
    for (std::size_t t = 0; t < n; ++t)
      if (view.terms.mask[t] != 0) out.entropy += view.terms.mask[t] * view.row.entropy[t];
  }
  return out;
}

double extra_value(const RowView& view, std::span<const double> logprob) {
  if (!has_kl(view.options)) return 0;
  const std::vector<double>& reference = reference_of(view.row, view.index);
  const LogRatios ratios = kl_ratios(view, logprob);
  double out = 0;
  for (std::size_t t = 0; t < logprob.size(); ++t)
    if (view.terms.mask[t] != 0)
      out += token_kl_scale(view, t) * kl_value(view.options.kl, logprob[t] - reference[t],
                                                view.row.logprob[t] - reference[t],
                                                std::exp(ratios.log[t]));
  return out;
}

FlowTerm flow_of(const RowView& view, std::span<const double> logprob) {
  const LogRatios fixed = kl_ratios(view, view.row.logprob);
  return flow_term(view.options, view.row, view.index, logprob, fixed.log, view.terms.mask);
}

// k b of a loss with one term per response, which all tokens share.
double row_factor(const RowTerms& terms) {
  for (std::size_t t = 0; t < terms.mask.size(); ++t)
    if (terms.mask[t] != 0) return terms.factor[t];
  return 1;
}

double flow_scale(const RowTerms& terms, const LossRow& row) {
  return terms.sequence_weight * row.weight * row_factor(terms);
}

// Policy part of a row into `out`; its gradient is returned.
std::vector<double> add_policy(const RowView& view, LossResult& out) {
  std::vector<double> gradient(view.row.logprob.size(), 0.0);
  if (view.options.surrogate == Surrogate::FlowBalance) {
    const FlowTerm term = flow_of(view, view.row.logprob);
    const double scale = flow_scale(view.terms, view.row);
    out.sums.policy += scale * term.value;
    out.log_partition.back() = scale * term.log_partition;
    for (std::size_t t = 0; t < gradient.size(); ++t)
      gradient[t] = scale * term.per_token * view.terms.mask[t];
    out.sums.tokens += view.terms.size();
    return gradient;
  }
  if (!has_advantage(view.row) || view.row.weight == 0 || gradient.empty()) return gradient;
  PolicyGradient part = policy_gradient(view);
  out.sums.policy += policy_value(view, view.row.logprob);
  out.sums.add(part.sums);
  out.items.back() = part.item;
  return part.gradient;
}

}  // namespace

LossResult reference_loss(const LossOptions& given, std::span<const LossRow> rows,
                          std::span<const RowTerms> terms, double entropy_coef) {
  const LossOptions options = given.expanded();
  if (terms.size() != rows.size())
    throw Error(ErrorKind::Internal, "objective", "one set of terms per row is needed");
  LossResult out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    check_row(rows[i], i);
    const RowView view{options, rows[i], terms[i], i};
    (void)weight_anchor(options, rows[i], i);  // present even where nothing is to be learned
    out.items.emplace_back();
    out.log_partition.push_back(0);
    std::vector<double> gradient = add_policy(view, out);
    for (std::size_t t = 0; t < gradient.size(); ++t)
      if (gradient[t] != 0) out.coefficient_loss += gradient[t] * rows[i].logprob[t];
    const RowExtras extras = add_extras(view, gradient);
    out.sums.kl += extras.kl;
    out.sums.kl_estimate += extras.kl_sum;
    out.sums.entropy_sum += extras.entropy;
    out.sums.entropy -= entropy_coef * terms[i].entropy_weight * extras.entropy;
    out.sums.trained += terms[i].size();
    if (!has_advantage(rows[i])) out.sums.zero_signal += terms[i].size();
    out.gradient.push_back(std::move(gradient));
    if (entropy_coef == 0) continue;
    std::vector<double>& of_entropy = out.entropy_gradient.emplace_back();
    for (const double m : terms[i].mask)
      of_entropy.push_back(-entropy_coef * terms[i].entropy_weight * m);
  }
  out.sums.loss = out.sums.policy + out.sums.kl + out.sums.entropy;
  out.loss = out.sums.loss;
  out.coefficient_loss += out.sums.kl + out.sums.entropy;
  return out;
}

double reference_value(const LossOptions& given, std::span<const LossRow> rows,
                       std::span<const LossRow> fixed, std::span<const RowTerms> terms) {
  const LossOptions options = given.expanded();
  double loss = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RowView view{options, fixed[i], terms[i], i};
    loss += extra_value(view, rows[i].logprob);
    if (options.surrogate == Surrogate::FlowBalance)
      loss += flow_scale(terms[i], fixed[i]) * flow_of(view, rows[i].logprob).value;
    else
      loss += policy_value(view, rows[i].logprob);
  }
  return loss;
}

LossResult reference_loss(const LossOptions& options, std::span<const LossRow> rows,
                          std::span<const double> omega) {
  if (omega.size() != rows.size())
    throw Error(ErrorKind::Internal, "objective", "one token weight per row is needed");
  std::vector<RowTerms> terms;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    RowTerms& one = terms.emplace_back();
    one.omega = omega[i];
    one.mask = base_mask(rows[i], i);
    one.factor.assign(one.mask.size(), 1);
  }
  return reference_loss(options, rows, terms, 0);
}

LossResult reference_loss(const LossOptions& given, const Normalizer& normalizer,
                          std::span<const LossRow> rows) {
  const LossOptions options = given.expanded();
  const StepTerms terms = step_terms(options, normalizer, rows, keyed_draw(0, 0));
  return reference_loss(options, rows, terms.rows, options.entropy_coef);
}

}  // namespace allot::objective
