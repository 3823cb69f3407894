// What rollouts of one prompt are worth to a step: the evidence of a group, and what a further
// block of rollouts is expected to add per unit of compute. (ours)
//
// For m correct of N and A = r - m/N, signal and noise power of a group's gradient are both
// x = m (N - m) / N, so a sum of groups has the squared signal-to-noise ratio sum x. Training costs
// `charge` per rollout, in evidence: price * training cost of one rollout of this length.
// Derivation: docs/methods/evidence.md.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>

#include "allot/methods/parts/belief.h"

namespace allot {

// Evidence of `correct` of `n` binary rewards; 0 of none.
double group_evidence(double correct, double n);

// max(0, x - charge * n); 0: the group is not worth training.
double group_worth(double evidence, double n, double charge);

// What is trained on of a group with two rewards.
enum class Keep {
  All,   // every rollout
  Worth  // all of the rarer reward, and as many of the other as are worth their training
};

// How a group is judged. With `prompt_noise` v, prompts have directions of their own, which vary
// from one to the other with v times the noise of a rollout: of a sum with weights w the squared
// signal-to-noise ratio is then (sum w x)^2 / (sum w^2 x (1 + v x)), largest at w = 1 / (1 + v x),
// where it is the sum of x / (1 + v x). That takes the place of x.
struct GroupRule {
  Keep keep = Keep::All;
  double prompt_noise = 0;

  double weight(double x) const { return 1 / (1 + prompt_noise * x); }
  double evidence(double x) const { return x * weight(x); }
};

// Of the rarer and the more frequent reward.
struct KeptPair {
  double rarer = 0, frequent = 0;
  double rollouts() const { return rarer + frequent; }
  double x() const { return group_evidence(rarer, rollouts()); }
};

// What of `rarer` and `frequent` rollouts is kept at a charge, and what that is worth: evidence
// less charge. It is concave in the number kept of the more frequent reward.
class PairKeeper {
 public:
  PairKeeper(const GroupRule& rule, double charge) : rule_(rule), charge_(charge) {}
  KeptPair of(double right, double wrong) const;
  // Of `right` of n.
  double worth(double right, double n) const {
    return std::max(
        0.0, rule_.keep == Keep::All ? value(right * (n - right), n) : value(of(right, n - right)));
  }

 private:
  double value(const KeptPair& pair) const {
    return value(pair.rarer * pair.frequent, pair.rollouts());
  }
  // Of a group of n with this product of its counts, with one division, as this runs for every
  // prompt, block and number of successes.
  double value(double product, double n) const {
    const double charge = charge_ * n;
    return product == 0 ? -charge : product / (n + rule_.prompt_noise * product) - charge;
  }
  GroupRule rule_;
  double charge_;
};

// E[ worth(correct + X, n + block - correct - X) ] - worth(correct, n - correct) for
// X ~ BetaBinomial(block, belief), by enumeration.
double expected_gain(const BetaBelief& belief, std::uint32_t correct, std::uint32_t n,
                     std::uint32_t block, const PairKeeper& keeper);

// The block with the largest expected gain per rollout.
struct BlockChoice {
  std::uint32_t size = 0;  // 0: no block fits
  double gain = 0;         // expected
  double per_rollout() const { return size > 0 ? gain / size : 0; }
};
inline constexpr std::array<std::uint32_t, 6> kBlockSizes = {2, 4, 6, 8, 12, 16};
// Blocks of at most `room` rollouts; of equal ones the smallest.
BlockChoice best_block(const BetaBelief& belief, std::uint32_t correct, std::uint32_t n,
                       std::uint32_t room, const PairKeeper& keeper);

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
