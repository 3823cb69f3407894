#include "allot/objective/curvature.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace allot::objective {
namespace {

// p and v of one token.
struct Score {
  std::vector<double> p, v;
};

Score score_of(std::span<const double> logprob, std::ptrdiff_t action) {
  double total = 0;
  for (const double l : logprob) total += std::exp(l);
  Score out;
  for (std::size_t k = 0; k < logprob.size(); ++k) {
    out.p.push_back(std::exp(logprob[k]) / total);
    out.v.push_back((static_cast<std::ptrdiff_t>(k) == action ? 1 : 0) - out.p.back());
  }
  return out;
}

std::ptrdiff_t action_of(const LossRow& row, std::size_t t) {
  const std::vector<std::int64_t>& ids = row.top[t].ids;
  const auto found = std::find(ids.begin(), ids.end(), row.token_ids[t]);
  return found == ids.end() ? -1 : found - ids.begin();
}

Curvature along(const Score& score, std::span<const double> u, double advantage, double lr) {
  double v_u = 0, p_uu = 0, p_u = 0;
  for (std::size_t k = 0; k < u.size(); ++k) {
    v_u += score.v[k] * u[k];
    p_uu += score.p[k] * u[k] * u[k];
    p_u += score.p[k] * u[k];
  }
  Curvature out;
  out.step = advantage * v_u;
  out.hessian = advantage * (v_u * v_u - (p_uu - p_u * p_u));
  out.m_h = lr * out.step + lr * lr * out.hessian / 2;
  out.m_f = lr * lr * v_u * v_u / 2;
  return out;
}

}  // namespace

Curvature curvature(std::span<const double> logprob, std::ptrdiff_t action,
                    std::span<const double> hidden, double advantage, double lr) {
  double hidden_square = 0;
  for (const double h : hidden) hidden_square += h * h;
  const Score score = score_of(logprob, action);
  std::vector<double> u;
  for (const double v : score.v) u.push_back(advantage * hidden_square * v);
  return along(score, u, advantage, lr);
}

Curvature curvature(std::span<const double> logprob, std::ptrdiff_t action,
                    std::span<const double> hidden, double advantage, double lr,
                    std::span<const std::int64_t> ids, const CurvatureMoments& moments) {
  const Score score = score_of(logprob, action);
  std::vector<double> u;
  for (std::size_t k = 0; k < ids.size(); ++k)
    u.push_back(moments.along(ids[k], advantage * score.v[k], hidden));
  return along(score, u, advantage, lr);
}

bool keeps_curvature(const CurvatureOptions& options, const LossRow& row, std::size_t index,
                     std::size_t t, const CurvatureMoments* moments) {
  if (row.top.size() != row.logprob.size() || row.hidden.size() != row.logprob.size() ||
      row.token_ids.size() != row.logprob.size())
    refuse_row(index,
               "the mask curvature needs hidden states, the likeliest tokens and the "
               "sampled ids, one each per token");
  static const CurvatureMoments kFirstStep;
  const TopK& top = row.top[t];
  const double a = row.advantage_at(t);
  const std::ptrdiff_t action = action_of(row, t);
  const Curvature c = options.optimizer == CurvatureOptimizer::Sgd
                          ? curvature(top.current, action, row.hidden[t], a, options.lr)
                          : curvature(top.current, action, row.hidden[t], a, options.lr, top.ids,
                                      moments == nullptr ? kFirstStep : *moments);
  const bool bounded =
      options.symmetric ? std::abs(c.m_h) < options.delta_h : c.m_h >= 0 && c.m_h < options.delta_h;
  return c.m_f < options.delta_f && bounded;
}

void add_head_gradient(const LossRow& row, std::size_t t, HeadGradient& gradient) {
  const TopK& top = row.top[t];
  const Score score = score_of(top.current, action_of(row, t));
  for (std::size_t k = 0; k < top.ids.size(); ++k)
    gradient.add(top.ids[k], row.advantage_at(t) * score.v[k], row.hidden[t]);
}

}  // namespace allot::objective
