// How much the directions of prompts differ, over the noise of one rollout, from gradients that the
// learner measured (core/types.h, GradientProbe). (ours)
//
// A prompt's gradient h_i = h + d_i of its logit, a rollout's noise sigma^2. A rollout's score is
// s = (r - p) h_i + noise, so over a half of a group, with A = r - m/N and e = m/N - p,
//
//   g = sum A s,   E g = y h_i,   y = sum A (r - p) = sum A^2 + e sum A
//   E g1 . g2 = y1 y2 |h_i|^2      E |g|^2 = sigma^2 sum A^2 + y^2 |h_i|^2
//   E g_i . g_j = x_i x_j |h|^2 of whole groups, whose sum A is 0: x = sum A^2
//
// because the noise of different rollouts is independent. p is not known: y1 y2 and y^2 are taken
// on average over what is believed of it. In small groups that matters, as one of two right is what
// nearly solved prompts show too. So products of halves give the power of a prompt's direction,
// products of prompts that of the common one, and what is left of the squares the noise:
// prompt_noise = (|h_i|^2 - |h|^2) / sigma^2. Each is a quotient of fading sums. Derivation of its
// use: docs/methods/evidence.md.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/types.h"
#include "allot/methods/parts/belief.h"

namespace allot {

class PromptNoise {
 public:
  // Groups that the sums hold at most: earlier ones fade beyond that, so that they follow the
  // policy.
  static constexpr double kMemory = 128;
  static constexpr double kShare = 0.02;

  // What is believed of e, by groups of the probe: mean and mean square.
  struct RateError {
    double mean = 0, square = 0;

    template <class V>
    void state(V& v) {
      v(mean), v(square);
    }
  };
  // Of a group of two rewards: m/N is where 0 lies between its advantages.
  static RateError rate_error(std::span<const TrainItem> items, const BetaBelief& belief);

  // `range_scale` multiplies squares of rewards: on another scale they count as if they were 0
  // and 1. A probe of another number of groups than `errors` is not taken in.
  void add(const GradientProbe& probe, std::span<const RateError> errors, double range_scale);

  // Which groups of a batch are to be probed, at equal distances: 16 in each of the first steps,
  // until half of kMemory is measured; then two, in steps that keep what is probed below kShare of
  // the rollouts trained on so far.
  std::vector<std::uint32_t> choose(const TrainBatch& batch);

  // Groups that are in the sums, fading.
  double groups() const { return groups_; }

  // `first_guess` counts as kGuess groups. At least 0.
  double value(double first_guess) const;

  template <class V>
  void state(V& v) {
    v(groups_), v(inner_), v(inner_weight_), v(squares_), v(power_), v(signal_squares_);
    v(across_), v(across_weight_), v(trained_), v(probed_);
  }

 private:
  static constexpr double kGuess = 4;

  double groups_ = 0;
  double inner_ = 0, inner_weight_ = 0;                  // g1 . g2,  y1 y2
  double squares_ = 0, power_ = 0, signal_squares_ = 0;  // |g|^2, sum A^2, y^2 of halves
  double across_ = 0, across_weight_ = 0;                // g_i . g_j,  x_i x_j over pairs
  std::uint64_t trained_ = 0, probed_ = 0;               // rollouts of the run
};

}  // namespace allot
