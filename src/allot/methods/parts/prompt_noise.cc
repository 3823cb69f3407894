#include "allot/methods/parts/prompt_noise.h"

#include <algorithm>

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

void PromptNoise::add(const GradientProbe& probe, double range_scale) {
  if (probe.groups.empty()) return;
  const auto n = static_cast<double>(probe.groups.size());
  const double kept = groups_ + n > kMemory ? std::max(0.0, (kMemory - n) / groups_) : 1;
  for (double* sum : {&groups_, &inner_, &inner_weight_, &squares_, &power_, &power_squares_,
                      &across_, &across_weight_})
    *sum *= kept;
  double own_squares = 0, power_sum = 0, sum_of_squares = 0;
  for (const ProbedGroup& g : probe.groups) {
    const double u1 = g.first_power * range_scale, u2 = g.second_power * range_scale;
    inner_ += g.inner * range_scale;
    inner_weight_ += u1 * u2;
    squares_ += (g.first_square + g.second_square) * range_scale;
    power_ += u1 + u2;
    power_squares_ += u1 * u1 + u2 * u2;
    own_squares += g.first_square + g.second_square + 2 * g.inner;
    power_sum += u1 + u2;
    sum_of_squares += (u1 + u2) * (u1 + u2);
  }
  across_ += (probe.sum_square - own_squares) * range_scale;
  across_weight_ += power_sum * power_sum - sum_of_squares;
  groups_ += n;
}

double PromptNoise::value(double first_guess) const {
  if (inner_weight_ <= 0 || power_ <= 0) return first_guess;
  const double direction = inner_ / inner_weight_;
  const double common = across_weight_ > 0 ? across_ / across_weight_ : 0;
  const double noise = (squares_ - direction * power_squares_) / power_;
  if (noise <= 0) return first_guess;
  const double measured = std::max(0.0, (direction - std::max(0.0, common)) / noise);
  return (groups_ * measured + kGuess * first_guess) / (groups_ + kGuess);
}

}  // namespace allot
