// The running quantities of `evidence` that decide how much a step buys: the price of evidence, the
// share of what is generated that is trained on, and what a prompt that is started brings and
// costs. (ours)
#pragma once

#include <algorithm>

namespace allot {

class EvidencePrice {
 public:
  // First guesses: of what a started prompt costs and brings, and the price of the first step.
  EvidencePrice(double first_block, double first_evidence, double first_price)
      : compute_per_start_(first_block),
        evidence_per_start_(first_evidence),
        first_price_(first_price) {}

  // One finished step, in answers of mean length.
  struct Step {
    double evidence = 0, generated = 0, trained = 0, started = 0;

    double compute(double train_cost) const { return generated + train_cost * trained; }
    template <class V>
    void state(V& v) {
      v(evidence);
      v(generated);
      v(trained);
      v(started);
    }
  };
  void close(const Step& step, double train_cost) {
    const double compute = step.compute(train_cost);
    evidence_ = kSlow * evidence_ + step.evidence;
    compute_ = kSlow * compute_ + compute;
    if (step.generated > 0)
      trained_share_ = kSlow * trained_share_ + (1 - kSlow) * step.trained / step.generated;
    if (step.started > 0)
      compute_per_start_ = kFast * compute_per_start_ + (1 - kFast) * compute / step.started;
  }
  void close_wave(double evidence, double started) {
    if (started == 0) return;
    constexpr double kLeast = 0.01;  // a dead pool must not ask for any number of prompts
    evidence_per_start_ =
        kFast * evidence_per_start_ + (1 - kFast) * std::max(evidence / started, kLeast);
  }

  // Evidence per unit of compute that the run achieves; the given one in the first step. Paying it
  // per unit and setting it to the achieved quotient is Dinkelbach's iteration for the largest
  // quotient.
  double price() const { return compute_ > 0 ? evidence_ / compute_ : first_price_; }
  double trained_share() const { return trained_share_; }
  // Prompts that bring `evidence` on average, or that `compute` suffices for: the smaller number.
  double starts_for(double evidence, double compute) const {
    return std::min(evidence / evidence_per_start_, compute / std::max(compute_per_start_, 1e-6));
  }

  template <class V>
  void state(V& v) {
    v(evidence_);
    v(compute_);
    v(trained_share_);
    v(compute_per_start_);
    v(evidence_per_start_);
  }

 private:
  static constexpr double kSlow = 0.9, kFast = 0.8;  // what is kept of the past

  double evidence_ = 0, compute_ = 0;
  double trained_share_ = 0.5;
  double compute_per_start_, evidence_per_start_;
  double first_price_;
};

}  // namespace allot
