#include "allot/objective/curvature.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace allot::objective {

Curvature curvature(std::span<const double> logprob, std::ptrdiff_t action,
                    std::span<const double> hidden, double advantage, double lr) {
  double total = 0, hidden_square = 0;
  for (const double l : logprob) total += std::exp(l);
  for (const double h : hidden) hidden_square += h * h;
  const double scale = advantage * hidden_square;  // u = scale v
  double v_square = 0, p_uu = 0, p_u = 0;
  for (std::size_t k = 0; k < logprob.size(); ++k) {
    const double p = std::exp(logprob[k]) / total;
    const double v = (static_cast<std::ptrdiff_t>(k) == action ? 1 : 0) - p;
    v_square += v * v;
    p_uu += p * scale * v * scale * v;
    p_u += p * scale * v;
  }
  const double v_u = scale * v_square;
  Curvature out;
  out.step = advantage * advantage * v_square * hidden_square;
  out.hessian = advantage * (v_u * v_u - (p_uu - p_u * p_u));
  out.m_h = lr * out.step + lr * lr * out.hessian / 2;
  out.m_f = lr * lr * v_u * v_u / 2;
  return out;
}

bool keeps_curvature(const CurvatureOptions& options, const LossRow& row, std::size_t index,
                     std::size_t t) {
  if (row.top.size() != row.logprob.size() || row.hidden.size() != row.logprob.size() ||
      row.token_ids.size() != row.logprob.size())
    refuse_row(index,
               "the mask curvature needs hidden states, the likeliest tokens and the "
               "sampled ids, one each per token");
  const TopK& top = row.top[t];
  const auto found = std::find(top.ids.begin(), top.ids.end(), row.token_ids[t]);
  const std::ptrdiff_t action = found == top.ids.end() ? -1 : found - top.ids.begin();
  const Curvature c =
      curvature(top.current, action, row.hidden[t], row.advantage_at(t), options.lr);
  const bool bounded =
      options.symmetric ? std::abs(c.m_h) < options.delta_h : c.m_h >= 0 && c.m_h < options.delta_h;
  return c.m_f < options.delta_f && bounded;
}

}  // namespace allot::objective
