// How much the directions of prompts differ, over the noise of one rollout, from gradients that the
// learner measured (core/types.h, GradientProbe). (ours)
//
// A prompt's gradient h_i = h + d_i of its logit, a rollout's noise sigma^2. Over half a group with
// the power u = sum A^2 the gradient is g = sum A s with
//
//   E g1 . g2 = u1 u2 |h_i|^2      E |g|^2 = sigma^2 u + u^2 |h_i|^2      E g_i . g_j = u_i u_j |h|^2
//
// because the noise of different rollouts is independent. So products of halves give the power of a
// prompt's direction, products of prompts that of the common one, and what is left of the squares
// the noise:  prompt_noise = (|h_i|^2 - |h|^2) / sigma^2. Each is a quotient of fading sums.
// Derivation of its use: docs/methods/evidence.md.
#pragma once

#include <cstdint>
#include <vector>

#include "allot/core/types.h"

namespace allot {

class PromptNoise {
 public:
  // Groups that the sums hold at most: earlier ones fade beyond that, so that they follow the
  // policy.
  static constexpr double kMemory = 128;
  static constexpr double kShare = 0.02;

  // `range_scale` multiplies squares of rewards: on another scale they count as if they were 0
  // and 1.
  void add(const GradientProbe& probe, double range_scale);

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
    v(groups_), v(inner_), v(inner_weight_), v(squares_), v(power_), v(power_squares_);
    v(across_), v(across_weight_), v(trained_), v(probed_);
  }

 private:
  static constexpr double kGuess = 4;

  double groups_ = 0;
  double inner_ = 0, inner_weight_ = 0;                    // g1 . g2,  u1 u2
  double squares_ = 0, power_ = 0, power_squares_ = 0;     // |g|^2, u, u^2 of halves
  double across_ = 0, across_weight_ = 0;                  // g_i . g_j,  u_i u_j over pairs
  std::uint64_t trained_ = 0, probed_ = 0;                 // rollouts of the run
};

}  // namespace allot
