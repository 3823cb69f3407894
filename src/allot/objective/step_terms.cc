#include "allot/objective/step_terms.h"

#include <algorithm>
#include <cmath>

#include "allot/core/random.h"
#include "allot/objective/mismatch.h"
#include "allot/objective/token_masks.h"

namespace allot::objective {
namespace {

bool corrects_mismatch(const LossOptions& o) {
  return o.mismatch.weight == MismatchWeight::Truncate || o.mismatch.weight == MismatchWeight::Mask;
}

// Sums over the tokens that count of the edge old / rollout.
struct EdgeSums {
  double tokens = 0, rho = 0, rho_square = 0, k1 = 0, k3 = 0;
};

// What is not a number is left out: no loss may depend on a field that it does not ask for.
void add_edge(const LossOptions& o, const LossRow& row, const RowTerms& terms, EdgeSums& sums) {
  const std::vector<double>& old = row.old.empty() ? row.logprob : row.old;
  if (row.rollout.size() != old.size() || row.anchor == Anchor::Behaviour) return;
  for (std::size_t t = 0; t < old.size(); ++t) {
    const double difference = old[t] - row.rollout[t];
    if (terms.mask[t] == 0 || std::isnan(difference)) continue;
    const double log = std::clamp(difference, -o.log_ratio_clamp, o.log_ratio_clamp);
    const double rho = std::exp(log);
    sums.tokens += 1;
    sums.rho += rho;
    sums.rho_square += rho * rho;
    sums.k1 -= log;
    sums.k3 += std::expm1(log) - log;
  }
}

void append_edge(const EdgeSums& sums, std::vector<Metric>& out) {
  if (sums.tokens == 0) return;
  out.push_back({"mismatch/k1", sums.k1 / sums.tokens});
  out.push_back({"mismatch/k3", sums.k3 / sums.tokens});
  out.push_back({"mismatch/ess", sums.rho * sums.rho / sums.rho_square});
  out.push_back({"mismatch/chi_square", sums.rho_square / sums.tokens - 1});
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

// The effective weight of a prompt is the sum of omega over its tokens.
void append_spread(std::span<const LossRow> rows, const std::vector<RowTerms>& terms,
                   std::vector<Metric>& out) {
  std::map<std::uint32_t, double> weight;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (terms[i].size() > 0) weight[rows[i].group] += terms[i].omega * terms[i].size();
  if (weight.empty()) return;
  double low = INFINITY, high = 0;
  for (const auto& [group, w] : weight) {
    low = std::min(low, w);
    high = std::max(high, w);
  }
  out.push_back({"loss/prompt_weight_min", low});
  out.push_back({"loss/prompt_weight_max", high});
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

StepTerms step_terms(const LossOptions& options, const Normalizer& normalizer,
                     std::span<const LossRow> rows, const TokenDraw& draw) {
  StepTerms out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    RowTerms& terms = out.rows.emplace_back();
    terms.mask = base_mask(rows[i], i);
    terms.factor.assign(terms.mask.size(), 1);
    if (!rows[i].token_advantage.empty() &&
        rows[i].token_advantage.size() != rows[i].logprob.size())
      refuse_row(i, "advantages by token need one value per token");
  }
  std::vector<MaskCount> counts;
  apply_renormalizing(options, rows, draw, out.rows, counts);
  std::vector<RowMass> masses;
  for (std::size_t i = 0; i < rows.size(); ++i)
    masses.push_back({rows[i].group, out.rows[i].size()});
  out.counts = counts_of(masses);
  if (options.compat == Compat::Trl)  // there, rows that a mask emptied still count
    out.counts.rows = static_cast<double>(rows.size());
  const std::vector<double> omega = token_weights(normalizer, masses, out.counts);
  const double sequences = normalizer.fixed_rows > 0 ? normalizer.fixed_rows : out.counts.rows;
  EdgeSums edge;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out.rows[i].omega = omega[i];
    out.rows[i].sequence_weight = out.counts.ranks / std::max(1.0, sequences);
    out.rows[i].entropy_weight = out.counts.ranks / std::max(1.0, out.counts.tokens);
    add_edge(options, rows[i], out.rows[i], edge);
  }
  apply_factors(options, rows, out.rows, counts);
  if (corrects_mismatch(options)) apply_mismatch(options, rows, out.rows);

  for (const MaskCount& count : counts) append_metrics(count, out.metrics);
  append_edge(edge, out.metrics);
  append_spread(rows, out.rows, out.metrics);
  out.metrics.push_back({"train/sequences", out.counts.rows});
  out.metrics.push_back({"train/prompts", out.counts.groups()});
  return out;
}

}  // namespace allot::objective
