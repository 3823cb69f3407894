// The scheduler of CBS (arXiv 2602.08499): a network that scores arms, fitted to how much the
// policy improved after a round whose selected arms it is shown.
//
// A reward is delayed and shared: all arms selected in a round get the change of the mean reward up
// to the first round that the updated policy generated. Rounds without an update give none.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "allot/core/options.h"
#include "allot/methods/parts/arms.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/mlp.h"

namespace allot {

struct SchedulerOptions {
  double entropy_weight = 1, entropy_min = .2;
  double learning_rate = 1e-3;
  int fit_rounds = 8;

  template <class V>
  void fields(V& v) {
    v("entropy_weight", entropy_weight, Range{0, 1e6},
      "cost of a rise of the mean entropy, in units of mean reward");
    v("entropy_min", entropy_min, Range{0, 1e6},
      "the rise costs nothing while the mean entropy is at most this");
    v("learning_rate", learning_rate, Range{0, 10}, "of the scheduler's network (AdamW)");
    v("fit_rounds", fit_rounds, Range{1, 1000},
      "rounds with a reward that a step of the fit uses; before as many are known, the choice is "
      "uniform");
  }
};

// Mean reward and mean entropy of one round.
struct RoundMeans {
  double reward = 0, entropy = 0;

  template <class V>
  void state(V& v) {
    v(reward);
    v(entropy);
  }
};

// V' - V - w [E > min] (E' - E), from the round with V and E to the one with V' and E'.
double arm_reward(const RoundMeans& from, const RoundMeans& to, double entropy_weight,
                  double entropy_min);

class ArmScheduler {
 public:
  explicit ArmScheduler(const SchedulerOptions& options) : options_(options) {}

  // Makes the network on the first call.
  void open(std::uint64_t seed);

  // A round was scored: rewards the earlier rounds whose update its policy contains and makes one
  // step of the fit. Without means (nothing was scored) they get no reward.
  void settle(Version policy, const std::optional<RoundMeans>& means);

  // True once as many rounds have a reward as the fit uses.
  bool trained() const { return rewarded_ >= static_cast<std::uint64_t>(options_.fit_rounds); }

  // Scores of the arms of round `round`, in order. The arms enter the running moments first.
  std::vector<double> scores(std::span<const Arm> arms, std::uint64_t round);

  // The arms selected in `round`, whose reward is still to come.
  void select(std::uint64_t round, const RoundMeans& means, std::span<const Arm* const> selected);

  // What the update after `round` came to.
  void feedback(std::uint64_t round, bool updated, Version after);

  // R, entropy_penalty, fit_loss and fit_loss_constant (of predicting the mean reward) of the last
  // settle(); absent where there is none.
  void report(MetricList& metrics) const;

  template <class V>
  void state(V& v) {
    v(network_);
    v(moments_);
    v(waiting_);
    v(history_);
    v(rewarded_);
    v(last_reward_);
    v(last_penalty_);
    v(fit_loss_);
    v(constant_loss_);
  }

 private:
  struct Round {
    std::uint64_t round = 0;
    RoundMeans means;
    std::optional<Version> after;  // of its update, once that is known
    double reward = 0;
    std::vector<double> features;  // [arms][kArmFeatures], not standardised

    template <class V>
    void state(V& v) {
      v(round);
      v(means);
      v(after);
      v(reward);
      v(features);
      if constexpr (V::kReading)
        if (features.size() % kArmFeatures != 0) v.fail("an arm lacks features");
    }
  };
  void fit();

  SchedulerOptions options_;
  Mlp network_;
  RunningMoments moments_;
  std::vector<Round> waiting_, history_;  // oldest first
  std::uint64_t rewarded_ = 0;            // rounds so far
  std::optional<double> last_reward_, last_penalty_, fit_loss_, constant_loss_;
};

}  // namespace allot
