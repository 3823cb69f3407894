#include "allot/objective/token_masks.h"

#include <algorithm>
#include <cmath>

#include "allot/objective/curvature.h"
#include "allot/objective/divergence.h"
#include "allot/objective/mismatch.h"
#include "allot/objective/obrs.h"
#include "allot/objective/ratio.h"

namespace allot::objective {
namespace {

using Values = std::vector<double>;

// ---- masks that renormalise ----

void curvature_mask(const LossOptions& o, std::span<const LossRow> rows,
                    const CurvatureMoments* moments, std::vector<RowTerms>& terms,
                    MaskCount& count) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t t = 0; t < terms[i].mask.size(); ++t) {
      if (terms[i].mask[t] == 0) continue;
      const double kept = keeps_curvature(o.curvature, rows[i], i, t, moments) ? 1 : 0;
      count.count(rows[i].advantage_at(t), terms[i].mask[t], kept);
      terms[i].mask[t] *= kept;
    }
  }
}

const Values& obrs_target(const LossOptions& o, const LossRow& row, std::size_t index) {
  const bool old = o.obrs.target == ObrsTarget::Old && !row.old.empty();
  const Values& target = old ? row.old : row.logprob;
  const std::size_t n = row.logprob.size();
  if (target.size() != n || row.rollout.size() != n || row.top.size() != n)
    refuse_row(index,
               "obrs needs log-probabilities of the rollout policy and the likeliest tokens "
               "of both, one each per token");
  for (const TopK& top : row.top)
    if (top.rollout.size() != top.ids.size() ||
        (o.obrs.target == ObrsTarget::Old ? top.old : top.current).size() != top.ids.size())
      refuse_row(index,
                 "obrs needs the likeliest tokens under the rollout policy and under the "
                 "policy of loss.obrs.target, one each per id");
  return target;
}

// kappa: what the measured acceptance says of the masses, which miss the tail.
double obrs_kappa(double accepted, double proposed, double mass) {
  return mass > 0 && proposed > 0 ? accepted / mass : 1;
}

void obrs_mask(const LossOptions& o, std::span<const LossRow> rows, const TokenDraw& draw,
               std::vector<RowTerms>& terms, MaskCount& count) {
  double accepted = 0, proposed = 0, mass = 0;
  std::vector<Values> masses(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Values& target = obrs_target(o, rows[i], i);
    for (std::size_t t = 0; t < terms[i].mask.size(); ++t) {
      masses[i].push_back(obrs_mass(o.obrs, rows[i].top[t]));
      if (terms[i].mask[t] == 0) continue;
      const double a = obrs_acceptance(o.obrs.lambda, target[t], rows[i].rollout[t]);
      const double kept = o.obrs.expected ? a : draw(rows[i].rollout_id, t) < a ? 1 : 0;
      count.count(rows[i].advantage_at(t), terms[i].mask[t], kept);
      accepted += kept;
      proposed += 1;
      mass += masses[i].back();
      terms[i].mask[t] *= kept;
    }
  }
  if (o.mismatch.weight != MismatchWeight::ObrsReweight) return;
  const double kappa = obrs_kappa(accepted, proposed, mass);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].anchor == Anchor::Behaviour) continue;  // the edge is inside its ratio
    const Values& target = obrs_target(o, rows[i], i);
    const Values& old = rows[i].old.empty() ? rows[i].logprob : rows[i].old;
    for (std::size_t t = 0; t < terms[i].mask.size(); ++t)
      terms[i].factor[t] *= obrs_weight(o.obrs, std::min(1.0, kappa * masses[i][t]), target[t],
                                        rows[i].rollout[t], old[t], rows[i].logprob[t]);
  }
}

// ---- masks that leave the denominators alone: 1 or 0 per token of one row ----

Values ppo_clip_mask(const LossOptions& o, const LossRow& row, std::size_t index) {
  const LogRatios r = log_ratios(o.log_ratio_clamp, row.logprob, mask_anchor(o, row, index), index);
  Values out;
  for (std::size_t t = 0; t < r.log.size(); ++t) {
    const double ratio = std::exp(r.log[t]), a = row.advantage_at(t);
    const bool out_of_band =
        (a > 0 && ratio > 1 + o.clip_high) || (a < 0 && ratio < 1 - o.clip_low);
    out.push_back(out_of_band ? 0 : 1);
  }
  return out;
}

Values divergence_mask(const LossOptions& o, const LossRow& row, std::size_t index) {
  const std::span<const double> anchor = mask_anchor(o, row, index);
  Values out;
  for (std::size_t t = 0; t < anchor.size(); ++t) {
    const double move = row.logprob[t] - anchor[t], a = row.advantage_at(t);
    const bool away = (a > 0 && move > 0) || (a < 0 && move < 0);
    const double bound = a > 0 ? o.divergence.delta_high : o.divergence.delta_low;
    const bool far = away && divergence(o.divergence.kind, row, index, t, anchor[t]) > bound;
    out.push_back(far ? 0 : 1);
  }
  return out;
}

Values off_policy_mask(const LossOptions& o, const LossRow& row, std::size_t index,
                       std::span<const double> mask) {
  const std::span<const double> from =
      row.rollout.empty() ? mask_anchor(o, row, index) : std::span<const double>(row.rollout);
  if (from.size() != row.logprob.size())
    refuse_row(index,
               "off_policy_sequence needs log-probabilities of an earlier policy, one each "
               "per token");
  double sum = 0, n = 0;
  for (std::size_t t = 0; t < from.size(); ++t) {
    if (mask[t] == 0) continue;
    if (std::isnan(from[t] - row.logprob[t]))
      refuse_row(index, concat("token ", t, ": not a log-probability"));
    sum += mask[t] * std::clamp(from[t] - row.logprob[t], -o.log_ratio_clamp, o.log_ratio_clamp);
    n += mask[t];
  }
  const bool far = n > 0 && sum / n > o.off_policy_delta;
  Values out;
  for (std::size_t t = 0; t < from.size(); ++t)
    out.push_back(far && row.advantage_at(t) < 0 ? 0 : 1);
  return out;
}

// The least entropy among the top share of all tokens that count.
double entropy_threshold(const LossOptions& o, std::span<const LossRow> rows,
                         const std::vector<RowTerms>& terms) {
  Values all;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].entropy.size() != rows[i].logprob.size())
      refuse_row(i, "the mask top_entropy needs the entropy of each token");
    for (std::size_t t = 0; t < rows[i].entropy.size(); ++t)
      if (terms[i].mask[t] != 0) all.push_back(rows[i].entropy[t]);
  }
  if (all.empty()) return 0;
  const double share = std::ceil(o.top_entropy * static_cast<double>(all.size()) - 1e-9);
  const auto kept = static_cast<std::ptrdiff_t>(std::max(1.0, share));
  std::nth_element(all.begin(), all.begin() + kept - 1, all.end(), std::greater<>());
  return all[static_cast<std::size_t>(kept - 1)];
}

Values top_entropy_mask(const LossRow& row, double threshold) {
  Values out;
  for (const double h : row.entropy) out.push_back(h >= threshold ? 1 : 0);
  return out;
}

void multiply(const LossRow& row, const Values& kept, RowTerms& terms, MaskCount& count) {
  for (std::size_t t = 0; t < kept.size(); ++t) {
    count.count(row.advantage_at(t), terms.mask[t], kept[t]);
    terms.factor[t] *= kept[t];
  }
}

}  // namespace

std::vector<double> log_rho(const LossOptions& options, const LossRow& row, std::size_t index) {
  const Values& old = row.old.empty() ? row.logprob : row.old;
  if (row.rollout.size() != row.logprob.size() || old.size() != row.logprob.size())
    refuse_row(index, "log-probabilities of the rollout policy are needed, one each per token");
  return log_ratios(options.log_ratio_clamp, old, row.rollout, index).log;
}

void apply_renormalizing(const LossOptions& options, std::span<const LossRow> rows,
                         const TokenDraw& draw, const CurvatureMoments* moments,
                         std::vector<RowTerms>& terms, std::vector<MaskCount>& counts) {
  if (options.has_mask("truncated"))
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (rows[i].truncated) std::fill(terms[i].mask.begin(), terms[i].mask.end(), 0.0);
  if (options.has_mask("curvature"))
    curvature_mask(options, rows, moments, terms, counts.emplace_back(MaskCount{"curvature"}));
  if (options.has_mask("obrs"))
    obrs_mask(options, rows, draw, terms, counts.emplace_back(MaskCount{"obrs"}));
}

void apply_factors(const LossOptions& options, std::span<const LossRow> rows,
                   std::vector<RowTerms>& terms, std::vector<MaskCount>& counts) {
  const double threshold =
      options.has_mask("top_entropy") ? entropy_threshold(options, rows, terms) : 0;
  for (const std::string& mask : options.masks) {
    if (mask == "none" || mask == "truncated" || mask == "curvature" || mask == "obrs") continue;
    MaskCount& count = counts.emplace_back(MaskCount{mask});
    for (std::size_t i = 0; i < rows.size(); ++i) {
      Values kept;
      if (mask == "ppo_clip") kept = ppo_clip_mask(options, rows[i], i);
      if (mask == "divergence") kept = divergence_mask(options, rows[i], i);
      if (mask == "off_policy_sequence") kept = off_policy_mask(options, rows[i], i, terms[i].mask);
      if (mask == "top_entropy") kept = top_entropy_mask(rows[i], threshold);
      if (mask == "rejection" && rows[i].anchor == Anchor::StepStart)
        kept = rejection_mask(options.rejection, options.compat, log_rho(options, rows[i], i),
                              terms[i].mask);
      multiply(rows[i], kept, terms[i], count);
    }
  }
}

}  // namespace allot::objective
