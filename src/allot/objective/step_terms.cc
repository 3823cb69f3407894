#include "allot/objective/step_terms.h"

#include <algorithm>
#include <cmath>

#include "allot/core/random.h"
#include "allot/objective/curvature.h"
#include "allot/objective/mismatch.h"
#include "allot/objective/token_masks.h"

namespace allot::objective {
namespace {

bool corrects_mismatch(const LossOptions& o) {
  return o.mismatch.weight == MismatchWeight::Truncate || o.mismatch.weight == MismatchWeight::Mask;
}

// What is not a number is left out: no loss may depend on a field that it does not ask for.
void add_edge(const LossOptions& o, const LossRow& row, const RowTerms& terms, EdgeSums& sums) {
  const std::vector<double>& old = row.old.empty() ? row.logprob : row.old;
  if (row.rollout.size() != old.size() || row.anchor == Anchor::Behaviour) return;
  for (std::size_t t = 0; t < old.size(); ++t) {
    const double difference = old[t] - row.rollout[t];
    if (terms.mask[t] == 0 || std::isnan(difference)) continue;
    sums.add_token(std::clamp(difference, -o.log_ratio_clamp, o.log_ratio_clamp));
  }
}

void apply_mismatch(const LossOptions& o, std::span<const LossRow> rows,
                    std::vector<RowTerms>& terms) {
  double sum = 0, tokens = 0;
  std::vector<std::vector<double>> weights(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    weights[i].assign(rows[i].logprob.size(), 1);
    if (rows[i].anchor == Anchor::StepStart)  // the edge is inside the ratio of the others
      weights[i] = mismatch_weights(o.mismatch, log_rho(o, rows[i], i), terms[i].mask);
    for (std::size_t t = 0; t < weights[i].size(); ++t) {
      sum += terms[i].mask[t] * weights[i][t];
      tokens += terms[i].mask[t];
    }
  }
  const double mean = o.mismatch.normalize && sum > 0 ? sum / tokens : 1;
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t t = 0; t < weights[i].size(); ++t) terms[i].factor[t] *= weights[i][t] / mean;
}

bool renormalizes_by_policy(const LossOptions& o) {
  return o.has_mask("curvature") || o.has_mask("obrs");
}

// Which tokens count.
StepTerms masked(const LossOptions& options, std::span<const LossRow> rows, const TokenDraw& draw,
                 const CurvatureMoments* moments) {
  StepTerms out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    RowTerms& terms = out.rows.emplace_back();
    terms.mask = base_mask(rows[i], i);
    terms.factor.assign(terms.mask.size(), 1);
    if (!rows[i].token_advantage.empty() &&
        rows[i].token_advantage.size() != rows[i].logprob.size())
      refuse_row(i, "advantages by token need one value per token");
  }
  apply_renormalizing(options, rows, draw, moments, out.rows, out.sums.masks);
  return out;
}

std::vector<RowMass> masses_of(std::span<const LossRow> rows, const std::vector<RowTerms>& terms) {
  std::vector<RowMass> out;
  for (std::size_t i = 0; i < rows.size(); ++i) out.push_back({rows[i].group, terms[i].size()});
  return out;
}

// In TRL rows that a mask emptied still count.
GlobalCounts counted(const LossOptions& options, std::span<const RowMass> masses) {
  GlobalCounts counts = counts_of(masses);
  if (options.compat == Compat::Trl) counts.rows = static_cast<double>(masses.size());
  return counts;
}

// What the tokens that count weigh; `terms` has its counts.
void weigh(const LossOptions& options, const Normalizer& normalizer, std::span<const LossRow> rows,
           StepTerms& terms) {
  const std::vector<RowMass> masses = masses_of(rows, terms.rows);
  const std::vector<double> omega = token_weights(normalizer, masses, terms.counts);
  const double sequences = normalizer.fixed_rows > 0 ? normalizer.fixed_rows : terms.counts.rows;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    RowTerms& row = terms.rows[i];
    row.omega = omega[i];
    row.sequence_weight = terms.counts.ranks / std::max(1.0, sequences);
    row.entropy_weight = terms.counts.ranks / std::max(1.0, terms.counts.tokens);
    if (masses[i].tokens > 0) terms.prompt_weight[rows[i].group] += omega[i] * masses[i].tokens;
    add_edge(options, rows[i], row, terms.sums.edge);
  }
  apply_factors(options, rows, terms.rows, terms.sums.masks);
  if (corrects_mismatch(options)) apply_mismatch(options, rows, terms.rows);
}

}  // namespace

double RowTerms::size() const {
  double sum = 0;
  for (const double m : mask) sum += m;
  return sum;
}

TokenDraw keyed_draw(std::uint64_t seed, std::uint64_t step) {
  // Methods number their draws from 0; the last number is the loss's.
  return [seed, step](std::uint64_t rollout_id, std::size_t token) {
    const RandomStream stream({seed, RandomUse::Method, step, rollout_id, 0xffffffffU});
    return static_cast<double>(stream.uniform_at(token));
  };
}

std::vector<double> base_mask(const LossRow& row, std::size_t index) {
  const std::size_t n = row.logprob.size();
  if (!row.scorable) return std::vector<double>(n, 0);
  if (row.mask.empty()) return std::vector<double>(n, 1);
  if (row.mask.size() != n)
    refuse_row(index, concat("mask has ", row.mask.size(), " values, logprob has ", n,
                             "; one each is needed"));
  for (const double m : row.mask)
    if (m != 0 && m != 1) refuse_row(index, concat("mask has ", m, "; 0 or 1 is needed"));
  return row.mask;
}

std::vector<Metric> StepTerms::metrics() const {
  std::vector<Metric> out = sums.metrics();
  if (!prompt_weight.empty()) {
    double low = INFINITY, high = 0;
    for (const auto& [group, weight] : prompt_weight) {
      low = std::min(low, weight);
      high = std::max(high, weight);
    }
    out.push_back({"loss/prompt_weight_min", low});
    out.push_back({"loss/prompt_weight_max", high});
  }
  out.push_back({"train/sequences", counts.rows});
  out.push_back({"train/prompts", counts.groups()});
  return out;
}

StepTerms step_terms(const LossOptions& options, const Normalizer& normalizer,
                     std::span<const LossRow> rows, const TokenDraw& draw,
                     const CurvatureMoments* moments) {
  StepTerms out = masked(options, rows, draw, moments);
  out.counts = counted(options, masses_of(rows, out.rows));
  weigh(options, normalizer, rows, out);
  return out;
}

bool keeps_curvature_moments(const LossOptions& given) {
  const LossOptions options = given.expanded();
  return options.has_mask("curvature") && options.curvature.optimizer == CurvatureOptimizer::Adam;
}

HeadGradient head_gradient(std::span<const LossRow> rows, std::span<const RowTerms> terms) {
  HeadGradient out;
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t t = 0; t < terms[i].mask.size(); ++t)
      if (terms[i].mask[t] != 0) add_head_gradient(rows[i], t, out);
  return out;
}

bool needs_whole_step(const LossOptions& given) {
  const LossOptions o = given.expanded();
  return renormalizes_by_policy(o) || o.has_mask("top_entropy") || o.entropy.adaptive ||
         (corrects_mismatch(o) && o.mismatch.normalize);
}

GlobalCounts step_counts(const LossOptions& given, std::span<const RowShape> rows) {
  const LossOptions options = given.expanded();
  std::vector<RowMass> masses;
  for (const RowShape& row : rows) {
    const bool out = row.truncated && options.has_mask("truncated");
    masses.push_back({row.group, out ? 0 : static_cast<double>(row.tokens)});
  }
  return counted(options, masses);
}

StepTerms part_terms(const LossOptions& options, const Normalizer& normalizer,
                     const GlobalCounts& counts, std::span<const LossRow> rows) {
  if (needs_whole_step(options))
    throw Error(ErrorKind::Internal, "objective",
                "the terms of this loss cannot be told from a part of the step");
  StepTerms out = masked(options, rows, {}, nullptr);
  out.counts = counts;
  weigh(options, normalizer, rows, out);
  return out;
}

double mean_entropy(std::span<const LossRow> rows, std::span<const RowTerms> terms) {
  double sum = 0, tokens = 0;
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t t = 0; t < rows[i].entropy.size() && t < terms[i].mask.size(); ++t) {
      sum += terms[i].mask[t] * rows[i].entropy[t];
      tokens += terms[i].mask[t];
    }
  return tokens > 0 ? sum / tokens : 0;
}

}  // namespace allot::objective
