// The learner of the simulated world: the policy gradient of whatever a method ships.
//
//   g = sum over items of c (r - p) (a, c) + noise,   c = the item's coefficient in the loss
//
// One rollout's score is one unit, whether the loss averages or sums its tokens: neither its signal
// nor its noise grows with its length here. The noise of all rollouts is drawn at once: one
// N(0, I) scaled by sqrt(sum c^2 R / (K + D)). Source: simulator, "World", "Optimizer".
//
// Probed groups are computed a second time, with noise of their own, and paid for.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/loop/learner.h"
#include "allot/sim/policy.h"

namespace allot::sim {

enum class Optimizer : std::uint8_t {
  Adam,  // m: .9, v: .99 of |g|^2, one scalar for all coordinates; bias-corrected
  Sgd
};

struct LearnerOptions {
  double lr = 0.25;
  Optimizer optimizer = Optimizer::Adam;
};

// What each item of a batch counts in -L: its weight times its advantage over the batch's
// normaliser (contract, "Loss applied by the driver").
std::vector<double> item_coefficients(const TrainBatch& batch);

class SimLearner final : public Learner {
 public:
  // `seed` keys the noise. `policy` outlives the learner.
  SimLearner(Policy& policy, LearnerOptions options, std::uint64_t seed)
      : policy_(policy), options_(options), seed_(seed) {}

  Feedback update(const TrainBatch& batch, const RolloutStore& store) override;
  Version version() const override { return policy_.version(); }
  LearnerCost cost() const override { return cost_; }
  std::vector<Metric> metrics() const override;

  // Of the last update: G = sum c (r - p) and Q = sum c^2.
  double signal() const { return signal_; }
  double noise() const { return noise_; }
  const Parameters& gradient() const { return gradient_; }

 private:
  // N(0, I) scaled to the noise of rollouts whose squared coefficients sum to `power`.
  void add_noise(Parameters& to, double power, std::uint32_t key) const;
  struct Half {
    double sum = 0, power = 0;  // of A and of A^2
    Parameters gradient;        // sum A s
  };
  Half half_of(const TrainBatch& batch, const RolloutStore& store, std::uint32_t place, bool first);
  GradientProbe probe(const TrainBatch& batch, const RolloutStore& store);
  void step();

  Policy& policy_;
  LearnerOptions options_;
  std::uint64_t seed_;
  LearnerCost cost_;
  Parameters gradient_, momentum_;
  double second_moment_ = 0, signal_ = 0, noise_ = 0;
};

}  // namespace allot::sim
