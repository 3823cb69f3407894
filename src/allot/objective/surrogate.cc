#include "allot/objective/surrogate.h"

#include <algorithm>
#include <cmath>

#include "allot/core/error.h"

namespace allot::objective {
namespace {

// PPO-clip (Schulman et al. 2017), with the dual clip of Ye et al. 2020 or the ratio cap of
// INTELLECT-2; both bound only the corner A < 0, large r. The cap replaces r before the minimum is
// taken, which is the same there, because it lies above 1 + clip_high.
SurrogateTerm ppo_clip(const LossOptions& o, double r, double advantage) {
  SurrogateTerm term;
  const double clipped = std::clamp(r, 1 - o.clip_low, 1 + o.clip_high);
  if (advantage >= 0) {
    term.clipped_high = advantage > 0 && r > 1 + o.clip_high;
    term.value = std::min(r, clipped) * advantage;
  } else {
    term.clipped_low = r < 1 - o.clip_low;
    const double corner = o.dual_clip_c > 0 ? o.dual_clip_c : o.ratio_cap;
    term.clipped_corner = corner > 0 && r > corner;
    const double bounded = std::max(r, clipped);
    term.value = (corner > 0 ? std::min(bounded, corner) : bounded) * advantage;
  }
  const bool kept = !term.clipped_low && !term.clipped_high && !term.clipped_corner;
  term.coefficient = kept ? r : 0;
  return term;
}

// SAPO (arXiv 2511.20347): (4 / tau) sigmoid(tau (r - 1)); slope 1 at r = 1.
SurrogateTerm soft(const LossOptions& o, double r, double advantage) {
  const double tau = advantage > 0 ? o.soft_tau_positive : o.soft_tau_negative;
  const double s = 1 / (1 + std::exp(-tau * (r - 1)));
  SurrogateTerm term;
  term.value = 4 / tau * s * advantage;
  term.coefficient = 4 * r * s * (1 - s);
  return term;
}

// VESPO (arXiv 2602.10693): exp(lambda + k log w - lambda w), 1 at w = 1.
double gamma_weight(double log_ratio, double advantage) {
  const double k = advantage >= 0 ? 2 : 3, lambda = advantage >= 0 ? 3 : 2;
  const double log_w = std::clamp(log_ratio, std::log(1e-8), 20.0);
  return std::exp(lambda + k * log_w - lambda * std::exp(log_w));
}

}  // namespace

SurrogateTerm surrogate(const LossOptions& options, double ratio, double advantage) {
  if (options.surrogate == Surrogate::Soft) return soft(options, ratio, advantage);
  return ppo_clip(options, ratio, advantage);
}

bool is_detached_weight(Surrogate surrogate) {
  return surrogate == Surrogate::ClippedWeight || surrogate == Surrogate::GammaWeight ||
         surrogate == Surrogate::Reinforce;
}

double detached_weight(const LossOptions& options, double log_ratio, double advantage) {
  if (options.surrogate == Surrogate::Reinforce) return 1;
  if (options.surrogate == Surrogate::GammaWeight) return gamma_weight(log_ratio, advantage);
  return std::clamp(std::exp(log_ratio), options.weight_min, options.weight_max);
}

ClippedLogRatio clipped_log_ratio(const LossOptions& options, double log_ratio, double advantage) {
  const double clipped = std::clamp(log_ratio, -options.clip_low, options.clip_high);
  ClippedLogRatio out;
  out.log_ratio = advantage >= 0 ? std::min(log_ratio, clipped) : std::max(log_ratio, clipped);
  out.kept = out.log_ratio == log_ratio;
  return out;
}

}  // namespace allot::objective
