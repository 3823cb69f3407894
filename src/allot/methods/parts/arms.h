// Rollouts as the arms of a contextual bandit: what is known of each, and which are taken.
// Source: CBS, arXiv 2602.08499. The list of features and the exploration are ours.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "allot/core/random.h"
#include "allot/core/types.h"
#include "allot/methods/parts/ragged.h"

namespace allot {

constexpr std::size_t kArmFeatures = 10;
using ArmFeatures = std::array<double, kArmFeatures>;

// A rollout and the base method's advantage within the group it was generated in.
struct Arm {
  RolloutId id = 0;
  PromptId prompt = 0;
  std::uint64_t round = 0;  // step that generated it
  Version behaviour = 0;
  double reward = 0, advantage = 0;
  std::uint32_t pool_n = 0;  // scored rollouts of its group, and their mean reward
  double pool_mean = 0;
  double entropy = 0, length = 0;  // mean entropy of its tokens; share of the longest answer
  bool truncated = false;
  double clip_fraction = 0, drift = 0;  // at the last use; drift = abs(ratio - 1)
  std::uint32_t uses = 0;

  template <class V>
  void state(V& v) {
    v(id);
    v(prompt);
    v(round);
    v(behaviour);
    v(reward);
    v(advantage);
    v(pool_n);
    v(pool_mean);
    v(entropy);
    v(length);
    v(truncated);
    v(clip_fraction);
    v(drift);
    v(uses);
  }
};

// reward, advantage, mean reward of its group, entropy, clip fraction and drift at the last use,
// length, truncated, age in rounds, times used.
ArmFeatures features_of(const Arm& arm, std::uint64_t round);

// Mean and variance of every feature over all arms seen so far (Welford).
class RunningMoments {
 public:
  void add(const ArmFeatures& features);
  // (x - mean) / deviation; 0 for a feature that never varied.
  ArmFeatures standardised(const ArmFeatures& features) const;

  template <class V>
  void state(V& v) {
    v(count_);
    for (double& mean : mean_) v(mean);
    for (double& squares : squares_) v(squares);
  }

 private:
  double count_ = 0;
  ArmFeatures mean_{}, squares_{};
};

// Adds a list: the positions, ascending, of k of the `count` arms from position `first` on. Each
// slot is, with probability `epsilon`, filled uniformly at random after the others got the highest
// scores (ties: the earlier one). Returns how many were taken at random. k <= count.
struct ArmRange {
  std::uint32_t first = 0, count = 0;
};
std::uint32_t choose_arms(std::span<const double> scores, ArmRange from, std::uint32_t k,
                          double epsilon, RandomStream stream, Ragged<std::uint32_t>& taken);

// Pearson's; 0 where one side does not vary. Both have the same size.
double correlation(std::span<const double> a, std::span<const double> b);

}  // namespace allot
