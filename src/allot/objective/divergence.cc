#include "allot/objective/divergence.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace allot::objective {
namespace {

constexpr double kFloor = 1e-12;
constexpr double kLargest = -1e-7;  // log-probability; keeps 1 - p above 0

double rest_of(double logp) { return -std::expm1(std::min(logp, kLargest)); }

double log_rest_of(double logp) { return std::log1p(-std::exp(std::min(logp, kLargest))); }

// Sum of term(pi, mu), as probabilities, over the partition.
double over_partition(const TopK& top, std::int64_t sampled, double pi, double mu,
                      const std::function<double(double, double)>& term) {
  double sum = 0, pi_mass = 0, mu_mass = 0;
  bool has_sampled = false;
  for (std::size_t k = 0; k < top.ids.size(); ++k) {
    const double p = std::exp(top.current[k]), q = std::exp(top.rollout[k]);
    sum += term(p, q);
    pi_mass += p;
    mu_mass += q;
    has_sampled = has_sampled || top.ids[k] == sampled;
  }
  if (!has_sampled) {
    sum += term(std::exp(pi), std::exp(mu));
    pi_mass += std::exp(pi);
    mu_mass += std::exp(mu);
  }
  return sum + term(std::max(1 - pi_mass, kFloor), std::max(1 - mu_mass, kFloor));
}

}  // namespace

double binary_tv(double pi, double mu) { return std::abs(std::exp(pi) - std::exp(mu)); }

double binary_kl(double pi, double mu) {
  const double lower = std::min(mu, kLargest), p = std::min(pi, kLargest);
  return std::exp(lower) * (lower - p) + rest_of(mu) * (log_rest_of(mu) - log_rest_of(pi));
}

double top_k_tv(const TopK& top, std::int64_t sampled, double pi, double mu) {
  return over_partition(top, sampled, pi, mu,
                        [](double p, double q) { return std::abs(p - q) / 2; });
}

double top_k_kl(const TopK& top, std::int64_t sampled, double pi, double mu) {
  return over_partition(top, sampled, pi, mu, [](double p, double q) {
    return q > 0 ? q * std::log(q / std::max(p, kFloor)) : 0.0;
  });
}

double divergence(Divergence kind, const LossRow& row, std::size_t index, std::size_t t,
                  double mu) {
  const double pi = row.logprob[t];
  if (kind == Divergence::BinaryTv) return binary_tv(pi, mu);
  if (kind == Divergence::BinaryKl) return binary_kl(pi, mu);
  if (row.top.size() != row.logprob.size() || row.token_ids.size() != row.logprob.size())
    refuse_row(index,
               "loss.divergence.kind needs the likeliest tokens of the rollout policy and "
               "the sampled ids, one each per token");
  return kind == Divergence::TopKTv ? top_k_tv(row.top[t], row.token_ids[t], pi, mu)
                                    : top_k_kl(row.top[t], row.token_ids[t], pi, mu);
}

}  // namespace allot::objective
