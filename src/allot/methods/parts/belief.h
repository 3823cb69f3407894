// Beliefs about a prompt's pass rate from counts of right and wrong rollouts: the records that
// history-keyed methods keep per prompt, and the numbers read from them.
//
// Only first-round outcomes feed a belief, by the verifier's verdict and never by shaped rewards
// (contract, section 5).
#pragma once

#include <cstdint>

namespace allot {

// What is assumed before the first rollout: a successes and b failures; both > 0.
struct BetaPrior {
  double a = 1, b = 1;
};

// Beta(r s, (1 - r) s) of a pass rate r that is taken for s rollouts. r counts within [.02, .98]:
// no prior makes an outcome impossible.
BetaPrior prior_of_rate(double rate, double strength);

// A Beta distribution over the pass rate P.
struct BetaBelief {
  double a = 1, b = 1;

  BetaBelief() = default;
  BetaBelief(double successes, double failures) : a(successes), b(failures) {}
  explicit BetaBelief(const BetaPrior& prior) : a(prior.a), b(prior.b) {}

  double mean() const { return a / (a + b); }
  // Var P: how uncertain the pass rate is.
  double variance() const { return a * b / ((a + b) * (a + b) * (a + b + 1)); }
  // E[P (1 - P)] = m (1 - m) - Var P = a b / ((a + b) (a + b + 1)): the predictive mean of the
  // variance of a reward, which the within-group variance estimates without bias for any n >= 2.
  double reward_variance() const { return a * b / ((a + b) * (a + b + 1)); }

  void add(double successes, double failures) { a += successes, b += failures; }
  // Moves towards the prior: `kept` = 1 forgets nothing, 0 everything.
  void forget(double kept, const BetaPrior& prior) {
    a = prior.a + kept * (a - prior.a);
    b = prior.b + kept * (b - prior.b);
  }

  template <class V>
  void state(V& v) {
    v(a);
    v(b);
  }
};

// Counts that fade: older rollouts weigh less with every visit.
struct DecayedCounts {
  double successes = 0, trials = 0;

  // One visit: what is known fades by `kept`, then the new counts come on top.
  void add(double right, double n, double kept) {
    successes = kept * successes + right;
    trials = kept * trials + n;
  }
  bool empty() const { return trials <= 0; }
  double rate() const { return empty() ? 0 : successes / trials; }

  template <class V>
  void state(V& v) {
    v(successes);
    v(trials);
  }
};

// The newest verdicts of a prompt, at most 64, and the size of its last visit.
struct RecentVerdicts {
  static constexpr std::uint32_t kMost = 64;

  std::uint64_t bits = 0;  // bit 0 is the newest; 1 = right
  std::uint64_t count = 0;
  std::uint32_t last_right = 0, last_n = 0;
  std::uint64_t last_step = 0;

  void start_visit(std::uint64_t step) { last_right = last_n = 0, last_step = step; }
  void add(bool right) {
    bits = (bits << 1) | (right ? 1u : 0u);
    ++count, ++last_n, last_right += right ? 1 : 0;
  }
  // Pass rate of the last visit; 0 of an empty one.
  double last_rate() const;
  // Pass rate of the newest `n` rollouts over visits, or of all that are known; 0 of none.
  double rate_of_newest(std::uint32_t n) const;

  template <class V>
  void state(V& v) {
    v(bits);
    v(count);
    v(last_right);
    v(last_n);
    v(last_step);
  }
};

}  // namespace allot
