#include "allot/methods/parts/prompt_noise.h"

#include <algorithm>
#include <cmath>

namespace allot {

std::vector<std::uint32_t> PromptNoise::choose(const TrainBatch& batch) {
  trained_ += batch.items.size();
  const bool known = groups_ >= kMemory / 2;
  std::vector<std::uint32_t> places;
  if (known && static_cast<double>(probed_) > kShare * static_cast<double>(trained_)) return places;
  const auto groups = static_cast<std::uint32_t>(batch.groups.size());
  const std::uint32_t count = std::min(known ? 2u : 16u, groups);
  for (std::uint32_t i = 0; i < count; ++i) {
    places.push_back(i * groups / count);
    probed_ += batch.groups[places.back()].count;
  }
  return places;
}

PromptNoise::RateError PromptNoise::rate_error(std::span<const TrainItem> items,
                                               const BetaBelief& belief) {
  const auto [low, high] = std::minmax_element(
      items.begin(), items.end(),
      [](const TrainItem& a, const TrainItem& b) { return a.advantage < b.advantage; });
  const double observed = -low->advantage / (high->advantage - low->advantage);
  const double error = observed - belief.mean();
  return {error, error * error + belief.variance()};
}

void PromptNoise::add(const GradientProbe& probe, std::span<const RateError> errors,
                      double range_scale) {
  if (probe.groups.empty() || probe.groups.size() != errors.size()) return;
  const auto n = static_cast<double>(probe.groups.size());
  const double kept = groups_ + n > kMemory ? std::max(0.0, (kMemory - n) / groups_) : 1;
  for (double* sum : {&groups_, &inner_, &inner_weight_, &squares_, &power_, &signal_squares_,
                      &across_, &across_weight_})
    *sum *= kept;
  const double root = std::sqrt(range_scale);
  double own_squares = 0, x_sum = 0, x_squares = 0;
  for (std::size_t i = 0; i < errors.size(); ++i) {
    const ProbedGroup& g = probe.groups[i];
    const auto [e, e2] = errors[i];
    const double u1 = g.first_power * range_scale, u2 = g.second_power * range_scale;
    const double s1 = g.first_sum * root, s2 = g.second_sum * root;
    inner_ += g.inner * range_scale;
    inner_weight_ += u1 * u2 + e * (u1 * s2 + u2 * s1) + e2 * s1 * s2;
    squares_ += (g.first_square + g.second_square) * range_scale;
    power_ += u1 + u2;
    signal_squares_ += u1 * u1 + u2 * u2 + 2 * e * (u1 * s1 + u2 * s2) + e2 * (s1 * s1 + s2 * s2);
    own_squares += g.first_square + g.second_square + 2 * g.inner;
    x_sum += u1 + u2;
    x_squares += (u1 + u2) * (u1 + u2);
  }
  across_ += (probe.sum_square - own_squares) * range_scale;
  across_weight_ += x_sum * x_sum - x_squares;
  groups_ += n;
}

double PromptNoise::value(double first_guess) const {
  if (inner_weight_ <= 0 || power_ <= 0) return first_guess;
  const double direction = inner_ / inner_weight_;
  const double common = across_weight_ > 0 ? across_ / across_weight_ : 0;
  const double noise = (squares_ - direction * signal_squares_) / power_;
  if (noise <= 0) return first_guess;
  const double measured = std::max(0.0, (direction - std::max(0.0, common)) / noise);
  return (groups_ * measured + kGuess * first_guess) / (groups_ + kGuess);
}

}  // namespace allot
