// What rollouts of one prompt are worth to a step: the evidence of a group, and what a further
// block of rollouts is expected to add per unit of compute. (ours)
//
// For m correct of N and A = r - m/N, signal and noise power of a group's gradient are both
// x = m (N - m) / N, so a sum of groups has the squared signal-to-noise ratio sum x. Training costs
// `charge` per rollout, in evidence: price * training cost of one rollout of this length.
// Derivation: docs/methods/evidence.md.
#pragma once

#include <array>
#include <cstdint>
#include <map>

#include "allot/methods/parts/belief.h"

namespace allot {

// Evidence of `correct` of `n` binary rewards; 0 of none.
double group_evidence(double correct, double n);

// max(0, x - charge * n); 0: the group is not worth training.
double group_worth(double evidence, double n, double charge);

// E[ worth(correct + X, n + block) ] - worth(correct, n) for X ~ BetaBinomial(block, belief), by
// enumeration.
double expected_gain(const BetaBelief& belief, std::uint32_t correct, std::uint32_t n,
                     std::uint32_t block, double charge);

// The block with the largest expected gain per rollout.
struct BlockChoice {
  std::uint32_t size = 0;  // 0: no block fits
  double gain = 0;         // expected
  double per_rollout() const { return size > 0 ? gain / size : 0; }
};
inline constexpr std::array<std::uint32_t, 6> kBlockSizes = {2, 4, 6, 8, 12, 16};
// Blocks of at most `room` rollouts; of equal ones the smallest.
BlockChoice best_block(const BetaBelief& belief, std::uint32_t correct, std::uint32_t n,
                       std::uint32_t room, double charge);

// The prior of pass rates, by moments of the first blocks of prompts never met before.
class FirstBlocks {
 public:
  void add(double correct, double n);  // ignored below n = 2
  double count() const { return count_; }
  // Beta(1, 1) before 32 blocks. Mean within [.02, .98], strength a + b within [.5, 20].
  BetaBelief prior() const;

  template <class V>
  void state(V& v) {
    v(count_);
    v(rates_);
    v(pairs_);
  }

 private:
  double count_ = 0;
  double rates_ = 0;  // sum of m/n: estimates E p
  double pairs_ = 0;  // sum of m (m-1) / (n (n-1)): estimates E p^2
};

// Gini coefficient of a histogram value -> how often: 0 if all are equal, towards 1 if few have
// all. 0 of an empty one.
double gini(const std::map<std::uint32_t, std::uint64_t>& histogram);

}  // namespace allot
