#include "allot/objective/advantage_transform.h"

#include <cmath>

#include "allot/objective/kl.h"
#include "allot/objective/step_terms.h"

namespace allot::objective {
namespace {

const std::vector<double>& old_of(const LossRow& row) {
  return row.old.empty() ? row.logprob : row.old;
}

// k1 of each token that counts, 0 elsewhere.
std::vector<double> token_kl(const LossRow& row, std::size_t index) {
  const std::vector<double> mask = base_mask(row, index);
  const std::vector<double>& old = old_of(row);
  if (row.reference.size() != mask.size() || old.size() != mask.size())
    refuse_row(index,
               "loss.kl.placement in_reward needs log-probabilities of the reference "
               "policy, one each per token");
  std::vector<double> out;
  for (std::size_t t = 0; t < mask.size(); ++t)
    out.push_back(mask[t] == 0 ? 0 : k1(old[t] - row.reference[t]));
  return out;
}

}  // namespace

WhitenRule whiten_rule(Compat compat) {
  WhitenRule rule;
  rule.biased = compat == Compat::OpenRlhf;
  return rule;
}

void Moments::add(double value, double weight) {
  if (weight == 0) return;
  count += weight;
  const double before = value - mean;
  mean += weight / count * before;
  squares += weight * before * (value - mean);
}

void Moments::add(const Moments& other) {
  if (other.count == 0) return;
  const double total = count + other.count, between = other.mean - mean;
  squares += other.squares + between * between * count * other.count / total;
  mean += between * other.count / total;
  count = total;
}

double whitened(const WhitenRule& rule, const Moments& moments, double value) {
  const double freedom = rule.biased ? moments.count : moments.count - 1;
  const double variance = freedom > 0 ? moments.squares / freedom : 0;
  const double divisor = std::sqrt(variance + rule.floor) + rule.std_offset;
  return divisor > 0 ? (value - moments.mean) / divisor : 0;
}

double kl_of_row(const LossRow& row, std::size_t index) {
  double sum = 0;
  for (const double k : token_kl(row, index)) sum += k;
  return sum;
}

void reinforce_plus_plus(std::span<const double> rewards, double beta, double gamma,
                         const WhitenRule& rule, std::span<LossRow> rows) {
  Moments moments;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::vector<double> mask = base_mask(rows[i], i);
    std::vector<double> kl(mask.size(), 0);
    if (beta != 0) kl = token_kl(rows[i], i);
    std::vector<double>& values = rows[i].token_advantage;
    values.assign(mask.size(), 0);
    double reward = rewards[i], later = 0;
    for (std::size_t t = mask.size(); t-- > 0;) {
      if (mask[t] == 0) continue;
      later = kl[t] + gamma * later;
      values[t] = reward - beta * later;
      reward *= gamma;
    }
    for (std::size_t t = 0; t < mask.size(); ++t) moments.add(values[t], mask[t]);
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::vector<double> mask = base_mask(rows[i], i);
    for (std::size_t t = 0; t < mask.size(); ++t)
      if (mask[t] != 0)
        rows[i].token_advantage[t] = whitened(rule, moments, rows[i].token_advantage[t]);
  }
}

void whiten_by_token(const WhitenRule& rule, std::span<LossRow> rows) {
  Moments moments;
  std::vector<double> sizes;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    double size = 0;
    for (const double m : base_mask(rows[i], i)) size += m;
    sizes.push_back(size);
    moments.add(rows[i].advantage, size);
  }
  for (std::size_t i = 0; i < rows.size(); ++i)
    rows[i].advantage = sizes[i] > 0 ? whitened(rule, moments, rows[i].advantage) : 0;
}

}  // namespace allot::objective
